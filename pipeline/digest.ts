import {
  quoteName,
  quoteNames,
  quoteText,
  type TextRow,
} from "../lib/postgres.ts";
import {
  type Engine,
  type HashedColumn,
  rangeSql,
  rowHashSql,
  rowTextSql,
} from "./row_hash.ts";

/** Rows of a model in one engine, each as its key and its hash. */
export interface HashedRows {
  engine: Engine;
  /** SQL that gives the key's columns and `row_hash`. */
  sql: string;
  key: readonly HashedColumn[];
}

/** Per range of keys how many rows there are, and a hash of them all. */
export type Digest = ReadonlyMap<string, { rows: number; hash: string }>;

/** So much of a key is shown. */
const SHOWN_CHARACTERS = 100;
/** Postgres's number of its type. */
const BIGINT = 20;

/** SQL that hashes a relation's rows; what it has beside them may be kept. */
export function hashRowsSql(
  relation: string,
  options: {
    engine: Engine;
    key: readonly HashedColumn[];
    columns: readonly HashedColumn[];
    besides?: readonly string[];
  },
): string {
  const { engine, key, columns, besides = [] } = options;
  const kept = [...key.map((column) => column.name), ...besides];
  return `select ${quoteNames(kept)},
      ${rowHashSql(columns, engine)} as row_hash
    from ${relation}`;
}

/** What makes a version that ended, beside its key. */
const ENDED_COLUMNS: readonly HashedColumn[] = [
  "content",
  "from_batch",
  "to_batch",
].map((name) => ({
  name,
  type: "BIGINT",
  isTime: false,
  postgres: { id: BIGINT, modifier: -1 },
}));

/**
 * Versions that ended, hashed with the batches between which they held, from a
 * relation with their key, `row_hash`, `from_batch` and `to_batch`.
 */
export function endedVersions(
  versions: string,
  options: { engine: Engine; key: readonly HashedColumn[] },
): HashedRows {
  const { engine } = options;
  const since = ENDED_COLUMNS.filter(({ name }) => name === "from_batch");
  const key = [...options.key, ...since];
  const names = quoteNames(key.map((column) => column.name));
  return {
    engine,
    key,
    sql: `select ${names}, ${rowHashSql(ENDED_COLUMNS, engine)} as row_hash
      from (select *, row_hash as content from (${versions}) as versions)
        as ended`,
  };
}

/** SQL for the digest of rows: one row for each range of keys. */
export function digestSql({ sql, key, engine }: HashedRows): string {
  return `select cast(range_id as varchar) as range_id, count(*) as row_count,
      cast(bit_xor(row_hash) as varchar) as hash
    from (
      select ${rangeSql(key, engine)} as range_id, row_hash
      from (${sql}) as hashed
    ) as ranged group by range_id`;
}

/** The digest that such rows tell. */
export function toDigest(rows: readonly TextRow[]): Digest {
  return new Map(rows.map((row) => [
    row.range_id ?? "",
    { rows: Number(row.row_count), hash: row.hash ?? "" },
  ]));
}

/** The ranges in which two digests differ. */
export function differingRanges(one: Digest, other: Digest): string[] {
  return allRanges(one, other).filter((range) => {
    const [first, second] = [one.get(range), other.get(range)];
    return first?.rows !== second?.rows || first?.hash !== second?.hash;
  });
}

/** Every range that one of two digests has. */
export function allRanges(one: Digest, other: Digest): string[] {
  return [...new Set([...one.keys(), ...other.keys()])];
}

/**
 * SQL for the rows of some ranges: the key as both engines write it, as people
 * read it, and the row's hash.
 */
export function rowsOfRangesSql(
  { sql, key, engine }: HashedRows,
  ranges: readonly string[],
): string {
  return `select ${rowTextSql(key, engine)} as row_key,
      ${shownSql(key)} as shown, row_hash
    from (${sql}) as hashed
    where cast(${rangeSql(key, engine)} as varchar)
      in (${ranges.map(quoteText).join(", ")})`;
}

function shownSql(key: readonly HashedColumn[]): string {
  const texts = key.map(({ name }) => `cast(${quoteName(name)} as varchar)`);
  const shown = texts.length === 1
    ? texts.join()
    : `concat('[', concat_ws(', ', ${texts.join(", ")}), ']')`;
  return `left(${shown}, ${SHOWN_CHARACTERS})`;
}
