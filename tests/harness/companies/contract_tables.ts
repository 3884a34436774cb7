import type {
  ContractColumn,
  ContractTable,
} from "../../../lib/project/contract.ts";
import type { WrittenTable } from "./random_writers.ts";
import { KEYS } from "./written_tables.ts";

const SMALLINT_MAX = 30_000;
/** The number of values that the first column of a key of two has. */
const SHARED = 3;
/** The number of characters that any text column of a source may have. */
const CHARACTERS_MAX = 4;
const NULL_EVERY = 5;

/** What the types of columns don't tell. */
export interface TableHints {
  /** Columns that refer to a key of another name, each with that name. */
  refersTo?: Readonly<Record<string, string>>;
  /** Columns whose value follows from the row's key, which is of one column. */
  byKey?: Readonly<Record<string, (key: string) => string>>;
  /** What makes a row of a table unreadable, by table. */
  spoil?: Readonly<Record<string, NonNullable<WrittenTable["spoil"]>>>;
}

/**
 * The tables of any schema for writers, from what a contract with all of its
 * columns says: a number gives each column a value of its type, and a column
 * that is named as another table's key one of the keys. Tables that have
 * nothing but a key are left out: no value of theirs could be new.
 */
export function contractTables(
  tables: readonly ContractTable[],
  { refersTo = {}, byKey = {}, spoil = {} }: TableHints = {},
): WrittenTable[] {
  const keys = tables.flatMap(({ key }) => key.length === 1 ? key : []);
  return tables.flatMap(({ name, key, columns }): WrittenTable[] => {
    const others = columns.filter((column) => !key.includes(column.name));
    if (others.length === 0) return [];
    const keyValue = (column: ContractColumn, number: number) =>
      valueSql(column, partOf(number, key.indexOf(column.name), key.length));
    const value = (column: ContractColumn, fresh: number, ofKey: string) => {
      const follows = byKey[column.name];
      if (follows !== undefined) return follows(ofKey);
      if (!column.notNull && fresh % NULL_EVERY === 0) return "null";
      const isReference = keys.includes(refersTo[column.name] ?? column.name);
      return valueSql(column, isReference ? 1 + fresh % KEYS : fresh);
    };
    const keyColumns = columns.filter((column) => key.includes(column.name));
    const keyIs = (number: number) =>
      keyColumns.map((column) =>
        `${column.name} = ${keyValue(column, number)}`
      );
    const keyOf = (number: number) =>
      keyColumns.map((column) => keyValue(column, number)).join();
    const spoilOne = spoil[name];
    return [{
      name,
      where: (number) => keyIs(number).join(" and "),
      move: (number) => keyIs(number).join(", "),
      values: (number, fresh) =>
        columns.map((column) =>
          key.includes(column.name)
            ? keyValue(column, number)
            : value(column, fresh, keyOf(number))
        ).join(", "),
      change: (fresh) =>
        others.map((column) =>
          `${column.name} = ${value(column, fresh, key.join())}`
        )
          .join(", "),
      ...spoilOne === undefined ? {} : { spoil: spoilOne },
      isStamped: false,
    }];
  });
}

/** The number of one column of a key: rows share parts, and no whole key. */
function partOf(number: number, place: number, columns: number): number {
  if (columns === 1) return number;
  return place === 0 ? 1 + number % SHARED : 1 + Math.floor(number / SHARED);
}

function valueSql(
  { type, carriedFrom = type.name }: ContractColumn,
  number: number,
): string {
  switch (carriedFrom) {
    case "smallint":
      return String(number % SMALLINT_MAX);
    case "integer":
    case "bigint":
      return String(number);
    case "numeric":
      return `${number} / 100.0`;
    case "real":
    case "double precision":
      return `${number % 20} / 20.0`;
    case "boolean":
      return String(number % 2 === 0);
    case "date":
      return `date '2024-01-01' + ${number % 3000}`;
    case "bytea":
      return `int4send(${number})`;
    default:
      return `'${number.toString(36).slice(-CHARACTERS_MAX)}'`;
  }
}
