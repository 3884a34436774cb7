import type { DuckDb } from "../lib/duckdb/duckdb.ts";
import { quoteName, quoteNames } from "../lib/sql/quote.ts";
import { WORK_CATALOGUE } from "./expectation.ts";

/** How a key differs. */
export type DifferenceKind = "missing" | "extra" | "different" | "duplicate";

/** A key whose rows in a place are not the expected ones. */
export interface DifferingKey {
  key: string;
  kind: DifferenceKind;
}

/** Two relations in DuckDB that should hold the same. */
export interface Sides {
  key: readonly string[];
  /** Columns beside the key. */
  columns: readonly string[];
  expected: string;
  actual: string;
  /** SQL for the keys that occur twice. */
  doubles: string;
  /** SQL for keys, with `KIND`, that differ in ways a join does not see. */
  besides?: string | undefined;
  /** SQL for the differences that count, by key and `KIND`. */
  where?: string | undefined;
  /**
   * SQL for slices, by a column of the key, each of which is compared on its
   * own; together they are everything.
   */
  slices?: readonly string[];
}

/** The differences between two sides. */
export interface Differences {
  /** Rows that are expected. */
  rows: number;
  keys: number;
  kinds: readonly DifferenceKind[];
  /** In key order. */
  firstKeys: readonly DifferingKey[];
}

/** The relation with the keys of the last differences. */
export const DIFFERING = `${WORK_CATALOGUE}.main.differing`;

const KEYS_NAMED_MAX = 10;
const SHOWN_CHARACTERS = 100;
const HERE = '" here"';
/** The column with the kind of a difference: no model's column has this name. */
export const KIND = '" kind"';

/** Finds the keys in which the two sides differ. */
export async function findDifferences(
  duckdb: DuckDb,
  sides: Sides,
): Promise<Differences> {
  const key = quoteNames(sides.key);
  const [first = "true", ...others] = sides.slices ?? [];
  const statements = [
    `create or replace table ${DIFFERING} as ${differingSql(sides, first)}`,
    ...others.map((slice) =>
      `insert into ${DIFFERING} ${differingSql(sides, slice)}`
    ),
  ];
  let found = 0;
  for (const statement of statements) {
    // DuckDB says how many rows it has put into the table.
    const [written] = await duckdb.rows(statement);
    found += Number(written?.Count);
  }
  const kinds = found === 0 ? [] : await duckdb.rows(
    `select ${KIND} as kind, count(*) as keys from ${DIFFERING} group by ${KIND}`,
  );
  const shown = sides.key.length === 1
    ? `cast(${key} as varchar)`
    : `concat('[', concat_ws(', ', ${key}), ']')`;
  const firstKeys = kinds.length === 0 ? [] : await duckdb.rows(
    `select left(${shown}, ${SHOWN_CHARACTERS}) as shown, ${KIND} as kind from ${DIFFERING}
    order by try_cast(shown as hugeint), shown limit ${KEYS_NAMED_MAX}`,
  );
  const [expected] = await duckdb.rows(
    `select count(*) as rows from ${sides.expected}`,
  );
  return {
    rows: Number(expected?.rows),
    keys: kinds.reduce((sum, row) => sum + Number(row.keys), 0),
    kinds: kinds.map((row) => row.kind as DifferenceKind),
    firstKeys: firstKeys.map((row) => ({
      key: row.shown ?? "null",
      kind: row.kind as DifferenceKind,
    })),
  };
}

function differingSql(sides: Sides, slice: string): string {
  const { expected, actual, doubles, besides, where = "true" } = sides;
  const key = sides.key.map(quoteName);
  const columns = sides.columns.map(quoteName);
  const isSame = key.map((name) =>
    `wanted.${name} is not distinct from held.${name}`
  );
  const either = key.map((name) =>
    `coalesce(wanted.${name}, held.${name}) as ${name}`
  );
  const differs = [
    `wanted.${HERE} is null`,
    `held.${HERE} is null`,
    ...columns.map((name) => `wanted.${name} is distinct from held.${name}`),
  ];
  const keys = key.join(", ");
  // If a key is there in several kinds, the last in the alphabet says most.
  return `select ${keys}, max(${KIND}) as ${KIND} from (
      select ${either.join(", ")}, case when held.${HERE} is null then 'missing'
        when wanted.${HERE} is null then 'extra' else 'different' end as ${KIND}
      from (select *, true as ${HERE} from ${expected} where ${slice}) as wanted
      full join (select *, true as ${HERE} from ${actual} where ${slice}) as held
        on ${isSame.join(" and ")}
      where ${differs.join(" or ")}
      union all select ${keys}, 'duplicate' from ${doubles}
      ${besides === undefined ? "" : `union all ${besides}`}
    ) where ${slice} and (${where}) group by ${keys}`;
}
