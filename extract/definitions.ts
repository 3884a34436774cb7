import type pg from "pg";
import { query } from "../lib/postgres.ts";
import definitionsSql from "./definitions.sql" with { type: "text" };

/** What the values of a column are printed by, beside what the rows hold. */
export interface Definition {
  column: string;
  /** What can be told to have changed; `names` of objects can't be. */
  kind: "label" | "attributes" | "cast" | "expression" | "setting" | "names";
  /** Object ids and hashes; of `names`, the type. */
  definition: string;
}

/** Reads the definitions behind the columns of tables, by table. */
export async function readDefinitions(
  client: pg.Client,
  options: { schema: string; tables: readonly string[] },
): Promise<Map<string, Definition[]>> {
  const rows = await query(client, definitionsSql, [
    options.schema,
    options.tables,
  ]);
  const found = new Map<string, Definition[]>();
  for (const row of rows) {
    const table = row.table_name ?? "";
    const definitions = found.get(table) ?? [];
    found.set(table, definitions);
    definitions.push({
      column: row.column_name ?? "",
      kind: (row.kind ?? "names") as Definition["kind"],
      definition: row.definition ?? "",
    });
  }
  return found;
}

/**
 * The column whose values are printed by other definitions than before;
 * undefined when there is none. A label that an enum has gained changes no
 * value. A manifest made before definitions were kept has none to compare.
 */
export function redefinedColumn(
  before: readonly string[] | undefined,
  now: readonly string[],
): string | undefined {
  const kind = (line: string) => line.split(" ")[1];
  const changed = before === undefined
    // Before they were kept, each session printed money in its own way.
    ? now.filter((line) => kind(line) === "setting")
    : [
      ...before.filter((line) => !now.includes(line)),
      ...now.filter((line) => kind(line) !== "label" && !before.includes(line)),
    ];
  return changed[0]?.split(" ")[0];
}
