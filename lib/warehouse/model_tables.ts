import type { Model } from "../project/model.ts";

/** The name of the table with a dimension's older versions. */
export function closedTable(name: string): string {
  return `${name}_closed`;
}

/** The names of a model's tables in the warehouse: a dimension has two. */
export function tablesOf(
  { name, kind }: Pick<Model, "name" | "kind">,
): string[] {
  return kind === "fact" ? [name] : [name, closedTable(name)];
}
