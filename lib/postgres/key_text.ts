import { quoteNames } from "../sql/quote.ts";

/**
 * Postgres SQL for a key as one text, which is that of a row if it has several
 * columns. The prefix, such as `event.`, names the relation of these columns.
 */
export function keyText(key: readonly string[], prefix = ""): string {
  const columns = quoteNames(key, prefix);
  return key.length === 1
    ? `cast(${columns} as text)`
    : `cast(row(${columns}) as text)`;
}
