import { quoteNames } from "../postgres/postgres.ts";

/**
 * DuckDB SQL that gives the versions of a model's files their intervals:
 * `from_batch`, `valid_from` of their own batch, `to_batch`, `valid_to` of the
 * one that follows for the same key; null while they hold. Deletes are among
 * them, as rows with `is_delete`.
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
