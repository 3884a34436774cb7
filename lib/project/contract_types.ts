/** Types of whole numbers: each holds the values of those before it. */
export const WHOLE_NUMBERS: readonly string[] = [
  "smallint",
  "integer",
  "bigint",
];
/** The types whose values Postgres and DuckDB both hold. */
export type TypeName =
  | "smallint"
  | "integer"
  | "bigint"
  | "numeric"
  | "boolean"
  | "text"
  | "date"
  | "timestamp"
  | "timestamptz"
  | "uuid";

/** A type of the contract, with its precision and scale. */
export interface ColumnType {
  name: TypeName;
  /** Of a numeric. */
  precision?: number;
  scale?: number;
}

/** The most digits that DuckDB's numeric has. */
const NUMERIC_PRECISION_MAX = 38;

/** PostgreSQL's aliases of types, each with the name that it prints. */
const ALIASES: Readonly<Record<string, string>> = {
  int: "integer",
  int2: "smallint",
  int4: "integer",
  int8: "bigint",
  smallserial: "smallint",
  serial2: "smallint",
  serial: "integer",
  serial4: "integer",
  bigserial: "bigint",
  serial8: "bigint",
  bool: "boolean",
  varchar: "character varying",
  "char varying": "character varying",
  "nchar varying": "character varying",
  "national char varying": "character varying",
  "national character varying": "character varying",
  char: "character",
  nchar: "character",
  "national char": "character",
  "national character": "character",
  decimal: "numeric",
  dec: "numeric",
  float4: "real",
  float8: "double precision",
  timetz: "time with time zone",
  timestamptz: "timestamp with time zone",
  varbit: "bit varying",
};
const NATIVE: Readonly<Record<string, TypeName>> = {
  smallint: "smallint",
  integer: "integer",
  bigint: "bigint",
  boolean: "boolean",
  text: "text",
  "character varying": "text",
  date: "date",
  uuid: "uuid",
  "timestamp without time zone": "timestamp",
  "timestamp with time zone": "timestamptz",
};
const TYPE =
  /^(?:pg_catalog\.)?(.+?)\s*(\([^)]*\))?(\s+with(?:out)? time zone)?\s*((?:\[\d*\])*|\s+array(?:\s*\[\d+\])?)$/;
/** The most binary digits of a `real` where a `float` says how many it has. */
const REAL_DIGITS_MAX = 24;

/**
 * The type of a column of the contract, given its declaration in lower case and
 * with single spaces. A type whose values PostgreSQL and DuckDB don't both hold
 * becomes text, `carried` from the type as `format_type` prints it.
 */
export function contractType(
  written: string,
): { type: ColumnType; carried?: string } {
  const [, bare = written, brackets = "", zone = "", dimensions = ""] =
    TYPE.exec(written) ?? [];
  const alias = ALIASES[bare] ?? withoutDigits(bare, brackets);
  // A precision comes before the words about the time zone.
  const [, base = alias, ofAlias = ""] =
    /^(timestamp|time)( with time zone)$/.exec(alias) ?? [];
  const isTime = base === "timestamp" || base === "time";
  const words = isTime ? zone || ofAlias || " without time zone" : zone;
  const plain = `${base}${words}`;
  const native = NATIVE[plain];
  if (dimensions === "" && native !== undefined) {
    return { type: { name: native } };
  }
  const digits = /^\((\d+)(?:,(\d+))?\)$/.exec(brackets);
  if (dimensions === "" && base === "numeric" && digits !== null) {
    const [precision, scale] = [Number(digits[1]), Number(digits[2] ?? 0)];
    if (precision <= NUMERIC_PRECISION_MAX && scale <= precision) {
      return { type: { name: "numeric", precision, scale } };
    }
  }
  const printed = ["character", "bit"].includes(base) && brackets === ""
    ? "(1)"
    : bare === "float"
    ? ""
    : base === "numeric" && digits !== null
    ? `(${digits[1]},${digits[2] ?? 0})`
    : brackets;
  return {
    type: { name: "text" },
    carried: `${base}${printed}${words}${dimensions === "" ? "" : "[]"}`,
  };
}

/** `float` and `bpchar`, which are other types with a number than without. */
function withoutDigits(bare: string, brackets: string): string {
  if (bare === "bpchar" && brackets !== "") return "character";
  if (bare !== "float") return bare;
  const digits = Number(/\d+/.exec(brackets)?.[0] ?? Infinity);
  return digits <= REAL_DIGITS_MAX ? "real" : "double precision";
}
