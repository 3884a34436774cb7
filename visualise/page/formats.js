// How values are shown, by the reader's locale.

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const exact = new Intl.NumberFormat(undefined, { maximumFractionDigits: 3 });
const compact = new Intl.NumberFormat(undefined, { notation: "compact" });
const times = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "medium",
});
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
  "begun",
  "bytes",
  "deletes",
  "differences",
  "ended",
  "extract_seconds",
  "extracted_bytes",
  "extracted_rows",
  "findings",
  "load_seconds",
  "minutes",
  "orders",
  "payments",
  "rows",
  "seconds",
  "seconds_behind",
  "transform_seconds",
  "unit_price",
  "units",
  "value",
  "written_down",
]);

/** A number, rounded for a quick look. */
export function rounded(value) {
  return (Math.abs(value) < 10 ? tenths : whole).format(value);
}

/** A number in little room. */
export function short(value) {
  return compact.format(value);
}

/** An exact figure; given as text, since a number may not hold a total. */
export function figure(value) {
  return exact.format(value);
}

export function isFigure(column) {
  return FIGURES.has(column);
}

export function isNumber(value) {
  return /^-?\d+(\.\d+)?$/.test(String(value ?? ""));
}

/** A month, YYYY-MM, in the reader's format. */
export function month(text) {
  return /^\d{4}-\d\d$/.test(text)
    ? months.format(new Date(`${text}-01T00:00Z`))
    : text;
}

/** A time, day or month in the reader's format; any other value unchanged. */
export function shown(value) {
  const text = String(value ?? "");
  if (/^\d{4}-\d\d-\d\d[ T]\d\d:\d\d[:.\d]*(Z|[+]00(:00)?)$/.test(text)) {
    const iso = text.replace(" ", "T").replace(/[+]00(:00)?$/, "Z");
    return times.format(new Date(iso));
  }
  if (/^\d{4}-\d\d-\d\d$/.test(text)) {
    return days.format(new Date(`${text}T00:00Z`));
  }
  return month(text);
}

/** A value of a fact's column, from the database's JSON. */
export function shownValue(column, value) {
  return typeof value === "number" && !column.endsWith("_id")
    ? figure(value)
    : shown(value);
}
