import type pg from "pg";
import { copyOut } from "../lib/copy.ts";
import { readCsvSql } from "../lib/csv.ts";
import type { DuckDb } from "../lib/duckdb.ts";
import { inTransaction, quoteText } from "../lib/postgres.ts";
import { QUARANTINE } from "../lib/quarantine_model.ts";
import type { Zone } from "../lib/zone.ts";
import { keyText } from "../transform/arrive.ts";
import {
  allRanges,
  differingRanges,
  type Digest,
  digestSql,
  type HashedRows,
  rowsOfRangesSql,
  toDigest,
} from "./digest.ts";
import {
  endedInLake,
  type Lake,
  type ModelInLake,
  openVersionsOf,
  rowsInLake,
  versionsOf,
} from "./lake_rows.ts";
import { rowTextSql } from "./row_hash.ts";
import type { WarehouseModel } from "./warehouse_digest.ts";

/**
 * What was compared: a place with what it should hold, or the history, which
 * the source does not have: versions that ended, in the warehouse with the lake.
 */
export type Place = "lake" | "warehouse" | "history";

/** A key of which a place does not hold what it should. */
export interface DifferingKey {
  key: string;
  how: "missing" | "extra" | "otherwise" | "twice";
}

/** What came of comparing one model in one place. */
export interface Comparison {
  model: string;
  place: Place;
  /** Source tables that it is made from. */
  tables: readonly string[];
  /** Rows that should be there. */
  rows: number;
  ranges: number;
  differences: number;
  /** The first of them, in the order of their keys. */
  firstKeys: readonly DifferingKey[];
}

/** What is compared with what. */
export interface ModelComparing {
  duckdb: DuckDb;
  models: readonly ModelInLake[];
  expected: Lake;
  lake: Lake;
  /** A connection to the warehouse that nobody else uses. */
  warehouse: pg.Client;
  /** Digests of the warehouse, by model; they may still be on their way. */
  digests: Promise<ReadonlyMap<string, WarehouseModel>>;
  /** Where rows of the warehouse may lie for a while. */
  scratch: Zone;
}

interface DigestedRows {
  rows: HashedRows;
  digest: Digest;
}

const KEYS_NAMED_MAX = 10;
const ROWS_FILE = "rows-of-ranges.csv";
const ROWS_COLUMNS = ["row_key", "shown", "row_hash"];

/**
 * Compares each model in the lake and in the warehouse with what it should
 * hold, by the digests of its ranges of keys. Only of ranges that differ are
 * keys and hashes read. Of a model of one table, what is in quarantine can't be
 * compared: its keys are left out.
 */
export async function compareModels(
  work: ModelComparing,
): Promise<Comparison[]> {
  const quarantined = await readQuarantine(work);
  const results: Comparison[] = [];
  const digests = new Map<string, Digest>();
  for (const model of work.models) {
    const expected = await digested(work, rowsInLake(work.expected, model));
    digests.set(model.name, expected.digest);
    const actual = await digested(work, rowsInLake(work.lake, model));
    results.push(
      await compare(work, {
        model,
        place: "lake",
        expected,
        actual,
        quarantined,
      }),
    );
  }
  for (const [name, actual] of await work.digests) {
    const model = work.models.find((one) => one.name === name);
    const digest = digests.get(name);
    if (model === undefined || digest === undefined) continue;
    const rows = rowsInLake(work.expected, model, actual.columns);
    // A warehouse that lacks a column is compared by the others.
    const expected = actual.columns.length === model.columns.length
      ? { rows, digest }
      : await digested(work, rows);
    results.push(
      await compare(work, {
        model,
        place: "warehouse",
        expected,
        actual,
        quarantined,
      }),
      await compare(work, {
        model,
        place: "history",
        expected: await digested(
          work,
          endedInLake(work.lake, model, actual.columns),
        ),
        actual: actual.ended,
        quarantined: new Set(),
      }),
    );
  }
  return work.models.flatMap((model) =>
    results.filter((result) => result.model === model.name)
  );
}

/** The keys that a comparison names, each with how it differs. */
export function describeKeys({ firstKeys }: Comparison): string {
  return firstKeys.map(({ key, how }) => `${key} ${how}`).join(", ");
}

/** Rows that can't be read, in what should be there or in what is. */
async function readQuarantine(
  { duckdb, models, expected, lake }: ModelComparing,
): Promise<ReadonlySet<string>> {
  const model = models.find((one) => one.name === QUARANTINE.name);
  if (model === undefined) throw new Error("The quarantine is not compared");
  const selects = [expected, lake].map((one) =>
    `select table_name, row_key from (${openVersionsOf(one, model)})`
  );
  await duckdb.run(
    `create or replace table quarantined as ${selects.join(" union ")}`,
  );
  const tables = await duckdb.rows(
    "select distinct table_name from quarantined",
  );
  return new Set(tables.map((row) => row.table_name ?? ""));
}

