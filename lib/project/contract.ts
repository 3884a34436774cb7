import { ConfigError } from "../errors.ts";
import { type ColumnType, contractType } from "./contract_types.ts";
import {
  type DeclaredKey,
  NAME,
  NO_COLUMN,
  plainName,
  readColumn,
  readColumnKey,
  readKey,
  splitSql,
  untilBracket,
  withoutProse,
} from "./ddl_text.ts";
import { isOtherObject, withoutBodies } from "./dump_statements.ts";
import { namedApart, sharedNames } from "./source_names.ts";
import { withoutComments } from "./tables_read.ts";
import { foldName } from "../sql/fold_name.ts";

/** A column of the contract. */
export interface ContractColumn {
  name: string;
  type: ColumnType;
  notNull: boolean;
  /** The live type that a text column is carried from, if it isn't text. */
  carriedFrom?: string;
}

/** A source table of the contract. */
export interface ContractTable {
  /** Its name in the lake and in models; see `tableNames`. */
  name: string;
  /** Its name in the source, if that is another one. */
  sourceName?: string;
  /** Its name in the lake and in models, if a comment gives it. */
  readAs?: string;
  /** Its schema if the contract names it; else `SOURCE_SCHEMA`. */
  schema?: string;
  columns: readonly ContractColumn[];
  /** Names of the key's columns, in order. */
  key: readonly string[];
  /** Columns of the source that are deliberately left unread. */
  leftOut?: readonly string[];
}

