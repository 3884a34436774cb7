/** How deep comments may stand in each other, beyond what anybody writes. */
const DEPTH_MAX = 8;

/**
 * A pattern for a comment of SQL. In PostgreSQL and DuckDB one between slashes
 * and stars may hold others
 * (https://www.postgresql.org/docs/current/sql-syntax-lexical.html).
 */
export const COMMENT = String.raw`--[^\n]*|${blockComment(DEPTH_MAX)}`;

function blockComment(depth: number): string {
  const inner = depth === 1 ? "" : `|${blockComment(depth - 1)}`;
  return String.raw`/\*(?:[^*/]|\*(?!/)|/(?!\*)${inner})*\*/`;
}
