/** Types of PostgreSQL by what they hold. */
const FAMILIES: readonly [RegExp, string][] = [
  [/^(smallint|integer|bigint|int|int2|int4|int8)$/, "whole number"],
  [/^(numeric|decimal)\b/, "number"],
  [/^(real|float4|float8|double precision)$/, "number"],
  [/^(boolean|bool)$/, "boolean"],
  [/^date$/, "date"],
  [/^(timestamptz|timestamp(\(\d\))?( with(out)? time zone)?)/, "timestamp"],
  [/^time(\(\d\))?( without time zone)?$/, "time"],
  [/^uuid$/, "uuid"],
];
/** Which of DuckDB's types each can hold; of other types all may. */
const HELD: Readonly<Record<string, RegExp>> = {
  "whole number":
    /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DECIMAL\(\d+,0\))$/,
  "number":
    /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DECIMAL|FLOAT|DOUBLE)/,
  "boolean": /^BOOLEAN$/,
  "date": /^DATE$/,
  "timestamp": /^(TIMESTAMP|DATE$)/,
  "time": /^TIME$/,
  "uuid": /^UUID$/,
};

/**
 * Whether a column of PostgreSQL can hold what a column of DuckDB gives; that
 * it is too narrow is no hindrance, since load widens it.
 */
export function canHold(postgres: string, duckdb: string): boolean {
  const family = FAMILIES.find(([pattern]) => pattern.test(postgres))?.[1];
  return HELD[family ?? ""]?.test(duckdb) ?? true;
}
