import { quoteName } from "../sql/quote.ts";

/**
 * DuckDB SQL for a key as one text, from the texts of its columns. A list
 * quotes characters that would make two keys of several columns look alike.
 */
export function keyText(texts: readonly string[]): string {
  return texts.length === 1
    ? texts.join()
    : `cast([${texts.join(", ")}] as varchar)`;
}

/** DuckDB SQL for a column of a key as text. */
export function keyColumnText(name: string): string {
  return `cast(${quoteName(name)} as varchar)`;
}
