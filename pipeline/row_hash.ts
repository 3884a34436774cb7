import { quoteName } from "../lib/postgres.ts";
import type { ModelColumn } from "../transform/model_changes.ts";

/** The engines that hash rows, each in its own SQL, to the same numbers. */
export type Engine = "DuckDB" | "Postgres";

/** A column of a model, as both engines know it. */
export interface HashedColumn extends ModelColumn {
  /** A time of day, which the lake keeps as text. */
  isTime: boolean;
  /** Its type in the warehouse. */
  postgres?: PostgresType;
}

/** A type by Postgres's own numbers: which one, and what is in its brackets. */
export interface PostgresType {
  id: number;
  modifier: number;
}

/** How a value is written as text, and the warehouse's types that hold it. */
type Kind = keyof typeof POSTGRES_TYPES;

const NUMERIC = 1700;
/** The numbers that Postgres has given its own types for good. */
const POSTGRES_TYPES = {
  text: [25, 1043],
  time: [1083],
  number: [20, 21, 23, NUMERIC],
  boolean: [16],
  date: [1082],
  moment: [1114, 1184],
  uuid: [2950],
} as const;
/** A range of integer keys is a key without its last 14 bits. */
const RANGE_BITS = 14;
/** More ranges than this share their digests. */
const RANGES_MAX = 65_536;
/** So many digits of a hash, 60 bits, fit a signed integer of either engine. */
const ROW_DIGITS = 15;
/** Other keys fall into 4,096 ranges by the first digits of their hash. */
const HASH_DIGITS = 3;
/** A function of Postgres takes 100 arguments, two for a text. */
const COLUMNS_AT_ONCE = 48;
const INTEGERS = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT"];

/** Whether the warehouse's type can hold the lake's values without loss. */
export function isComparable(column: HashedColumn): boolean {
  const kind = kindOf(column);
  const types: readonly number[] = kind === undefined
    ? []
    : POSTGRES_TYPES[kind];
  return column.postgres !== undefined && types.includes(column.postgres.id);
}

/**
 * SQL for a row's hash, a bigint: the first 60 bits of the MD5 of the text of
 * these columns.
 */
export function rowHashSql(
  columns: readonly HashedColumn[],
  engine: Engine,
): string {
  const digits = digitsSql(columns, { engine, count: ROW_DIGITS });
  return engine === "DuckDB"
    ? `cast('0x' || ${digits} as bigint)`
    : `('x' || ${digits})::bit(${4 * ROW_DIGITS})::bigint`;
}

/**
 * SQL for the text of some columns, which two rows share only if they are
 * equal: a text is led by its length, other values have no `|` in them, and
 * null is empty.
 */
export function rowTextSql(
  columns: readonly HashedColumn[],
  engine: Engine,
): string {
  const parts: string[] = [];
  for (let start = 0; start < columns.length; start += COLUMNS_AT_ONCE) {
    const some = columns.slice(start, start + COLUMNS_AT_ONCE);
    parts.push(
      engine === "DuckDB" ? duckDbRowText(some) : postgresRowText(some),
    );
  }
  return parts.join(" || ");
}

/** SQL for the range of keys that a row falls into. */
export function rangeSql(
  key: readonly HashedColumn[],
  engine: Engine,
): string {
  const [first, ...others] = key;
  if (
    first !== undefined && others.length === 0 && INTEGERS.includes(first.type)
  ) {
    return `(cast(${quoteName(first.name)} as bigint) >> ${RANGE_BITS}) & ${
      RANGES_MAX - 1
    }`;
  }
  return digitsSql(key, { engine, count: HASH_DIGITS });
}

function digitsSql(
  columns: readonly HashedColumn[],
  options: { engine: Engine; count: number },
): string {
  const text = rowTextSql(columns, options.engine);
  const bytes = options.engine === "DuckDB"
    ? text
    : `convert_to(${text}, 'UTF8')`;
  return `left(md5(${bytes}), ${options.count})`;
}

function kindOf({ type, isTime }: HashedColumn): Kind | undefined {
  if (isTime || type === "TIME") return "time";
  if (type === "VARCHAR") return "text";
  if (type === "BOOLEAN") return "boolean";
  if (type === "DATE") return "date";
  if (type === "UUID") return "uuid";
  if (INTEGERS.includes(type) || type.startsWith("DECIMAL")) return "number";
  return /^TIMESTAMP( WITH TIME ZONE)?$/.test(type) ? "moment" : undefined;
}

function lengthSql(column: HashedColumn): string {
  return `length(${quoteName(column.name)})`;
}

function duckDbRowText(columns: readonly HashedColumn[]): string {
  const pieces = columns.flatMap((column) => [
    ...(kindOf(column) === "text" ? [lengthSql(column), "':'"] : []),
    duckDbText(column),
    "'|'",
  ]);
  return `concat(${pieces.join(", ")})`;
}

/** `concat` would take half as long again. */
function postgresRowText(columns: readonly HashedColumn[]): string {
  const form = columns.map((column) =>
    kindOf(column) === "text" ? "%s:%s|" : "%s|"
  );
  const values = columns.flatMap((column) => [
    ...(kindOf(column) === "text" ? [lengthSql(column)] : []),
    postgresText(column),
  ]);
  return `format('${form.join("")}', ${values.join(", ")})`;
}

function duckDbText(column: HashedColumn): string {
  const name = quoteName(column.name);
  const text = `cast(${name} as varchar)`;
  switch (kindOf(column)) {
    case "boolean":
      return `cast(${name} as integer)`;
    case "date":
      return `case when ${name} < date '0001-01-01'
        then replace(${text}, ' (BC)', ' BC') else ${text} end`;
    case "moment":
      return `case when isfinite(${name}) then cast(epoch_us(${name}) as varchar)
        else ${text} end`;
    case "time":
      return `coalesce(cast(try_cast(${name} as time) as varchar), ${text})`;
    default:
      return text;
  }
}

function postgresText(column: HashedColumn): string {
  const name = quoteName(column.name);
  switch (kindOf(column)) {
    case "boolean":
      return `cast(${name} as integer)`;
    case "moment":
      return `case when isfinite(${name}) then
        trim_scale(extract(epoch from ${name}) * 1000000)::text
        else ${name}::text end`;
    case "number":
      return postgresNumber(column);
    default:
      return name;
  }
}

/** A number with as many digits after the point as the lake writes. */
function postgresNumber({ name, type, postgres }: HashedColumn): string {
  const number = quoteName(name);
  const scale = Number(/,(\d+)\)$/.exec(type)?.[1] ?? 0);
  if (postgres?.id !== NUMERIC) {
    return scale === 0 ? number : `round(${number}::numeric, ${scale})`;
  }
  const own = postgres.modifier < 0
    ? undefined
    : (postgres.modifier - 4) % 2048;
  if (own === scale) return number;
  // One that has more of them stays as it is, and is another one.
  return `case when scale(trim_scale(${number})) <= ${scale}
    then round(${number}, ${scale}) else ${number} end`;
}
