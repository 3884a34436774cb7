// @ts-check
// How values are shown, by the reader's locale. Times are in the reader's zone,
// unless the company has one.

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const exact = new Intl.NumberFormat(undefined, { maximumFractionDigits: 3 });
const amounts = new Intl.NumberFormat(undefined, {
  minimumFractionDigits: 2,
  maximumFractionDigits: 3,
});
const compact = new Intl.NumberFormat(undefined, {
  notation: "compact",
  maximumFractionDigits: 1,
});
const percents = new Intl.NumberFormat(undefined, {
  style: "percent",
  maximumFractionDigits: 1,
});
const relative = new Intl.RelativeTimeFormat(undefined, { style: "short" });
const DAY_SECONDS = 86_400;
/**
 * Units of ages, their seconds, and how many are said in the next larger one.
 * @type {[Intl.RelativeTimeFormatUnit, number, number][]}
 */
const AGES = [
  ["second", 1, 120],
  ["minute", 60, 120],
  ["hour", 3600, 48],
  ["day", DAY_SECONDS, 60],
  ["month", 30.44 * DAY_SECONDS, 24],
  ["year", 365.25 * DAY_SECONDS, Infinity],
];
let { times, zoned, clocks, dates, datesOfYear } = timeFormats();
// Days and months have no time zone.
const days = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeZone: "UTC",
});
const months = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  timeZone: "UTC",
});
/** Columns of figures; numbers in other columns are names, such as keys. */
const FIGURES = new Set([
  "added",
  "bytes",
  "closed",
  "deletes",
  "differences",
  "extracted_bytes",
  "extracted_rows",
  "findings",
  "findings_kept",
  "rows",
]);
/** Columns of money. */
const MONEY = new Set();
/** Columns of figures, and of money, by their names' last word. */
const FIGURED = /(^|_)(amount|price|quantity)$/;
const PAID = /(^|_)(amount|price)$/;
/** Columns of seconds. */
const SECONDS = /(^|_)seconds(_|$)/;

/** Formats of times, in a zone or the reader's. */
function timeFormats(/** @type {string | undefined} */ timeZone = undefined) {
  const of = (/** @type {Intl.DateTimeFormatOptions} */ options) =>
    new Intl.DateTimeFormat(
      undefined,
      timeZone === undefined ? options : { ...options, timeZone },
    );
  return {
    times: of({ dateStyle: "medium", timeStyle: "medium" }),
    zoned: of({
      year: "numeric",
      month: "short",
      day: "numeric",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      timeZoneName: "short",
    }),
    clocks: of({ hour: "2-digit", minute: "2-digit" }),
    dates: of({ day: "numeric", month: "short" }),
    datesOfYear: of({ day: "numeric", month: "short", year: "numeric" }),
  };
}

/** Shows times in a zone, in place of the reader's. */
export function useTimeZone(/** @type {string | undefined} */ timeZone) {
  ({ times, zoned, clocks, dates, datesOfYear } = timeFormats(timeZone));
}

/**
 * Learns which columns hold figures, and which of them money.
 * @param {{ name: string, unit: string }[]} measures
 */
export function knowFigures(measures) {
  for (const { name, unit } of measures) {
    FIGURES.add(name);
    if (unit === "money") MONEY.add(name);
  }
}

/** A number, rounded for a quick look. */
export function rounded(/** @type {number | string} */ value) {
  const number = Number(value);
  return (Math.abs(number) < 10 ? tenths : whole).format(number);
}

/** A number in little room. */
export function short(/** @type {number} */ value) {
  return compact.format(value);
}

/** An exact figure; given as text, since a number may not hold a total. */
export function figure(/** @type {number | string} */ value) {
  return exact.format(/** @type {any} */ (value));
}

/** A sum of money: whole units for a quick look. */
export function money(
  /** @type {number} */ value,
  /** @type {string} */ currency,
) {
  return inCurrency(value, currency, { maximumFractionDigits: 0 });
}

