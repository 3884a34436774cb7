import type { TextRow } from "../../lib/sql/quote.ts";

/** A foreign key of one column. */
export interface Reference {
  constraint: string;
  column: string;
  dimension: string;
  dimensionKey: string;
}

/** A foreign key of a model's table. */
export interface ModelReference extends Reference {
  model: string;
}

/** The foreign key in a row of the catalogue's queries. */
export function referenceOf(row: TextRow): Reference {
  return {
    constraint: row.constraint_name ?? "",
    column: row.column_name ?? "",
    dimension: row.dimension ?? "",
    dimensionKey: row.dimension_key ?? "",
  };
}

/** The same, with the model whose table has it. */
export function modelReferenceOf(row: TextRow): ModelReference {
  return { model: row.model ?? "", ...referenceOf(row) };
}
