import { quoteName } from "../../lib/sql/quote.ts";

/**
 * How a column's values are written in COPY's binary format. Texts are not: they
 * are sooner written as CSV, and JavaScript's decoder would drop a byte order
 * mark.
 */
export interface BinaryColumn {
  form: "int2" | "int4" | "int8" | "bool" | "numeric";
  /** SQL that gives what is written: a value, or two, the high and low half. */
  select: string;
  /** Decimal places of a numeric. */
  scale: number;
  /** SQL for whether another format has to be used, for a doubtful value. */
  doubt?: string;
}

const INTEGERS = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT"];
const INTEGER_FORMS: Readonly<Record<string, "int2" | "int4" | "int8">> = {
  smallint: "int2",
  integer: "int4",
  bigint: "int8",
};
/** The least and the most of Postgres's dates and times are its infinities. */
const EPOCH_DAY = "date '2000-01-01'";
const EPOCH_MICROSECONDS = 946_684_800_000_000;
const TIMESTAMPS: Readonly<Record<string, readonly string[]>> = {
  TIMESTAMP: ["timestamp without time zone", "timestamp with time zone"],
  "TIMESTAMP WITH TIME ZONE": ["timestamp with time zone"],
};
/** JavaScript's numbers are exact up to here. */
const DIGITS_MAX = 15;
const SCALE_MAX = 12;
/** Texts that DuckDB and Postgres read as the same time of day. */
const TIME = "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?";

/**
 * How a column is written for a type of Postgres, as `format_type` writes it;
 * undefined if that may give another value than COPY's CSV format does.
 */
export function binaryColumn(
  column: { name: string; type: string },
  target: string,
): BinaryColumn | undefined {
  const { type } = column;
  const value = quoteName(column.name);
  const plain = { scale: 0 };
  const form = INTEGER_FORMS[target];
  if (form !== undefined) {
    if (!INTEGERS.slice(0, INTEGERS_IN[form]).includes(type)) return undefined;
    const select = form === "int8"
      ? halves(`cast(${value} as bigint)`)
      : `cast(${value} as integer)`;
    return { ...plain, form, select };
  }
  if (target === "boolean" && type === "BOOLEAN") {
    return { ...plain, form: "bool", select: `cast(${value} as integer)` };
  }
  if (target === "date" && type === "DATE") {
    return { ...plain, form: "int4", select: daySql(value) };
  }
  if (target === "time without time zone" && type === "VARCHAR") {
    return {
      ...plain,
      form: "int8",
      select: halves(`epoch_us(cast(${value} as time))`),
      doubt: `not regexp_full_match(${value}, '${TIME}')`,
    };
  }
  if (TIMESTAMPS[type]?.includes(target)) {
    return { ...plain, form: "int8", select: halves(momentSql(value)) };
  }
  return numericColumn({ value, type }, target);
}

/** How many of DuckDB's integers, by their size, each holds. */
const INTEGERS_IN = { int2: 2, int4: 3, int8: 4 } as const;

function numericColumn(
  { value, type }: { value: string; type: string },
  target: string,
): BinaryColumn | undefined {
  const [, digits, places] = /^DECIMAL\((\d+),(\d+)\)$/.exec(type) ?? [];
  const scale = Number(places);
  if (
    !/^numeric(\(\d+,\d+\))?$/.test(target) ||
    !(Number(digits) <= DIGITS_MAX && scale <= SCALE_MAX)
  ) return undefined;
  const scaled = `cast(${value} * ${10 ** scale} as bigint)`;
  return { form: "numeric", scale, select: `cast(${scaled} as double)` };
}

/** The high and the low half of 64 bits. */
function halves(value: string): string {
  return `cast((${value}) >> 32 as integer),
    cast((${value}) & 4294967295 as uinteger)`;
}

function daySql(value: string): string {
  return `case when isfinite(${value})
      then cast(${value} - ${EPOCH_DAY} as integer)
    when ${value} > ${EPOCH_DAY} then 2147483647
    when ${value} < ${EPOCH_DAY} then -2147483648 end`;
}

function momentSql(value: string): string {
  return `case when isfinite(${value})
      then epoch_us(${value}) - ${EPOCH_MICROSECONDS}
    when ${value} > ${EPOCH_DAY} then 9223372036854775807
    when ${value} < ${EPOCH_DAY} then -9223372036854775808 end`;
}
