import { quoteText } from "./postgres.ts";

/**
 * A path as DuckDB's readers take it, quoted: what they would read as a
 * pattern (`*`, `?`, `[`) stands for itself.
 */
export function quotePath(path: string): string {
  return quoteText(path.replace(/[*?[]/g, "[$&]"));
}
