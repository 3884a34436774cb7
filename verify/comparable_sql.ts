import { quoteName, quoteText } from "../lib/sql/quote.ts";
import type { VerifiedColumn } from "./lake_rows.ts";
import type { WarehouseColumn } from "./warehouse_rows.ts";

const NUMBER = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT)|DECIMAL\(\d+,\d+\))$/;

const MOMENT = /^(DATE|TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?)$/;

/** DuckDB's types with a floating point. */
export const FLOAT = /^(FLOAT|DOUBLE)$/;

const OTHER = /^(BOOLEAN|UUID)$/;

/** SQL for a value of the lake in the form in which the warehouse's is read. */
export function comparableSql(
  column: VerifiedColumn & Partial<Pick<WarehouseColumn, "isText">>,
): string {
  const name = quoteName(column.name);
  if (isTime(column) && column.isText) return `cast(${name} as varchar)`;
  if (isTime(column)) return timeSql(`cast(${name} as varchar)`);
  return isTyped(column) ? name : `cast(${name} as varchar)`;
}

/** SQL for the warehouse's text as a value of the lake's type, if it has one. */
export function parsedSql(
  column: VerifiedColumn & Partial<Pick<WarehouseColumn, "isText">>,
): string {
  const text = quoteName(column.name);
  if (isTime(column) && column.isText) return text;
  if (isTime(column)) return timeSql(text);
  return isTyped(column)
    ? `try_cast(${readableSql(column)} as ${column.type})`
    : text;
}

/** SQL for whether the lake's type can't hold the warehouse's value. */
export function inexactSql(column: WarehouseColumn): string {
  if (!isTyped(column) || isTime(column)) return "";
  const text = quoteName(column.name);
  const value = parsedSql(column);
  const lost = `${text} is not null and (${value} is null${
    column.isText ? ` or not ${isWritten(column)}` : ""
  })`;
  const changed = `cast(${value} as varchar) <> ${readableSql(column)}`;
  if (column.fits) return lost;
  if (column.type === "DATE") {
    // A timestamp holds a date as its midnight.
    const day = `regexp_replace(${
      readableSql(column)
    }, ' 00:00:00(\\+00)?$', '')`;
    return `${lost} or cast(${value} as varchar) <> ${day}`;
  }
  if (FLOAT.test(column.type)) {
    // A float may have more digits than it is written with.
    const written = `cast(${value} as varchar)`;
    return `${lost} or (isfinite(${value})
      and ${digitsSql(text)} <> ${digitsSql(written)})`;
  }
  if (!NUMBER.test(column.type)) return lost;
  const digits = quoteText(`-?\\d+(\\.\\d{0,${scaleOf(column)}}0*)?`);
  return `${lost} or (${changed} and not regexp_full_match(${text}, ${digits}))`;
}

/**
 * SQL for whether a text is one that a load writes for such a value, or wrote
 * while the model had another type.
 */
function isWritten({ name, type }: VerifiedColumn): string {
  const text = quoteName(name);
  const types = FLOAT.test(type)
    ? ["FLOAT", "DOUBLE"]
    : MOMENT.test(type)
    ? ["DATE", "TIMESTAMP", "TIMESTAMPTZ"]
    : [type];
  const written = types.map((one) =>
    `cast(try_cast(${text} as ${one}) as varchar)`
  );
  const plain = "-?(0|[1-9]\\d*)(\\.\\d+)?";
  return `(coalesce(${text} in (${written.join(", ")}), false)${
    NUMBER.test(type) || FLOAT.test(type)
      ? ` or regexp_full_match(${text}, ${quoteText(plain)})`
      : ""
  })`;
}

/** SQL for the digits of a number as text, without zeros at either end. */
function digitsSql(text: string): string {
  return `trim(regexp_replace(${text}, '[-+.]|[eE].*', '', 'g'), '0')`;
}

/** SQL for a text with the years before Christ as DuckDB writes them. */
function readableSql({ name, type }: VerifiedColumn): string {
  const text = quoteName(name);
  return MOMENT.test(type)
    ? `case when suffix(${text}, ' BC')
      then regexp_replace(${text}, '^(\\S+)(.*) BC$', '\\1 (BC)\\2')
      else ${text} end`
    : text;
}

/** Whether a column holds a time of day, which files hold as text. */
export function isTime({ type, isTime }: VerifiedColumn): boolean {
  return isTime || type === "TIME";
}

/** Whether the lake's type can be read from the warehouse's text. */
export function isTyped({ type }: VerifiedColumn): boolean {
  return [NUMBER, FLOAT, MOMENT, OTHER].some((form) => form.test(type));
}

function timeSql(text: string): string {
  return `coalesce(cast(try_cast(${text} as time) as varchar), ${text})`;
}

/** How many decimal places a column's type has. */
export function scaleOf({ type }: VerifiedColumn): number {
  return Number(/,(\d+)\)$/.exec(type)?.[1] ?? 0);
}
