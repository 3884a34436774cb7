import type { WantedIndex } from "../tables/wanted_indexes.ts";

/** The indexes of the pipeline's own tables, as their migrations make them. */
export const ENGINE_INDEXES: readonly WantedIndex[] = [
  of("batch", "primary", "batch"),
  of("batch", "plain", "loaded_at"),
  of("batch", "plain", "snapshot_time", "batch"),
  of("batch_file", "primary", "batch", "key"),
  of("check_result", "primary", "check_name"),
  of("failure", "primary", "stage"),
  of("finding", "plain", "batch"),
  of("finding", "plain", "check_name"),
  of("migration", "primary", "name"),
  of("verification", "primary", "batch", "model", "place"),
];

function of(
  table: string,
  kind: WantedIndex["kind"],
  ...columns: string[]
): WantedIndex {
  return { schema: "pipeline", table, columns, kind, rows: null };
}
