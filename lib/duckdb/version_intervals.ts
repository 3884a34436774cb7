import { quoteNames } from "../sql/quote.ts";

/**
 * DuckDB SQL that gives the versions of a model's files their intervals:
 * `from_batch` and `valid_from` come from their own batch, `to_batch` and
 * `valid_to` from the next version of the same key, and are null while there is
 * none. Deletes are included, as rows with `is_delete`.
 */
export function versionIntervalsSql(
  versions: string,
  key: readonly string[],
): string {
  return `select * exclude (batch, snapshot_time), batch as from_batch,
      snapshot_time as valid_from, lead(batch) over versions as to_batch,
      lead(snapshot_time) over versions as valid_to
    from ${versions}
    window versions as (partition by ${quoteNames(key)} order by batch)`;
}
