import {
  type DeclaredColumn,
  NAME,
  NO_COLUMN,
  plainName,
  readColumn,
  readKey,
  splitSql,
  untilBracket,
} from "./ddl_text.ts";
import type { SqlFile } from "./project_sql.ts";

/** Columns by table and by name, both as PostgreSQL stores names. */
export type DeclaredTables = ReadonlyMap<
  string,
  ReadonlyMap<string, DeclaredColumn>
>;

/** A table of the schema `public`, which holds the warehouse's own. */
const TABLE = String.raw`(?:(?:public|"public")\s*\.\s*)?(${NAME})`;
const CREATE = new RegExp(
  `^create\\s+(?:unlogged\\s+)?table\\s+(?:if\\s+not\\s+exists\\s+)?${TABLE}\\s*\\((.*)$`,
  "isu",
);
const ALTER = new RegExp(
  `^alter\\s+table\\s+(?:if\\s+exists\\s+)?(?:only\\s+)?${TABLE}\\s+(.*)$`,
  "isu",
);
const DROP = /^drop\s+table\s+(?:if\s+exists\s+)?(.*)$/is;
const DROPPED = new RegExp(`^${TABLE}(?:\\s+(?:cascade|restrict))?$`, "isu");
const ACTIONS: readonly [
  RegExp,
  (
    columns: Map<string, DeclaredColumn>,
    found: { name: string; rest: string },
  ) => void,
][] = [
  [
    action(
      `add\\s+(?:column\\s+)?(?:if\\s+not\\s+exists\\s+)?(?<name>${NAME})\\s+(?<rest>.*)`,
    ),
    (columns, { name, rest }) => columns.set(name, readColumn(rest)),
  ],
  [
    action(`drop\\s+(?:column\\s+)?(?:if\\s+exists\\s+)?(?<name>${NAME}).*`),
    (columns, { name }) => columns.delete(name),
  ],
  [
    action(
      `alter\\s+(?:column\\s+)?(?<name>${NAME})\\s+(?<rest>(?:set|drop)\\s+not\\s+null)`,
    ),
    (columns, { name, rest }) =>
      change(columns, name, { notNull: /^set/i.test(rest) }),
  ],
  [
    action(
      `alter\\s+(?:column\\s+)?(?<name>${NAME})\\s+(?:set\\s+data\\s+)?type\\s+(?<rest>.*)`,
    ),
    (columns, { name, rest }) =>
      change(columns, name, { type: readColumn(rest).type }),
  ],
  [
    action(
      `rename\\s+(?:column\\s+)?(?<name>${NAME})\\s+to\\s+(?<rest>${NAME})`,
    ),
    (columns, { name, rest }) => {
      const column = columns.get(name);
      columns.delete(name);
      if (column !== undefined) columns.set(plainName(rest), column);
    },
  ],
];

/**
 * Reads the tables that migrations create by plain `create table` and `alter
 * table`, in order. Changes by other means, such as a `do` block, and tables of
 * other schemas are ignored.
 */
export function readDeclaredTables(
  migrations: readonly SqlFile[],
): DeclaredTables {
  const tables = new Map<string, Map<string, DeclaredColumn>>();
  for (
    const statement of migrations.flatMap(({ text }) => splitSql(text, ";"))
  ) {
    const [, created, rest = ""] = CREATE.exec(statement) ?? [];
    if (created !== undefined) tables.set(plainName(created), readTable(rest));
    const [, dropped = ""] = DROP.exec(statement) ?? [];
    for (const table of splitSql(dropped, ",")) {
      const [, gone] = DROPPED.exec(table) ?? [];
      if (gone !== undefined) tables.delete(plainName(gone));
    }
    const [, altered, actions = ""] = ALTER.exec(statement) ?? [];
    if (altered === undefined) continue;
    const name = plainName(altered);
    const [, renamed] = action(`rename\\s+to\\s+(${NAME})`).exec(actions) ?? [];
    const columns = tables.get(name);
    if (columns === undefined) continue;
    if (renamed === undefined) alter(columns, actions);
    else {
      tables.delete(name);
      tables.set(plainName(renamed), columns);
    }
  }
  return tables;
}

function readTable(body: string): Map<string, DeclaredColumn> {
  const columns = new Map<string, DeclaredColumn>();
  for (const line of splitSql(untilBracket(body), ",")) {
    markKey(columns, line);
    if (NO_COLUMN.test(line)) continue;
    const [, name, rest = ""] =
      new RegExp(`^(${NAME})\\s+(.*)$`, "su").exec(line) ?? [];
    if (name !== undefined) columns.set(plainName(name), readColumn(rest));
  }
  return columns;
}

function alter(columns: Map<string, DeclaredColumn>, actions: string): void {
  for (const text of splitSql(actions, ",")) {
    if (/^add\s+(?!column\b)/i.test(text)) {
      const added = text.replace(/^add\s+/i, "");
      markKey(columns, added);
      if (NO_COLUMN.test(added)) continue;
    }
    if (/^drop\s+constraint\b/i.test(text)) continue;
    for (const [pattern, apply] of ACTIONS) {
      const { name, rest = "" } = pattern.exec(text)?.groups ?? {};
      if (name === undefined) continue;
      apply(columns, { name: plainName(name), rest });
      break;
    }
  }
}

/** Marks the columns of a primary key: they are never null. */
function markKey(columns: Map<string, DeclaredColumn>, item: string): void {
  const key = readKey(item);
  if (key?.isPrimary !== true) return;
  for (const name of key.names) change(columns, name, { notNull: true });
}

function change(
  columns: Map<string, DeclaredColumn>,
  name: string,
  to: Partial<DeclaredColumn>,
): void {
  const column = columns.get(name);
  if (column !== undefined) columns.set(name, { ...column, ...to });
}

function action(pattern: string): RegExp {
  return new RegExp(`^${pattern}$`, "isu");
}
