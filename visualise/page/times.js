// @ts-check
// How times and durations are shown, by the reader's locale: in the reader's
// zone, unless the company has one.

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
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

/** Formats of times, in a zone or the reader's. */
function timeFormats(/** @type {string | undefined} */ timeZone = undefined) {
  const of = (/** @type {Intl.DateTimeFormatOptions} */ options) =>
    new Intl.DateTimeFormat(
      undefined,
      timeZone === undefined ? options : { ...options, timeZone },
    );
  return {
    times: of({ dateStyle: "medium", timeStyle: "medium" }),
    zoned: of({ dateStyle: "medium", timeStyle: "long" }),
    clocks: of({ timeStyle: "short" }),
    dates: of({ day: "numeric", month: "short" }),
    datesOfYear: of({ day: "numeric", month: "short", year: "numeric" }),
  };
}

/** Shows times in a zone, in place of the reader's. */
export function useTimeZone(/** @type {string | undefined} */ timeZone) {
  ({ times, zoned, clocks, dates, datesOfYear } = timeFormats(timeZone));
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
