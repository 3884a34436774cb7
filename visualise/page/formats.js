// How values are written, by the reader's locale.

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const exact = new Intl.NumberFormat(undefined, { maximumFractionDigits: 3 });
const compact = new Intl.NumberFormat(undefined, { notation: "compact" });
const times = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "medium",
});
// Days and months are of no time zone.
const days = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeZone: "UTC",
});
const months = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  timeZone: "UTC",
});
/** Columns of figures; other numbers are names, such as a key. */
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

/** A number at a glance. */
export function rounded(value) {
  return (Math.abs(value) < 10 ? tenths : whole).format(value);
}

/** A number where there is little room. */
export function short(value) {
  return compact.format(value);
}

/** A figure as it is; as text, since a total may pass what a number holds. */
export function figure(value) {
  return exact.format(value);
}

export function isFigure(column) {
  return FIGURES.has(column);
}

export function isNumber(value) {
  return /^-?\d+(\.\d+)?$/.test(String(value ?? ""));
}

/** A month, YYYY-MM, as people write it. */
export function month(text) {
  return /^\d{4}-\d\d$/.test(text)
    ? months.format(new Date(`${text}-01T00:00Z`))
    : text;
}

/** As people read it: a time, a day, a month; everything else as it is. */
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

/** A value of a fact's column, as the database's JSON gives it. */
export function shownValue(column, value) {
  return typeof value === "number" && !column.endsWith("_id")
    ? figure(value)
    : shown(value);
}
