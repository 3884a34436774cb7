import type pg from "pg";
import { escapedName, unescapedName } from "../lib/batches/escaped_name.ts";
import { StageError } from "../lib/errors.ts";
import { query } from "../lib/postgres/postgres.ts";
import type { SourceName } from "../lib/project/source_names.ts";
import definitionsSql from "./definitions.sql" with { type: "text" };
import type { LiveTable } from "./live_table.ts";
import type { Snapshot } from "./snapshot.ts";

/** A catalogue entry that decides how a column's values are printed. */
export interface Definition {
  column: string;
  /** A change in any but `names` (of objects) can be detected. */
  kind: "label" | "attributes" | "cast" | "expression" | "setting" | "names";
  /** Object ids and hashes; for `names`, the type. */
  definition: string;
}

/** Reads the definitions behind the columns of tables, by what to call them. */
export async function readDefinitions(
  client: pg.Client,
  tables: ReadonlyMap<string, SourceName>,
  options: {
    /** Whether those of kind `expression` are read, which waits for locks. */
    expressions: boolean;
  },
): Promise<Map<string, Definition[]>> {
  const rows = await query(client, definitionsSql, [
    ...wantedTables(tables),
    String(options.expressions),
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

/** The parameters of queries of the catalogue: schemas, names, what to call them. */
export function wantedTables(
  tables: ReadonlyMap<string, SourceName>,
): string[][] {
  const places = [...tables.values()];
  return [
    places.map(({ schema }) => schema),
    places.map(({ name }) => name),
    [...tables.keys()],
  ];
}

/**
 * The first column whose values are printed by other definitions than before;
 * undefined if there is none. A label added to an enum changes no value. A
 * manifest made before definitions were kept has none to compare.
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

/** The definitions of these columns, as a table's manifest keeps them. */
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
 * definitions now than in the snapshot: PostgreSQL always prints them by the
 * definitions in force, whatever the snapshot, so some rows read meanwhile may
 * show the new ones. Gives whether it could compare: not without a connection
 * beside those of the snapshot, which `use` gives to the work.
 */
export async function checkDefinitions(
  use: Snapshot["useSecond"],
  options: { live: readonly LiveTable[] },
): Promise<boolean> {
  const live = options.live.filter(({ definitions }) => definitions.length > 0);
  if (live.length === 0) return true;
  const found = await use((client) =>
    readDefinitions(
      client,
      new Map(live.map(({ contract, source }) => [contract.name, source])),
      { expressions: true },
    )
  );
  if (found === undefined) return false;
  for (const { contract: { name, columns }, definitions } of live) {
    const known = new Set(columns.map((column) => column.name));
    const now = definitionLines(found.get(name) ?? [], known);
    const column = redefinedColumn(definitions, now);
    if (column === undefined) continue;
    throw new StageError(
      `Cannot read "${name}": a label, type or expression that prints its column "${column}" changed meanwhile`,
      {
        subject: name,
        retryable: true,
        hint:
          "Nothing was committed. Run extract again: the batch will show the change in every row",
      },
    );
  }
  return true;
}
