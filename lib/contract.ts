import { ConfigError } from "./errors.ts";

/** A column as the contract has it. */
export interface ContractColumn {
  name: string;
  type: ColumnType;
  notNull: boolean;
  /** The live type that a text column is carried from, where it isn't text. */
  carriedFrom?: string;
}

/** A type of the contract, with what stands in its brackets. */
export interface ColumnType {
  name: TypeName;
  /** Precision and scale of a numeric. */
  precision?: number;
  scale?: number;
}

/** A source table as the contract has it. */
export interface ContractTable {
  name: string;
  columns: readonly ContractColumn[];
  /** Names of the key's columns, in order. */
  key: readonly string[];
}

const TYPE_NAMES = [
  "smallint",
  "integer",
  "bigint",
  "numeric",
  "boolean",
  "text",
  "date",
  "timestamp",
  "timestamptz",
  "uuid",
] as const;

/** The types that Postgres and DuckDB hold alike. */
export type TypeName = typeof TYPE_NAMES[number];

const TABLE = /^create table ([a-z_][a-z0-9_]*) \(\n([\s\S]*?)\n\)$/;
const COLUMN =
  /^([a-z_][a-z0-9_]*) ([a-z]+)(?:\((\d+),\s*(\d+)\))?( not null)?$/;
const KEY = /^primary key \(([a-z0-9_, ]+)\)$/;
const CARRIED = /^-- carried from (.+)$/;
const NUMERIC_PRECISION_MAX = 38;

/**
 * Reads the contract with the source: `create table` statements with one
 * column a line, and the primary key as a line of its own. A line
 * `-- carried from <type>` before a text column allows that live type for it.
 * What is not of this form is refused with a `ConfigError`.
 */
export function parseContract(sql: string): ContractTable[] {
  const problems: string[] = [];
  const withoutComments = sql.replace(/^\s*--(?! carried from ).*\n/gm, "");
  const tables = withoutComments.split(";")
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "")
    .map((statement) => parseTable(statement, problems));
  const names = tables.map((table) => table.name);
  for (const name of new Set(names)) {
    if (names.indexOf(name) !== names.lastIndexOf(name)) {
      problems.push(`Contract: the table "${name}" is there twice`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return tables;
}

function parseTable(statement: string, problems: string[]): ContractTable {
  const [, name = "", body = ""] = TABLE.exec(statement) ?? [];
  if (name === "") {
    problems.push(
      `Contract: not a plain "create table": ${statement.slice(0, 60)}`,
    );
    return { name, columns: [], key: [] };
  }
  const columns: ContractColumn[] = [];
  let key: string[] = [];
  let carriedFrom: string | undefined;
  for (const line of body.split(/\n/).map((text) => text.trim())) {
    const text = line.replace(/,$/, "");
    const carried = CARRIED.exec(text);
    const keyLine = KEY.exec(text);
    if (carried !== null) carriedFrom = carried[1];
    else if (keyLine !== null) key = (keyLine[1] ?? "").split(/,\s*/);
    else {
      const column = parseColumn(text, carriedFrom);
      if (typeof column === "string") {
        problems.push(`Contract: "${name}": ${column}`);
      } else columns.push(column);
      carriedFrom = undefined;
    }
  }
  for (const column of key) {
    if (!columns.some((candidate) => candidate.name === column)) {
      problems.push(`Contract: "${name}": no column "${column}" for the key`);
    }
  }
  if (key.length === 0) problems.push(`Contract: "${name}": no primary key`);
  return { name, columns, key };
}

function parseColumn(
  text: string,
  carriedFrom: string | undefined,
): ContractColumn | string {
  const [, name = "", typeName = "", precision, scale, notNull] =
    COLUMN.exec(text) ?? [];
  if (name === "") return `cannot read the line "${text}"`;
  if (!isTypeName(typeName)) {
    return `column "${name}" has the type ${typeName}, which is none of ${
      TYPE_NAMES.join(", ")
    }`;
  }
  const type: ColumnType = { name: typeName };
  if (typeName === "numeric") {
    if (precision === undefined || scale === undefined) {
      return `column "${name}" is numeric without precision and scale, which ` +
        `no engine keeps exactly: give them, or carry it as text`;
    }
    if (Number(precision) > NUMERIC_PRECISION_MAX) {
      return `column "${name}" has more than ${NUMERIC_PRECISION_MAX} digits: carry it as text`;
    }
    type.precision = Number(precision);
    type.scale = Number(scale);
  } else if (precision !== undefined) {
    return `column "${name}" has brackets that ${typeName} does not take`;
  }
  if (carriedFrom !== undefined && typeName !== "text") {
    return `column "${name}" is carried from ${carriedFrom}, so it must be text`;
  }
  return {
    name,
    type,
    notNull: notNull !== undefined,
    ...(carriedFrom === undefined ? {} : { carriedFrom }),
  };
}

function isTypeName(name: string): name is TypeName {
  return (TYPE_NAMES as readonly string[]).includes(name);
}

/** A type as SQL has it, for Postgres and DuckDB alike. */
export function typeSql(type: ColumnType): string {
  return type.name === "numeric"
    ? `numeric(${type.precision},${type.scale})`
    : type.name;
}

/** The table's one key column when it is a whole number. */
export function integerKey(table: ContractTable): string | undefined {
  const [first, ...others] = table.key;
  const column = table.columns.find((candidate) => candidate.name === first);
  return others.length === 0 &&
      ["smallint", "integer", "bigint"].includes(column?.type.name ?? "")
    ? first
    : undefined;
}
