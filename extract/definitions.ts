import type pg from "pg";
import { escapedName, unescapedName } from "../lib/batches/escaped_name.ts";
import { StageError } from "../lib/errors.ts";
import { query } from "../lib/postgres/postgres.ts";
import definitionsSql from "./definitions.sql" with { type: "text" };
import type { LiveTable } from "./live_table.ts";
import type { Snapshot } from "./snapshot.ts";

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
  options: { schemas: readonly string[]; tables: readonly string[] },
): Promise<Map<string, Definition[]>> {
  const rows = await query(client, definitionsSql, [
    options.schemas,
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
  const [column] = changed[0]?.split(" ") ?? [];
  return column === undefined ? undefined : unescapedName(column);
}

/** Definitions of a table as its manifest keeps them, of these columns. */
export function definitionLines(
  definitions: readonly Definition[],
  columns: ReadonlySet<string>,
): string[] {
  return definitions.filter(({ column }) => columns.has(column))
    .map(({ column, kind, definition }) =>
      `${escapedName(column)} ${kind} ${definition}`
    );
}

/**
 * Throws a `StageError` when the values of a table are printed by other
 * definitions now than in the snapshot: PostgreSQL prints them by those that
 * are in force, whatever the snapshot, so that some of the rows that were read
 * meanwhile may show the new ones. Where no connection sees what is active,
 * the next batch is left to mend it.
 */
export async function checkDefinitions(
  snapshot: Snapshot,
  options: { live: readonly LiveTable[] },
): Promise<void> {
  const live = options.live.filter(({ definitions }) => definitions.length > 0);
  if (live.length === 0) return;
  const found = await snapshot.inForce((client) =>
    readDefinitions(client, {
      schemas: live.map(({ schema }) => schema),
      tables: live.map(({ contract }) => contract.name),
    })
  );
  if (found === undefined) return;
  for (const { contract: { name, columns }, definitions } of live) {
    const known = new Set(columns.map((column) => column.name));
    const now = definitionLines(found.get(name) ?? [], known);
    const column = redefinedColumn(definitions, now);
    if (column === undefined) continue;
    throw new StageError(
      `Cannot read "${name}": while it was read, a label, a type or an expression was changed by which "${column}" is printed`,
      {
        subject: name,
        retryable: true,
        hint:
          "Nothing was committed. Run extract again: a batch shows the change in every row",
      },
    );
  }
}
