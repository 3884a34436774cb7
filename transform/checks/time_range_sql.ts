import type { ModelColumn } from "../../lib/models/model_column.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import { LAST_MOMENT } from "../tables/typed_text.ts";

/**
 * PostgreSQL's first day, Julian day 0, and what follows its last one, as
 * literals of DuckDB
 * (https://www.postgresql.org/docs/current/datatype-datetime.html).
 */
const FIRST_DAY = "'4714-11-24 (BC)'";
const AFTER_LAST_DAY = "date '5874898-01-01'";
/** The bytes of `0:0:0.0000000`: no shorter time has a seventh digit. */
const ROUNDED_MIN = 13;
const AFTER_LAST_MOMENT = "date '294277-01-01'";

/**
 * SQL for whether a text is not the time of day as which the lake's views and
 * the warehouse read it. PostgreSQL reads `now` as the time of the load, and
 * rounds digits after the sixth, which DuckDB cuts off. Two texts for one time
 * are two keys in the lake, and one in the warehouse.
 */
export function invalidTimeSql(
  text: string,
  { isKey }: { isKey: boolean },
): string {
  const time = `try_cast(${text} as time)`;
  return `(${text} is not null and (${time} is null
    or case when strlen(${text}) >= ${ROUNDED_MIN}
      then regexp_matches(${text}, '\\.\\d{7}') else false end
    ${isKey ? `or ${text} <> cast(${time} as varchar)` : ""}))`;
}

/**
 * SQL for whether a date or time is none in PostgreSQL, which has both
 * infinities, or would be rounded on the way there.
 */
export function outOfRangeSql({ name, type, declared }: ModelColumn): string {
  const value = quoteName(name);
  const isZoned = type.endsWith("WITH TIME ZONE");
  const isMoment = declared?.startsWith("timestamp");
  const end = type === "DATE"
    // Until the column's type has changed in the lake, it may be a timestamp.
    ? ` or cast(${value} as date) >= ${
      isMoment ? AFTER_LAST_MOMENT : AFTER_LAST_DAY
    }`
    : isZoned
    ? ` or ${value} >= ${LAST_MOMENT}`
    : "";
  const first = `cast(${FIRST_DAY} as ${type})`;
  return `(isfinite(${value}) and (${value} < ${first}${end}))`;
}
