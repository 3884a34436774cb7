import { isText, WAREHOUSE_TYPES } from "./warehouse_type.ts";

/** What a warehouse's column must become to hold what a model's gives. */
export type TypeChange =
  /** It holds it as it is, or nothing is known of it: the values will tell. */
  | { kind: "fits" }
  /** A wider type, which holds all that is there too. */
  | { kind: "widen"; to: string }
  /** Another type, which what is there has no place in. */
  | { kind: "replace"; to: string };

/** Digits before the point that a type of whole numbers needs. */
const INTEGER_DIGITS: Readonly<Record<string, number>> = {
  smallint: 5,
  integer: 10,
  bigint: 19,
};
/** Digits that a float keeps of any number. */
const FLOAT_DIGITS: Readonly<Record<string, number>> = {
  real: 6,
  "double precision": 15,
};
/** Each holds what those before it hold. */
const WIDENING: readonly (readonly string[])[] = [
  ["smallint", "integer", "bigint"],
  ["real", "double precision"],
  ["date", "timestamp without time zone", "timestamp with time zone"],
];
/** Fractions of a second that a column made by hand cuts off. */
const ROUNDED = /^(time|timestamp)\([0-5]\) (with|without) time zone$/;
const MOMENT = /^(time|timestamp)\b/;
/** Beside those, an interval may be cut to some of its fields. */
const CUT_INTERVAL = /^interval[ (][^[]*$/;
/** Arrays do so with what they hold, and round a numeric. */
const CUT_ARRAY =
  /^(numeric(?=\()|(?:timestamp|time|interval)(?=[^[]*\([0-5]\)))[^[]*?( with(?:out)? time zone)?((?:\[\])+)$/;
const FLOAT = /^(real|double precision)$/;
const KNOWN = new Set(WAREHOUSE_TYPES);

/**
 * What a column of the warehouse must become for values of another type of the
 * warehouse. Both are as `format_type` writes them.
 */
export function typeChange(present: string, wanted: string): TypeChange {
  if (present === wanted) return { kind: "fits" };
  const rounded = ROUNDED.exec(present);
  if (rounded !== null && (wanted === "text" || MOMENT.test(wanted))) {
    const [, base, zone] = rounded;
    return { kind: "widen", to: `${base} ${zone} time zone` };
  }
  // It has two digits after the point, and reads as no number.
  if (present === "money" && wanted !== "text") {
    return { kind: "widen", to: "numeric" };
  }
  const wasText = isText(present);
  if (wanted === "text") {
    if (present === "text") return { kind: "fits" };
    if (CUT_INTERVAL.test(present)) return { kind: "widen", to: "interval" };
    const [, element, zone = "", array] = CUT_ARRAY.exec(present) ?? [];
    if (element !== undefined) {
      return { kind: "widen", to: `${element}${zone}${array}` };
    }
    return wasText || FLOAT.test(present) || numberOf(present) !== undefined
      ? { kind: "widen", to: "text" }
      : { kind: "fits" };
  }
  const [own, other] = [numberOf(present), numberOf(wanted)];
  if (own !== undefined && other !== undefined) {
    return widerNumber(present, { own, other, wanted });
  }
  if (own !== undefined && FLOAT.test(wanted)) return forFloat(own);
  if (other !== undefined && FLOAT.test(present)) {
    const { before, after } = other;
    return before + after <= (FLOAT_DIGITS[present] ?? 0)
      ? { kind: "fits" }
      : { kind: "replace", to: wanted };
  }
  const widening = WIDENING.find((types) =>
    types.includes(present) && types.includes(wanted)
  );
  if (widening !== undefined) {
    return widening.indexOf(present) < widening.indexOf(wanted)
      ? { kind: "widen", to: wanted }
      : { kind: "fits" };
  }
  // Of a type that a person chose, the values tell whether it holds them.
  const isChosen = !wasText && own === undefined && !KNOWN.has(present);
  const isInexact = [present, wanted].some((type) => FLOAT.test(type));
  const isJson = wanted === "json" || wanted === "interval";
  return isChosen || (isInexact && !wasText) || isJson
    ? { kind: "fits" }
    : { kind: "replace", to: wanted };
}

/** Digits before and after the point; undefined: no exact number. */
interface Digits {
  before: number;
  after: number;
}

function numberOf(type: string): Digits | undefined {
  const digits = INTEGER_DIGITS[type];
  if (digits !== undefined) return { before: digits, after: 0 };
  if (type === "numeric") return { before: Infinity, after: Infinity };
  const [, precision, scale] = /^numeric\((\d+),(-?\d+)\)$/.exec(type) ?? [];
  if (precision === undefined) return undefined;
  const after = Number(scale);
  return { before: Number(precision) - after, after };
}

/** A number with a fixed count of digits after the point rounds a float. */
function forFloat({ before, after }: Digits): TypeChange {
  if (after === Infinity) return { kind: "fits" };
  const to = "double precision";
  return before + after <= (FLOAT_DIGITS[to] ?? 0)
    ? { kind: "widen", to }
    : { kind: "replace", to };
}

function widerNumber(
  present: string,
  options: { own: Digits; other: Digits; wanted: string },
): TypeChange {
  const { own, other, wanted } = options;
  if (own.before >= other.before && own.after >= other.after) {
    return { kind: "fits" };
  }
  if (present in INTEGER_DIGITS && wanted in INTEGER_DIGITS) {
    return { kind: "widen", to: wanted };
  }
  const before = Math.max(own.before, other.before);
  const after = Math.max(own.after, other.after);
  return { kind: "widen", to: `numeric(${before + after},${after})` };
}