async function digested(
  { duckdb }: ModelComparing,
  rows: HashedRows,
): Promise<DigestedRows> {
  return { rows, digest: toDigest(await duckdb.rows(digestSql(rows))) };
}

async function compare(
  work: ModelComparing,
  options: {
    model: ModelInLake;
    place: Place;
    expected: DigestedRows;
    actual: DigestedRows;
    quarantined: ReadonlySet<string>;
  },
): Promise<Comparison> {
  const { model, place, expected, actual } = options;
  const ranges = differingRanges(expected.digest, actual.digest);
  const differing = ranges.length === 0
    ? { count: 0, first: [] }
    : await findKeys(work, { ...options, ranges });
  const rows = [...expected.digest.values()]
    .reduce((sum, range) => sum + range.rows, 0);
  return {
    model: model.name,
    place,
    tables: tablesOf(model, differing.first),
    rows,
    ranges: allRanges(expected.digest, actual.digest).length,
    differences: differing.count,
    firstKeys: differing.first,
  };
}

/** A key of the quarantine begins with the table that it is of. */
function tablesOf(
  model: ModelInLake,
  keys: readonly DifferingKey[],
): readonly string[] {
  if (model.name !== QUARANTINE.name) return model.reads;
  const tables = keys.map(({ key }) => /^\[(\w+), /.exec(key)?.[1] ?? "");
  return [...new Set(tables)];
}

/** The keys of some ranges that differ: how many, and the first of them. */
async function findKeys(
  work: ModelComparing,
  options: {
    model: ModelInLake;
    expected: DigestedRows;
    actual: DigestedRows;
    quarantined: ReadonlySet<string>;
    ranges: readonly string[];
  },
): Promise<{ count: number; first: DifferingKey[] }> {
  const { duckdb } = work;
  const { model, expected, actual, ranges } = options;
  await readRows(work, { into: "expected_rows", rows: expected.rows, ranges });
  await readRows(work, { into: "actual_rows", rows: actual.rows, ranges });
  await keysLeftOut(work, options);
  await duckdb.run(
    `create or replace table differing as
    with held as (
      select row_key, min(shown) as shown, min(row_hash) as row_hash,
        count(*) as copies
      from actual_rows group by row_key
    )
    select coalesce(expected_rows.shown, held.shown) as shown,
      case when held.row_key is null then 'missing'
        when expected_rows.row_key is null then 'extra'
        when held.copies > 1 then 'twice' else 'otherwise' end as how
    from expected_rows full join held using (row_key)
    where row_key not in (select row_key from keys_left_out)
      and (expected_rows.row_hash is distinct from held.row_hash
        or held.copies > 1)
      ${model.derivation === "set" ? "and how <> 'extra'" : ""}`,
  );
  const [counted] = await duckdb.rows("select count(*) as keys from differing");
  const first = await duckdb.rows(
    `from differing order by try_cast(shown as hugeint), shown
    limit ${KEYS_NAMED_MAX}`,
  );
  return {
    count: Number(counted?.keys),
    first: first.map(({ shown, how }) => ({
      key: shown ?? "",
      how: how as DifferingKey["how"],
    })),
  };
}

async function readRows(
  work: ModelComparing,
  options: { into: string; rows: HashedRows; ranges: readonly string[] },
): Promise<void> {
  const { duckdb, warehouse, scratch } = work;
  const { into, rows } = options;
  const select = rowsOfRangesSql(rows, options.ranges);
  const create = `create or replace table ${into} as`;
  if (rows.engine === "DuckDB") {
    await duckdb.run(`${create} ${select}`);
    return;
  }
  await inTransaction(warehouse, { readOnly: true }, async () => {
    const { pieces } = copyOut(
      warehouse,
      `copy (${select}) to stdout csv header`,
    );
    await scratch.write(ROWS_FILE, pieces);
  });
  const csv = readCsvSql([scratch.locate(ROWS_FILE)], ROWS_COLUMNS);
  await duckdb.run(
    `${create} select * replace (cast(row_hash as bigint) as row_hash)
    from ${csv}`,
  );
  await scratch.remove(ROWS_FILE);
}

/** The keys of rows in quarantine: what holds of them is an older version. */
async function keysLeftOut(
  { duckdb, expected, lake }: ModelComparing,
  options: { model: ModelInLake; quarantined: ReadonlySet<string> },
): Promise<void> {
  const { model, quarantined } = options;
  const [table = ""] = model.derivation === "row" ? model.reads : [];
  const key = model.columns.filter(({ name }) => model.key.includes(name));
  const selects = [expected, lake].map((one) =>
    `select ${rowTextSql(key, "DuckDB")} as row_key
    from ${versionsOf(one, model)}
    where ${keyText(model.key)} in (
      select row_key from quarantined where table_name = ${quoteText(table)}
    )`
  );
  await duckdb.run(
    `create or replace table keys_left_out as ` +
      (quarantined.has(table)
        ? selects.join(" union ")
        : "select '' as row_key where false"),
  );
}
