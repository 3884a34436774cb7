import type { DataFile, KeyRange } from "../../lib/batches/manifest.ts";
import type { Column } from "../../lib/duckdb/data_files.ts";
import { quoteName, type TextRow } from "../../lib/sql/quote.ts";

const INTEGER = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT)$/;

/**
 * SQL for the range of a key's first column in versions, as one aggregate:
 * null unless that is an integer, which no version lacks.
 */
export function keyRangeSql(
  key: readonly string[],
  columns: readonly Column[],
): string {
  const [column = ""] = key;
  const type = columns.find(({ name }) => name === column)?.type ?? "";
  if (!INTEGER.test(type)) return "null";
  const name = quoteName(column);
  return `case when count(*) = count(${name})
    then concat_ws(' ', min(${name}), max(${name})) end`;
}

/** The range that `keyRangeSql` found, to be spread into a file's entry. */
export function foundKeyRange(
  found: TextRow[string] | undefined,
  [column = ""]: readonly string[],
): Pick<DataFile, "keyRange"> {
  const [least, greatest] = found?.split(" ") ?? [];
  return least === undefined || greatest === undefined
    ? {}
    : { keyRange: { column, least, greatest } };
}

/** The range of several files, if each notes that of this key. */
export function joinedRange(
  files: readonly Pick<DataFile, "keyRange">[],
  [column]: readonly string[],
): KeyRange | undefined {
  let joined: KeyRange | undefined;
  for (const { keyRange } of files) {
    if (keyRange === undefined || keyRange.column !== column) return undefined;
    const { least, greatest } = joined ?? keyRange;
    joined = {
      column,
      least: lesser(least, keyRange.least) ? least : keyRange.least,
      greatest: lesser(greatest, keyRange.greatest)
        ? keyRange.greatest
        : greatest,
    };
  }
  return joined;
}

function lesser(one: string, other: string): boolean {
  return BigInt(one) < BigInt(other);
}
