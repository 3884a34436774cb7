import type { SqlFile } from "./project_sql.ts";

/** A column of the warehouse as its migrations declare it. */
export interface DeclaredColumn {
  /** Lower case, single blanks; with what stands in its brackets. */
  type: string;
  notNull: boolean;
}

/** By table, by column, both as PostgreSQL keeps them. */
export type DeclaredTables = ReadonlyMap<
  string,
  ReadonlyMap<string, DeclaredColumn>
>;

const NAME = String.raw`(?:"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*)`;
/** A table of the schema that the warehouse's own are in. */
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
/** A comment, a text, a quoted name, or else one character. */
const TOKENS =
  /--[^\n]*|\/\*[\s\S]*?\*\/|(\$[\p{L}_]*\$)[\s\S]*?\1|'(?:[^']|'')*'|"(?:[^"]|"")*"|[\s\S]/gu;
/** What begins a line of a table that is no column. */
const NO_COLUMN =
  /^(?:primary\s+key|unique|check|foreign\s+key|constraint|exclude|like)\b/i;
/** What may follow a column's type. */
const AFTER_TYPE =
  /\s+(?:not\s+null|null|default|primary\s+key|unique|check|references|generated|constraint|collate|using|storage|compression)\b/i;
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
      if (column !== undefined) columns.set(plain(rest), column);
    },
  ],
];

/**
 * Reads the tables that migrations make by plain `create table` and `alter
 * table`, in order. What they do by other means, such as a `do` block, and
 * tables of other schemas are left out.
 */
export function readDeclaredTables(
  migrations: readonly SqlFile[],
): DeclaredTables {
  const tables = new Map<string, Map<string, DeclaredColumn>>();
  for (const statement of migrations.flatMap(({ text }) => split(text, ";"))) {
    const [, created, rest = ""] = CREATE.exec(statement) ?? [];
    if (created !== undefined) tables.set(plain(created), readTable(rest));
    const [, dropped = ""] = DROP.exec(statement) ?? [];
    for (const table of split(dropped, ",")) {
      const [, gone] = DROPPED.exec(table) ?? [];
      if (gone !== undefined) tables.delete(plain(gone));
    }
    const [, altered, actions = ""] = ALTER.exec(statement) ?? [];
    if (altered === undefined) continue;
    const name = plain(altered);
    const [, renamed] = action(`rename\\s+to\\s+(${NAME})`).exec(actions) ?? [];
    const columns = tables.get(name);
    if (columns === undefined) continue;
    if (renamed === undefined) alter(columns, actions);
    else {
      tables.delete(name);
      tables.set(plain(renamed), columns);
    }
  }
  return tables;
}

function readTable(body: string): Map<string, DeclaredColumn> {
  const columns = new Map<string, DeclaredColumn>();
  for (const line of split(untilBracket(body), ",")) {
    const [, keys] = /primary\s+key\s*\(([^)]*)\)/i.exec(line) ?? [];
    for (const key of keys?.split(",") ?? []) {
      change(columns, plain(key.trim()), { notNull: true });
    }
    if (NO_COLUMN.test(line)) continue;
    const [, name, rest = ""] =
      new RegExp(`^(${NAME})\\s+(.*)$`, "su").exec(line) ?? [];
    if (name !== undefined) columns.set(plain(name), readColumn(rest));
  }
  return columns;
}

function alter(columns: Map<string, DeclaredColumn>, actions: string): void {
  for (const text of split(actions, ",")) {
    if (/^add\s+(?!column\b)/i.test(text)) {
      const added = text.replace(/^add\s+/i, "");
      const [, keys] = /primary\s+key\s*\(([^)]*)\)/i.exec(added) ?? [];
      for (const key of keys?.split(",") ?? []) {
        change(columns, plain(key.trim()), { notNull: true });
      }
      if (NO_COLUMN.test(added)) continue;
    }
    if (/^drop\s+constraint\b/i.test(text)) continue;
    for (const [pattern, apply] of ACTIONS) {
      const { name, rest = "" } = pattern.exec(text)?.groups ?? {};
      if (name === undefined) continue;
      apply(columns, { name: plain(name), rest });
      break;
    }
  }
}

function readColumn(rest: string): DeclaredColumn {
  const end = AFTER_TYPE.exec(` ${rest}`)?.index ?? rest.length + 1;
  return {
    type: ` ${rest}`.slice(0, end).trim().toLowerCase()
      .replace(/\s+/g, " ").replace(/\s*([(),])\s*/g, "$1"),
    notNull: /\bnot\s+null\b|\bprimary\s+key\b/i.test(rest),
  };
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

/** A name as PostgreSQL keeps it. */
function plain(name: string): string {
  return name.startsWith('"')
    ? name.slice(1, -1).replaceAll('""', '"')
    : name.toLowerCase();
}

/** What stands before the bracket that closes one opened before it. */
function untilBracket(sql: string): string {
  let depth = 1;
  for (const { 0: token, index } of sql.matchAll(TOKENS)) {
    depth += token === "(" ? 1 : token === ")" ? -1 : 0;
    if (depth === 0) return sql.slice(0, index);
  }
  return sql;
}

/** What stands between separators outside of brackets, texts and comments. */
function split(sql: string, separator: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const [token] of sql.matchAll(TOKENS)) {
    if (token.startsWith("--") || token.startsWith("/*")) continue;
    if (token === "(") depth++;
    if (token === ")") depth--;
    if (token === separator && depth === 0) parts.push("");
    else parts.push((parts.pop() ?? "") + token);
  }
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}
