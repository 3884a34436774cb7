import { ENGINE_INDEXES } from "../schema/engine_indexes.ts";
import { closedTable } from "../../lib/warehouse/model_tables.ts";
import type { DerivedModel } from "./derived_table_sql.ts";

/** An index that a table is to have, whatever its name. */
export interface WantedIndex {
  schema: string | null;
  table: string;
  columns: readonly string[];
  kind: "primary" | "unique" | "plain";
  /** Which rows it covers, as `pg_get_expr` writes it; null for all. */
  rows: string | null;
}

const OPEN = "(to_batch IS NULL)";
const ENDED = "(to_batch IS NOT NULL)";

/**
 * The indexes of the pipeline's own tables and of all tables derived from
 * models, but for the primary keys of dimensions, without which load stops, and
 * for those of their older versions by batch, which load makes again.
 */
export function wantedIndexes(
  models: readonly DerivedModel[],
  isDerived: (model: DerivedModel) => boolean,
): WantedIndex[] {
  return [
    ...ENGINE_INDEXES.map(({ table, kind, columns }) => ({
      ...index(table, kind, columns),
      schema: "pipeline",
    })),
    ...models.filter(isDerived).flatMap(keysOf),
  ];
}

function keysOf(model: DerivedModel): WantedIndex[] {
  const { name, kind, key, recordId = "record_id" } = model;
  const ofVersions = [...key, "from_batch"];
  if (kind === "dimension") {
    return [index(closedTable(name), "primary", ofVersions)];
  }
  return [
    index(name, "primary", [recordId]),
    index(name, "unique", key, OPEN),
    index(name, "unique", ofVersions),
    index(name, "plain", ["from_batch"]),
    index(name, "plain", ["to_batch"], ENDED),
  ];
}

function index(
  table: string,
  kind: WantedIndex["kind"],
  columns: readonly string[],
  rows: string | null = null,
): WantedIndex {
  return { schema: null, table, columns, kind, rows };
}
