import type { Column } from "../../lib/duckdb/data_files.ts";
import { quoteNames } from "../../lib/sql/quote.ts";

/** Marks a version that no other in its file follows. */
const NO_BATCH = "9223372036854775807";
const NO_TIME = "'infinity'::timestamp";

/** The last batch and time that someone may ask for: those above are later. */
const LAST_BATCH = "9223372036854775806";
const LAST_TIME = `make_timestamp(${LAST_BATCH})`;

/** SQL for the condition that a version still holds at the end of its file. */
export const HOLDS_IN_FILE = `holds_until_batch = ${NO_BATCH}`;

/**
 * SQL for versions with these columns and until when each holds among the
 * others of its key. A delete never holds. A clock may have been set back
 * between two batches: the order of the batches counts.
 */
export function holdsUntilSql(
  versions: string,
  options: { columns: readonly Column[]; key: readonly string[] },
): string {
  const names = quoteNames(options.columns.map(({ name }) => name));
  const later = (frame: string) =>
    `over (partition by ${quoteNames(options.key)}
      order by batch, is_delete ${frame})`;
  return `select ${names},
      case when is_delete then batch
        else coalesce(lead(batch) ${later("")}, ${NO_BATCH})
      end as holds_until_batch,
      case when is_delete then snapshot_time else coalesce(
        min(snapshot_time) ${
    later("rows between 1 following and unbounded following")
  }, ${NO_TIME})
      end as holds_until_time
    from ${versions}`;
}

/**
 * SQL for the order of versions in a file: those that hold at its end, then the
 * others, both by key and batch. Parquet's statistics then let a reader of the
 * current rows skip most others, however long the history.
 */
export function fileOrderSql(key: readonly string[]): string {
  return `${HOLDS_IN_FILE} desc, ${quoteNames([...key, "batch"])}`;
}

/** SQL for the number of keys whose last version isn't a delete. */
export function countHeldSql(versions: string, key: readonly string[]): string {
  return `select count(*) as held from (
    select 1 from ${versions} group by ${quoteNames(key)}
    having not arg_max(is_delete, (batch, is_delete)))`;
}

/** Which versions of a model hold: after the newest batch, or as of a moment. */
export interface AsOf {
  /** The condition for versions that existed by then. */
  made: string;
  /** The condition for those without a later version in their file by then. */
  holds: string;
}

/** The versions that hold after the newest batch. */
export const NOW: AsOf = { made: "true", holds: HOLDS_IN_FILE };

/** The versions that held as of a batch, given as SQL. */
export function asOfBatch(batch: string): AsOf {
  return {
    made: `batch <= ${batch}`,
    holds: `holds_until_batch > least(${batch}, ${LAST_BATCH})`,
  };
}

/** The versions that held as of a time without a zone, in UTC, given as SQL. */
export function asOfTime(time: string): AsOf {
  return {
    made: `snapshot_time <= ${time}`,
    holds: `holds_until_time > least(${time}, ${LAST_TIME})`,
  };
}

/** Whether versions are identified by this key, in the order of its columns. */
export function isSameKey(
  one: readonly string[] | undefined,
  other: readonly string[],
): boolean {
  return one !== undefined && one.length === other.length &&
    one.every((name, index) => name === other[index]);
}
