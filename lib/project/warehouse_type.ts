/** DuckDB's types, and the types of Postgres that hold their values. */
const TYPES: Readonly<Record<string, string>> = {
  BOOLEAN: "boolean",
  TINYINT: "smallint",
  SMALLINT: "smallint",
  UTINYINT: "smallint",
  INTEGER: "integer",
  USMALLINT: "integer",
  BIGINT: "bigint",
  UINTEGER: "bigint",
  UBIGINT: "numeric(20,0)",
  FLOAT: "real",
  DOUBLE: "double precision",
  VARCHAR: "text",
  DATE: "date",
  TIME: "time without time zone",
  TIMESTAMP: "timestamp without time zone",
  TIMESTAMP_S: "timestamp without time zone",
  TIMESTAMP_MS: "timestamp without time zone",
  "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
  INTERVAL: "interval",
  UUID: "uuid",
  JSON: "json",
};

/** The types that columns of models have in the warehouse, except decimals. */
export const WAREHOUSE_TYPES: readonly string[] = Object.values(TYPES);

const TEXT =
  /^(text|name|"char"|bpchar|varchar|nchar( varying)?|(national )?char(acter)?( varying)?)(\(\d+\))?$/;
const ARRAY = /\]$| array$/;

/** Whether a type of PostgreSQL is one of its text types, and not an array. */
export function isText(type: string): boolean {
  return TEXT.test(type);
}

/** Whether a type of PostgreSQL, as declared or printed, is an array. */
export function isArray(type: string): boolean {
  return ARRAY.test(type);
}

/**
 * The warehouse's type for a column of a model, as `format_type` writes it;
 * undefined if DuckDB's type has no counterpart.
 */
export function warehouseType(
  duckDbType: string,
  options: { isTime: boolean },
): string | undefined {
  if (options.isTime) return TYPES.TIME;
  const decimal = /^DECIMAL(\(\d+,\d+\))$/.exec(duckDbType);
  return decimal === null ? TYPES[duckDbType] : `numeric${decimal[1]}`;
}
