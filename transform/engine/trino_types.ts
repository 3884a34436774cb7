/** DuckDB's types, each with that of Trino's Hive tables with the same values. */
const TYPES: Readonly<Record<string, string>> = {
  SMALLINT: "smallint",
  INTEGER: "integer",
  BIGINT: "bigint",
  BOOLEAN: "boolean",
  VARCHAR: "varchar",
  DATE: "date",
  TIMESTAMP: "timestamp(6)",
};

/**
 * Trino's name of one of DuckDB's types; undefined for types that its Hive
 * tables lack (times, moments, UUIDs) or that print other values (floats).
 */
export function trinoType(type: string): string | undefined {
  return /^DECIMAL\(\d+,\d+\)$/.test(type) ? type.toLowerCase() : TYPES[type];
}
