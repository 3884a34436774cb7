import type { Column } from "./data_files.ts";

/** The columns that a batch stamps its versions with. */
export const STAMP_COLUMNS: readonly Column[] = [
  { name: "batch", type: "BIGINT" },
  { name: "is_delete", type: "BOOLEAN" },
  { name: "snapshot_time", type: "TIMESTAMP" },
];

/**
 * Columns that a merged file has besides its model's: the batch and the
 * snapshot time until which a version holds, as far as that file knows. They
 * are never null, so "as of batch n" is two comparisons, which DuckDB makes as
 * it reads.
 */
export const HOLDS_UNTIL_COLUMNS: readonly Column[] = [
  { name: "holds_until_batch", type: "BIGINT" },
  { name: "holds_until_time", type: "TIMESTAMP" },
];
