/**
 * The statements of `pg_dump --schema-only` that a contract doesn't need.
 */
import { NAME, outline } from "./ddl_text.ts";

/** What a dump creates beside tables. */
const OTHER_OBJECTS = [
  "(trusted\\s+)?(procedural\\s+)?language",
  "(unique\\s+)?index",
  "(unlogged\\s+)?sequence",
  "(default\\s+)?conversion",
  "(constraint\\s+|event\\s+)?trigger",
  "(materialized\\s+)?view",
  "foreign\\s+(data\\s+wrapper|table)",
  "access\\s+method|aggregate|cast|collation|database|domain|extension",
  "function|operator|policy|procedure|publication|rule|schema|server",
  "statistics|subscription|text\\s+search|transform|type|user\\s+mapping",
  `(unlogged\\s+)?table\\s+(${NAME}\\s*\\.\\s*)?${NAME}\\s+partition\\s+of`,
].join("|");
const BESIDE_TABLES = new RegExp(
  "^(set|select|grant|revoke|comment|alter|drop|security\\s+label" +
    "|\\\\(un)?restrict|\\\\connect" +
    `|create\\s+(or\\s+replace\\s+)?(${OTHER_OBJECTS}))(?![\\p{L}\\p{N}_])`,
  "iu",
);
const ROUTINE = /^create\s+(or\s+replace\s+)?(function|procedure)\b/i;

/** Whether a statement, without comments, creates no table nor its key. */
export function isOtherObject(statement: string): boolean {
  return BESIDE_TABLES.test(statement);
}

/**
 * Leaves out the bodies of functions in standard SQL, which are no strings:
 * `begin atomic`, statements that end with a semicolon, and `end`.
 */
export function withoutBodies(statements: readonly string[]): string[] {
  let isBody = false;
  return statements.filter((statement) => {
    const wasBody = isBody;
    const text = outline(statement).trim();
    isBody = wasBody
      ? !/^end$/i.test(text)
      : ROUTINE.test(text) && /\bbegin\s+atomic\b(?!\s+end$)/i.test(text);
    return !wasBody;
  });
}
