import type { Context } from "hono";
import type { Dimension, Subject } from "../../lib/project/dashboard.ts";
import type { Names } from "../figures/figures.ts";
import type { Shown } from "../figures/shown_figures.ts";

/** Names that a filter may have at once. */
const FILTER_NAMES_MAX = 50;
/** The formats of filters, by name, and what messages call them. */
const FORMS: Record<string, { pattern: RegExp; what: string }> = {
  month: { pattern: /^\d{4}-(0[1-9]|1[0-2])$/, what: "month: YYYY-MM" },
  from: { pattern: /^\d{4}-\d\d-\d\d$/, what: "day: YYYY-MM-DD" },
  to: { pattern: /^\d{4}-\d\d-\d\d$/, what: "day: YYYY-MM-DD" },
  period: { pattern: /^(12m|all)$/, what: "period: 12m or all" },
  currency: { pattern: /^.{1,64}$/, what: "currency: up to 64 characters" },
};

/**
 * Reads the filters of a query string, by name; null if not given. Throws a
 * `RangeError` for one that has not its format.
 */
export function readFilters(
  { req }: Context,
  names: readonly string[],
): (string | null)[] {
  return names.map((name) => {
    const value = req.query(name) ?? "";
    if (value === "") return null;
    const form = FORMS[name];
    if (form !== undefined && !form.pattern.test(value)) {
      throw new RangeError(`"${value.slice(0, 40)}" is not a ${form.what}`);
    }
    return value;
  });
}

/**
 * Reads which part of the figures a page shows; undefined for all of them.
 * `lists` is a subject, or empty for no lists; `currency` goes with it, unless
 * that is a dimension like others. Throws a `RangeError` for others.
 */
export function readShown(
  context: Context,
  { subjects, names }: { subjects: readonly Subject[]; names: Names },
): Shown | undefined {
  const lists = context.req.query("lists");
  const [currency = null] = readFilters(context, ["currency"]);
  if (lists === undefined) {
    if (currency === null || "currency" in names) return undefined;
    throw new RangeError("currency needs lists: a subject, or empty for none");
  }
  if (lists === "" || subjects.some(({ name }) => name === lists)) {
    return { lists, currency };
  }
  throw new RangeError(`"${lists.slice(0, 40)}" is not a subject`);
}

/** Reads the names that a query string filters by, by dimension. */
export function readNames(
  { req }: Context,
  dimensions: readonly Dimension[],
): Names {
  return Object.fromEntries(dimensions.flatMap(({ name }) => {
    const given = (req.queries(name) ?? []).filter((one) => one !== "");
    return given.length === 0 ? [] : [[name, given.slice(0, FILTER_NAMES_MAX)]];
  }));
}
