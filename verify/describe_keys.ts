import type { Comparison } from "./compare_models.ts";

/**
 * The differing columns, views and keys of a comparison, and how each differs.
 */
export function describeKeys(
  { columns, views, firstKeys }: Comparison,
): string {
  return [
    ...views.map((view) => `${view} is not as load makes it`),
    ...columns.map(({ column, kind }) => `column "${column}" ${kind}`),
    ...firstKeys.map(({ key, kind }) => `${key} ${kind}`),
  ].join(", ");
}
