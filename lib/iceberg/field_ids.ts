import type { Column } from "../duckdb/data_files.ts";
import { quoteText } from "../sql/quote.ts";
import { sha256Hex } from "../zone/checksum.ts";

/** DuckDB's types, each with Iceberg's. Others are not in the tables. */
const TYPES: readonly [RegExp, string][] = [
  [/^(U?(TINYINT|SMALLINT)|INTEGER)$/, "int"],
  [/^BIGINT$/, "long"],
  [/^FLOAT$/, "float"],
  [/^DOUBLE$/, "double"],
  [/^BOOLEAN$/, "boolean"],
  [/^DATE$/, "date"],
  [/^TIME$/, "time"],
  [/^TIMESTAMP(_S|_MS)?$/, "timestamp"],
  [/^TIMESTAMP WITH TIME ZONE$/, "timestamptz"],
  [/^UUID$/, "uuid"],
  [/^BLOB$/, "binary"],
  [/^(VARCHAR|JSON|ENUM\(.*\))$/, "string"],
];
/** Types that Iceberg reads as a wider one later, under the same number. */
const WIDENED: Readonly<Record<string, string>> = {
  int: "long",
  float: "double",
};
const HEX_DIGITS = 7;

/**
 * Iceberg's name of a column's type
 * (https://iceberg.apache.org/spec/#primitive-types); undefined for a type that
 * it lacks, and for nested ones.
 */
export function icebergType({ type }: Column): string | undefined {
  const [, precision, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(type) ?? [];
  if (precision !== undefined) return `decimal(${precision}, ${scale})`;
  return TYPES.find(([pattern]) => pattern.test(type))?.[1];
}

/** The wider of two of Iceberg's types that share a number. */
export function widerType(one: string, other: string): string {
  if (WIDENED[one] === other) return other;
  return precisionOf(other) > precisionOf(one) ? other : one;
}

/**
 * A column's number in Iceberg's schema and in the Parquet files: a hash of its
 * name and type, so whoever writes a file knows it, whether or not a table is
 * ever published. The case of a name doesn't matter, not even of letters
 * outside A to Z: readers such as Trino ignore it. Types that Iceberg can widen
 * (https://iceberg.apache.org/spec/#schema-evolution) share a number; one of
 * another kind is another field.
 */
export function fieldId(column: Column): number {
  const type = icebergType(column) ?? column.type;
  const kind = WIDENED[type] ?? type.replace(/^decimal\(\d+/, "decimal(38");
  const name = column.name.toLowerCase();
  const hash = sha256Hex(`${name}\0${kind}`).slice(0, HEX_DIGITS);
  return 1 + Number.parseInt(hash, 16);
}

/**
 * The option of DuckDB's COPY that writes the columns' numbers. It takes each
 * number once, so of two columns that share one, such as "é" and "É", the
 * second has none; they can't be in an Iceberg table together.
 */
export function fieldIdsSql(columns: readonly Column[]): string {
  const ids = new Map<number, string>();
  for (const column of columns) {
    const id = fieldId(column);
    if (!ids.has(id)) ids.set(id, column.name);
  }
  return `field_ids {${
    [...ids].map(([id, name]) => `${quoteText(name)}: ${id}`).join(", ")
  }}`;
}

function precisionOf(type: string): number {
  return Number(/^decimal\((\d+)/.exec(type)?.[1] ?? 0);
}
