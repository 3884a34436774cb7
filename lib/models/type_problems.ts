import type { ModelColumn } from "./model_column.ts";
import { keyTypeProblems } from "../project/derived_table.ts";
import type { ModelSql } from "../project/project_sql.ts";
import type { DeclaredTables } from "../project/warehouse_ddl.ts";
import { isArray, isText, warehouseType } from "../project/warehouse_type.ts";
import { foldName } from "../sql/fold_name.ts";

/** PostgreSQL's types, each with the types of DuckDB that it can hold. */
const HELD: readonly [RegExp, RegExp][] = [
  [
    /^(smallint|integer|bigint|int|int2|int4|int8)$/,
    /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT)|DECIMAL\(\d+,0\))$/,
  ],
  [
    /^(numeric|decimal|dec)$/,
    /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT)|DECIMAL\(\d+,\d+\)|FLOAT|DOUBLE)$/,
  ],
  // It would round a float.
  [
    /^(numeric|decimal|dec)\([\d, -]+\)$/,
    /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT)|DECIMAL\(\d+,\d+\))$/,
  ],
  // Floats hold 6 and 15 digits of any number.
  [
    /^(real|float4|float\(([1-9]|1\d|2[0-4])\))$/,
    /^(U?(TINYINT|SMALLINT)|FLOAT)$/,
  ],
  [
    /^(float|float8|float\(\d+\)|double precision)$/,
    /^(U?(TINYINT|SMALLINT|INTEGER)|FLOAT|DOUBLE|DECIMAL\((\d|1[0-5]),\d+\))$/,
  ],
  [/^(boolean|bool)$/, /^BOOLEAN$/],
  [/^date$/, /^DATE$/],
  // DuckDB's have six decimals of a second.
  [
    /^timestamp(tz)?\([012]\)( with(out)? time zone)?$/,
    /^(TIMESTAMP_S|DATE)$/,
  ],
  [
    /^timestamp(tz)?\([345]\)( with(out)? time zone)?$/,
    /^(TIMESTAMP_S|TIMESTAMP_MS|DATE)$/,
  ],
  [
    /^timestamp(tz)?(\(\d\))?( with(out)? time zone)?$/,
    /^(TIMESTAMP(_S|_MS| WITH TIME ZONE)?|DATE)$/,
  ],
  [/^time(tz)?\([0-5]\)( with(out)? time zone)?$/, /^$/],
  [/^time(\(6\))?( without time zone)?$/, /^TIME$/],
  [/^uuid$/, /^UUID$/],
];
const TIME = /^time(tz)?(\(\d\))?( with(out)? time zone)?$/;
/** Types whose output depends on a session setting. */
const NEVER = /^(money|bytea)\b/;
/** Parquet keeps only milliseconds of it. */
const INTERVAL = /^INTERVAL\b/;
/** Types that DuckDB writes in a form that only PostgreSQL's text can read. */
const TEXT_ONLY =
  /\]$|^(STRUCT|MAP|BLOB|BIT|BIGNUM|VARIANT|TIMESTAMP_NS|TIME_NS)\b/;

/** Types that a Parquet file returns as others, with what to write instead. */
const NOT_KEPT: readonly [RegExp, string][] = [
  [
    /\bU?HUGEINT\b/,
    "cast it, as in `cast(sum(units) as bigint)`, or to decimal(38, 0)",
  ],
  [/\bTIME WITH TIME ZONE\b/, "cast it to text, or to time"],
  [/\bUNION\(/, "cast it to text"],
];

/** Finds columns of a model that the lake would store as another type. */
function lakeProblems(columns: readonly ModelColumn[]): string[] {
  return columns.flatMap(({ name, type }) =>
    NOT_KEPT.filter(([pattern]) => pattern.test(type)).map(([, instead]) =>
      `its column "${name}" is ${type}, which Parquet does not keep: ${instead}`
    )
  );
}

/**
 * Finds columns of a model that the lake, or the warehouse as declared, can't
 * hold.
 */
export function typeProblems(
  model: ModelSql,
  options: { columns: readonly ModelColumn[]; declared: DeclaredTables },
): string[] {
  const { columns, declared } = options;
  const inLake = lakeProblems(columns);
  const table = declared.get(model.name);
  if (inLake.length > 0) return inLake;
  if (table === undefined) {
    return [
      ...columns.filter(({ name, type }) =>
        !model.times.includes(name) && !canAdd(type)
      ).map(withoutCounterpart),
      ...keyTypeProblems(model, columns),
    ];
  }
  return columns.flatMap(({ name, type }) => {
    const column = table.get(name);
    if (column === undefined) {
      const other = [...table.keys()]
        .find((one) => foldName(one) === foldName(name));
      if (other !== undefined) {
        return [`its column "${name}" is named "${other}" in the warehouse`];
      }
      return canAdd(type) ? [] : [withoutCounterpart({ name, type })];
    }
    const given = model.times.includes(name) && TIME.test(column.type)
      ? "TIME"
      : type;
    return canHold(column.type, given) ? [] : [
      `its column "${name}" is ${type}, and ${column.type} in the warehouse`,
    ];
  });
}

/**
 * Whether a column of PostgreSQL can hold what a column of DuckDB gives; too
 * narrow a one will do, since load widens it. A text holds anything, and for a
 * user-defined type only the values can show.
 */
function canHold(postgres: string, duckdb: string): boolean {
  if (INTERVAL.test(duckdb) || NEVER.test(postgres)) return false;
  if (isText(postgres)) return true;
  // DuckDB's lists and JSON have other brackets.
  if (isArray(postgres)) return duckdb === "VARCHAR";
  const [, held] = HELD.find(([pattern]) => pattern.test(postgres)) ?? [];
  return held?.test(duckdb) ?? !TEXT_ONLY.test(duckdb);
}

/** Whether load can make a column for what a column of DuckDB gives. */
function canAdd(duckdb: string): boolean {
  return !INTERVAL.test(duckdb) &&
    warehouseType(duckdb, { isTime: false }) !== undefined;
}

function withoutCounterpart({ name, type }: ModelColumn): string {
  return `its column "${name}" is ${type}, which the warehouse can't hold`;
}
