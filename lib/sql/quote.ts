import pg from "pg";

/** A value of the database as text, the only form in which it is passed on. */
export type TextRow = Record<string, string | null>;

/** Quotes a name for SQL, in Postgres and in DuckDB. */
export function quoteName(name: string): string {
  return pg.escapeIdentifier(name);
}

/** Quotes names for SQL, as a list. */
export function quoteNames(names: readonly string[], prefix = ""): string {
  return names.map((name) => prefix + quoteName(name)).join(", ");
}

/** Quotes a text for statements that take no parameters, such as COPY. */
export function quoteText(text: string): string {
  return pg.escapeLiteral(text);
}
