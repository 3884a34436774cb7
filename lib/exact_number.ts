/** Numbers of at most 15 digits are different ones in JavaScript, too. */
const DIGITS_MAX = 15;

/**
 * A reviver for `JSON.parse` that keeps a number as its text where JavaScript
 * might round it.
 */
export function exactNumber(
  _: string,
  value: unknown,
  { source = "" }: { source?: string } = {},
): unknown {
  return typeof value === "number" &&
      source.replaceAll(/\D/g, "").length > DIGITS_MAX
    ? source
    : value;
}
