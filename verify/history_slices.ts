import type { DuckDb } from "../lib/duckdb/duckdb.ts";
import { ENDED_IN_LAKE } from "./lake_rows.ts";
import { ENDED_IN_WAREHOUSE } from "./warehouse_rows.ts";

/** Ended versions, of both sides together, that are compared at once. */
const VERSIONS_AT_ONCE = 100_000;
/** Each slice reads the batches of all versions again. */
const SLICES_MAX = 64;

/**
 * Divides the ended versions of a model into ranges of the batches in which
 * they began, so that comparing them takes memory for one range, however long
 * the history is. Gives a condition for each; no batch is divided.
 * `versionsMax` is a bound, known without a query, on the versions of both
 * sides: a short history is one range.
 */
export async function historySlices(
  duckdb: DuckDb,
  { versionsMax }: { versionsMax: number },
): Promise<string[]> {
  if (versionsMax <= VERSIONS_AT_ONCE) return ["true"];
  const slices = await duckdb.rows(
    `select min(from_batch) as start from (
      select from_batch, (sum(versions) over batches - versions) // greatest(
        ${VERSIONS_AT_ONCE}, sum(versions) over () // ${SLICES_MAX} + 1
      ) as slice
      from (
        select from_batch, count(*) as versions from (
          select from_batch from ${ENDED_IN_LAKE}
          union all select from_batch from ${ENDED_IN_WAREHOUSE}
        ) where from_batch is not null group by from_batch
      ) window batches as (order by from_batch)
    ) group by slice order by slice`,
  );
  return slices.map(({ start }, index) => {
    const end = slices[index + 1]?.start;
    const isBefore = end === undefined ? "true" : `from_batch < ${end}`;
    return index === 0
      ? `(from_batch is null or ${isBefore})`
      : `(from_batch >= ${start} and ${isBefore})`;
  });
}
