/** The indexes of the pipeline's own tables, as their migrations make them. */
export const ENGINE_INDEXES: readonly {
  table: string;
  kind: "primary" | "plain";
  columns: readonly string[];
}[] = [
  { table: "batch", kind: "primary", columns: ["batch"] },
  { table: "batch", kind: "plain", columns: ["loaded_at"] },
  { table: "batch", kind: "plain", columns: ["snapshot_time", "batch"] },
  { table: "batch_file", kind: "primary", columns: ["batch", "key"] },
  { table: "check_result", kind: "primary", columns: ["check_name"] },
  { table: "failure", kind: "primary", columns: ["stage"] },
  { table: "finding", kind: "plain", columns: ["batch"] },
  { table: "finding", kind: "plain", columns: ["check_name"] },
  { table: "migration", kind: "primary", columns: ["name"] },
  {
    table: "verification",
    kind: "primary",
    columns: ["batch", "model", "place"],
  },
];