/** A sum of money in little room. */
export function shortMoney(
  /** @type {number} */ value,
  /** @type {string} */ currency,
) {
  if (Math.abs(value) >= 1000) {
    return inCurrency(value, currency, {
      notation: "compact",
      maximumFractionDigits: 1,
    });
  }
  const digits = Number.isInteger(value) || Math.abs(value) >= 10 ? 0 : 2;
  return inCurrency(value, currency, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

function inCurrency(
  /** @type {number} */ value,
  /** @type {string} */ currency,
  /** @type {Intl.NumberFormatOptions} */ options,
) {
  // Data may hold a code that is none.
  const style = /^[A-Z]{3}$/.test(currency)
    ? { style: /** @type {const} */ ("currency"), currency }
    : {};
  return new Intl.NumberFormat(undefined, { ...options, ...style })
    .format(value);
}

/** A share as a percentage. */
export function percent(/** @type {number} */ share) {
  return percents.format(share);
}

/** Seconds as people say them: 2 s, 41 min, 3 h 5 min, 3 d 1 h. */
export function duration(/** @type {number} */ seconds) {
  if (seconds < 9.95) return `${tenths.format(seconds)} s`;
  if (seconds < 119.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return two(hours, "h", minutes % 60, "min");
  return two(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** How long ago something was, in one unit: 5 days ago. */
export function ago(/** @type {number} */ seconds) {
  const past = Math.max(0, seconds);
  // By what it rounds to: 120 seconds are 2 minutes.
  const found = AGES.find(([, size, most]) => Math.round(past / size) < most);
  const [unit, size] = found ?? ["second", 1];
  return relative.format(-Math.round(past / size), unit);
}

function two(
  /** @type {number} */ large,
  /** @type {string} */ unit,
  /** @type {number} */ small,
  /** @type {string} */ smallUnit,
) {
  const number = whole.format(large);
  return small === 0
    ? `${number} ${unit}`
    : `${number} ${unit} ${small} ${smallUnit}`;
}

export function isFigure(/** @type {string} */ column) {
  return FIGURES.has(column) || FIGURED.test(column) || SECONDS.test(column);
}

function isMoney(/** @type {string} */ column) {
  return MONEY.has(column) || PAID.test(column);
}

export function isNumber(/** @type {unknown} */ value) {
  return /^-?\d+(\.\d+)?$/.test(String(value ?? ""));
}

/** A value of a table, by what its column holds. */
export function cell(/** @type {string} */ column, /** @type {any} */ value) {
  if (!isNumber(value)) return shown(value);
  if (SECONDS.test(column)) return duration(Number(value));
  if (isMoney(column)) return amounts.format(/** @type {any} */ (value));
  return isFigure(column) ? figure(value) : String(value);
}

/** What a column is called. */
export function heading(/** @type {string} */ column) {
  return column.replace(/^seconds_|_seconds$/, "").replaceAll("_", " ");
}

/** A month, YYYY-MM, in the reader's format. */
export function month(/** @type {string} */ text) {
  return /^\d{4}-\d\d$/.test(text)
    ? months.format(new Date(`${text}-01T00:00Z`))
    : text;
}

/** The database's text of a time as ISO 8601; undefined for other text. */
export function isoTime(/** @type {string} */ text) {
  return /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d[:.\d]*(Z|[+]00(:00)?)$/.test(text)
    ? text.replace(" ", "T").replace(/[+]00(:00)?$/, "Z")
    : undefined;
}

/** A time, day or month in the reader's format; any other value unchanged. */
export function shown(/** @type {unknown} */ value) {
  const text = String(value ?? "");
  const iso = isoTime(text);
  if (iso !== undefined) return times.format(new Date(iso));
  if (/^\d{4}-\d\d-\d\d$/.test(text)) {
    return days.format(new Date(`${text}T00:00Z`));
  }
  return month(text);
}

/** A time with its zone. */
export function moment(/** @type {unknown} */ value) {
  const iso = isoTime(String(value ?? ""));
  return iso === undefined ? String(value ?? "") : zoned.format(new Date(iso));
}

/** The time of the day. */
export function clock(/** @type {unknown} */ value) {
  const iso = isoTime(String(value ?? ""));
  return iso === undefined ? String(value ?? "") : clocks.format(new Date(iso));
}

/** The date of a time, with its year unless that is this one. */
export function date(/** @type {unknown} */ value) {
  const iso = isoTime(String(value ?? ""));
  if (iso === undefined) return String(value ?? "");
  const [at, now] = [new Date(iso), new Date()];
  return (yearOf(at) === yearOf(now) ? dates : datesOfYear).format(at);
}

/**
 * The time of the day, with the date unless it is today's, and with its year
 * unless that is this one.
 */
export function lately(/** @type {unknown} */ value) {
  const iso = isoTime(String(value ?? ""));
  if (iso === undefined) return String(value ?? "");
  const [at, now] = [new Date(iso), new Date()];
  const time = clocks.format(at);
  const isToday = datesOfYear.format(at) === datesOfYear.format(now);
  return isToday ? time : `${date(value)}, ${time}`;
}

/** The year of a time, in the zone of times. */
function yearOf(/** @type {Date} */ time) {
  return datesOfYear.formatToParts(time)
    .find(({ type }) => type === "year")?.value;
}

/** The name of the zone that times are in. */
export function zone() {
  return zoned.formatToParts(new Date())
    .find(({ type }) => type === "timeZoneName")?.value ?? "";
}

/** A value of a fact's column, from the database's JSON. */
export function shownValue(
  /** @type {string} */ column,
  /** @type {unknown} */ value,
) {
  if (typeof value !== "number" || column.endsWith("_id")) return shown(value);
  return isMoney(column) ? amounts.format(value) : figure(value);
}
