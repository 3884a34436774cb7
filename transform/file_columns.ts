import { columnsHash } from "../lib/data_files.ts";
import { quoteName } from "../lib/postgres.ts";
import type { ModelColumn } from "./model_changes.ts";

/**
 * SQL for the types that these columns have in a relation, as one aggregate
 * over it: a file may have stored another type than its model gives.
 */
export function fileColumnsSql(columns: readonly ModelColumn[]): string {
  const types = columns.map(({ name }) => `typeof(${quoteName(name)})`);
  return `to_json(any_value([${types.join(", ")}]))`;
}

/** The hash of those columns, from what that aggregate gave. */
export function fileColumnsHash(
  columns: readonly ModelColumn[],
  types: string | null | undefined,
): string {
  const found: string[] = JSON.parse(types ?? "[]");
  return columnsHash(
    columns.map(({ name }, index) => ({ name, type: found[index] ?? "" })),
  );
}