const CREATE = new RegExp(
  `^create\\s+(?:unlogged\\s+)?table\\s+(?:if\\s+not\\s+exists\\s+)?(?:(${NAME})\\s*\\.\\s*)?(${NAME})\\s*\\((.*)$`,
  "isu",
);
const ALTER = new RegExp(
  `^alter\\s+table\\s+(?:if\\s+exists\\s+)?(?:only\\s+)?(?:(${NAME})\\s*\\.\\s*)?(${NAME})\\s+(.*)$`,
  "isu",
);
const ATTACH = new RegExp(
  `^alter\\s+table\\s+(?:only\\s+)?(?:(${NAME})\\s*\\.\\s*)?(${NAME})\\s+attach\\s+partition\\s+(?:(${NAME})\\s*\\.\\s*)?(${NAME})`,
  "isu",
);
const COLUMN = new RegExp(`^(${NAME})\\s+(.*)$`, "su");
/** A comment that names the type that a column is carried from. */
export const CARRIED = /^[ \t]*--[ \t]*carried from[ \t]+(.+?)[ \t]*$/gm;
const LEAVES_OUT = /^[ \t]*--[ \t]*leaves out:[ \t]*(.+?)[ \t]*$/gm;
/** A comment that gives the name of a table in models: its first line inside. */
export const READ_AS =
  /^((?![ \t]*--).*\([ \t]*\n[ \t]*)--[ \t]*read as:[ \t]*(.+?)[ \t]*$/gm;
const READ_AS_MARK = /^\s*\uE001(\d+)\uE001/;
const ONE_NAME = new RegExp(`^${NAME}$`, "u");
/** Replaces such a comment: before a column, the type it is carried from. */
const CARRIED_MARK = /^\uE000([^\uE000]*)\uE000\s*(.*)$/s;
export const IMPOSSIBLE_NAME = /^\s|\p{Cc}/u;

/**
 * Reads the contract with the source: its tables in the form of `create table`
 * or `pg_dump --schema-only`, each with a primary key, or columns that are
 * unique and not null. Other statements of a dump are skipped, and a table that
 * is attached to another of the contract as a partition, whose rows are read
 * with the other's. A type whose
 * values PostgreSQL and DuckDB don't both hold is carried as text. A comment
 * `-- carried from <type>` before a text column declares that; one
 * `-- leaves out: a, b` in a table names columns that are deliberately left
 * unread; one `-- read as: name`, as the first line in a table's brackets, gives
 * its name in models. Throws a `ConfigError` for anything that can't be read.
 */
export function parseContract(sql: string): ContractTable[] {
  const problems: string[] = [];
  const declared: ContractTable[] = [];
  const statements = withoutBodies(splitSql(sql, ";", { comments: true }));
  for (const statement of statements) {
    readStatement(statement, { tables: declared, problems });
  }
  const partitions = partitionsIn(statements, declared);
  const tables = namedApart(
    declared.filter((table) => !partitions.has(table)),
  );
  for (const table of tables) problems.push(...tableProblems(table));
  problems.push(...sharedNames(tables));
  if (problems.length > 0) {
    throw new ConfigError(
      problems,
      "Correct sql/source.sql: docs/your-database.md shows what it may hold",
    );
  }
  return tables;
}

/** The tables that are partitions of others in the contract. */
function partitionsIn(
  statements: readonly string[],
  tables: readonly ContractTable[],
): Set<ContractTable> {
  const partitions = new Set<ContractTable>();
  for (const statement of statements) {
    const [attached, ...names] = ATTACH.exec(withoutComments(statement)) ?? [];
    if (attached === undefined) continue;
    const [parentSchema, parent, schema, name] = names.map((one) =>
      one === undefined ? undefined : plainName(one)
    );
    const whole = tables.find((one) =>
      one.name === parent && one.schema === parentSchema
    );
    const partition = tables.find((one) =>
      one.name === name && one.schema === schema
    );
    if (whole !== undefined && partition !== undefined) {
      partitions.add(partition);
    }
  }
  return partitions;
}

function readStatement(
  statement: string,
  found: { tables: ContractTable[]; problems: string[] },
): void {
  const namings: string[] = [];
  const mark = (_: string, before: string, name: string) =>
    `${before}\uE001${namings.push(name) - 1}\uE001`;
  const marked = withoutProse(statement).replaceAll(READ_AS, mark)
    .replaceAll(CARRIED, "\uE000$1\uE000");
  const text = withoutComments(marked);
  const [, schema, name = "", body = ""] = CREATE.exec(text) ?? [];
  if (name !== "") {
    const called = plainName(name);
    const [naming = "", place] = READ_AS_MARK.exec(body) ?? [];
    const readAs = namings[Number(place)];
    if (readAs !== undefined && !ONE_NAME.test(readAs)) {
      found.problems.push(
        `Contract: "${called}": "-- read as: ${readAs}" gives no name: write one, in quotes if it has other signs than letters, digits and _`,
      );
    }
    const { columns, key } = readBody(body.slice(naming.length).trimStart(), {
      table: called,
      problems: found.problems,
    });
    const leftOut = [...statement.matchAll(LEAVES_OUT)]
      .flatMap(([, names = ""]) => namesOf(names));
    found.tables.push({
      name: called,
      ...schema === undefined ? {} : { schema: plainName(schema) },
      columns,
      key,
      ...leftOut.length === 0 ? {} : { leftOut },
      ...readAs === undefined ? {} : { readAs: plainName(readAs) },
    });
    return;
  }
  const [, keySchema, keyTable, actions = ""] = ALTER.exec(text) ?? [];
  const keys = splitSql(actions, ",").flatMap((action) => {
    const [, added] = /^add\s+(.*)$/is.exec(action.trim()) ?? [];
    return added === undefined ? [] : readKey(added) ?? [];
  });
  if (keyTable !== undefined && keys.length > 0) {
    const table = found.tables.find((one) =>
      one.name === plainName(keyTable) &&
      (keySchema === undefined || one.schema === plainName(keySchema))
    );
    for (const key of keys) {
      if (
        table !== undefined && (key.isPrimary || mayBeKey(table, key.names))
      ) {
        table.key = key.names;
      }
    }
  } else if (text !== "" && !isOtherObject(text)) {
    found.problems.push(
      `Contract: not a plain "create table": ${text.slice(0, 60)}`,
    );
  }
}

/** Whether unique columns are the key of a table, which has no other so far. */
function mayBeKey(
  { columns, key }: ContractTable,
  names: readonly string[],
): boolean {
  return key.length === 0 &&
    names.every((name) =>
      columns.some((column) => column.name === name && column.notNull)
    );
}

function readBody(
  body: string,
  options: { table: string; problems: string[] },
): Pick<ContractTable, "columns" | "key"> {
  const columns: ContractColumn[] = [];
  const keys: DeclaredKey[] = [];
  for (const item of splitSql(untilBracket(body), ",")) {
    const [, carriedFrom, marked] = CARRIED_MARK.exec(item) ?? [];
    const text = marked ?? item;
    const key = readKey(text);
    if (key !== undefined) keys.push(key);
    if (NO_COLUMN.test(text)) continue;
    const [, name, rest = ""] = COLUMN.exec(text) ?? [];
    const column = name === undefined
      ? `cannot read the line "${text}"`
      : readContractColumn(plainName(name), { rest, carriedFrom });
    if (typeof column === "string") {
      options.problems.push(`Contract: "${options.table}": ${column}`);
      continue;
    }
    columns.push(column);
    const columnKey = readColumnKey(column.name, rest);
    if (columnKey !== undefined) keys.push(columnKey);
  }
  const isGiven = (name: string) =>
    columns.some((column) => column.name === name && column.notNull);
  const key = keys.find(({ isPrimary }) => isPrimary) ??
    keys.find(({ names }) => names.every(isGiven));
  return { columns, key: key?.names ?? [] };
}

function readContractColumn(
  name: string,
  options: { rest: string; carriedFrom: string | undefined },
): ContractColumn | string {
  const { rest, carriedFrom } = options;
  const { type: written, notNull } = readColumn(rest);
  if (written === "") return `column "${name}" has no type`;
  const { type, carried } = contractType(written);
  if (carriedFrom !== undefined && (type.name !== "text" || carried)) {
    return `column "${name}" is carried from ${carriedFrom}, so it must be text`;
  }
  const from = carriedFrom ?? carried;
  return {
    name,
    type,
    notNull,
    ...(from === undefined ? {} : { carriedFrom: from }),
  };
}

/** Names that extract and transform give columns of their own, beside these. */
export const OWN_NAMES =
  /^(is long|why unreadable|row (key|batch|round|is gone))$/i;

/** Problems of a table as a whole, once each of its lines could be read. */
function tableProblems({ name, columns, key }: ContractTable): string[] {
  const names = columns.map((column) => column.name);
  const lower = names.map(foldName);
  return [
    ...[name, ...names].filter((one) => IMPOSSIBLE_NAME.test(one))
      .map((one) =>
        `"${one}" begins with white space, or has a control character`
      ),
    ...names.filter((one, index) => lower.indexOf(foldName(one)) !== index)
      .map((one) =>
        `column "${one}" is declared twice: to DuckDB, names that differ only in case are the same`
      ),
    ...names.filter((one) => OWN_NAMES.test(one))
      .map((one) =>
        `the pipeline has a column "${one}" of its own: leave it out, or rename it in the source`
      ),
    ...key.filter((one) => !names.includes(one))
      .map((one) => `no column "${one}" for the key`),
    ...key.length === 0
      ? ["no primary key, nor columns that are unique and not null"]
      : [],
  ].map((problem) => `Contract: "${name}": ${problem}`);
}

function namesOf(list: string): string[] {
  return splitSql(list, ",").map(plainName);
}

/** A type in SQL, for Postgres and for DuckDB. */
export function typeSql(type: ColumnType): string {
  return type.name === "numeric"
    ? `numeric(${type.precision},${type.scale})`
    : type.name;
}

/** The table's key column, if the key is a single whole number. */
export function integerKey(table: ContractTable): string | undefined {
  const [first, ...others] = table.key;
  const column = table.columns.find((candidate) => candidate.name === first);
  return others.length === 0 &&
      ["smallint", "integer", "bigint"].includes(column?.type.name ?? "")
    ? first
    : undefined;
}
