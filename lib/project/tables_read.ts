import { COMMENT } from "./sql_comment.ts";
import { unquoted } from "./sql_tokens.ts";
import { foldName } from "../sql/fold_name.ts";

/** Comments, strings (dollar-quoted ones too), names, and other characters. */
const TOKENS = new RegExp(
  [
    COMMENT,
    String.raw`\be'(?:[^'\\]|\\[\s\S]|'')*'`,
    String.raw`'(?:[^']|'')*'`,
    String.raw`\$(?<tag>(?:[\p{L}_][\p{L}\p{N}_]*)?)\$[\s\S]*?\$\k<tag>\$`,
    String.raw`(?<name>"(?:[^"]|"")*"|[\p{L}_][\p{L}\p{N}_$]*)`,
    String.raw`(?<sign>\S)`,
  ].join("|"),
  "giu",
);

/** Strings and quoted names, or a run of white space and comments. */
const TEXTS_AND_BLANKS = new RegExp(
  [
    String.raw`\be'(?:[^'\\]|\\[\s\S]|'')*'`,
    String.raw`'(?:[^']|'')*'`,
    String.raw`"(?:[^"]|"")*"`,
    String.raw`\$((?:[\p{L}_][\p{L}\p{N}_]*)?)\$[\s\S]*?\$\1\$`,
    String.raw`(?:\s|${COMMENT})+`,
  ].join("|"),
  "giu",
);

/** The schemas that hold a batch's tables. */
const SCHEMAS: readonly string[] = ["arrived", "changed", "current"];

/**
 * The source tables that a query of the folder `sql/` reads from these schemas,
 * in the order in which it names them. Comments and strings are skipped;
 * transform compares this with what DuckDB parses.
 */
export function tablesRead(
  sql: string,
  schemas: readonly string[] = SCHEMAS,
): string[] {
  const tokens = [...sql.matchAll(TOKENS)].flatMap(({ groups }) => {
    const { name, sign } = groups ?? {};
    return name !== undefined
      ? [unquoted(name)]
      : sign !== undefined
      ? [sign]
      : [];
  });
  const read = tokens.flatMap((token, index) => {
    const [dot, table] = tokens.slice(index + 1, index + 3);
    const isRead = schemas.includes(foldName(token)) && dot === "." &&
      table !== undefined && tokens[index - 1] !== ".";
    return isRead ? [foldName(table)] : [];
  });
  return [...new Set(read)];
}

/** SQL without comments, and with single spaces. */
export function withoutComments(sql: string): string {
  return sql.replace(
    TEXTS_AND_BLANKS,
    (found) => /^(?:--|\/\*|\s)/.test(found) ? " " : found,
  ).trim();
}

/**
 * SQL up to its last word, so that more may follow it: without the semicolon,
 * comments and blanks at its end. A text of nothing else stays as it is.
 */
export function withoutEnd(sql: string): string {
  let end = 0;
  for (const { 0: token, index } of sql.matchAll(TOKENS)) {
    const isPassedOver = token === ";" || /^(?:--|\/\*)/.test(token);
    if (!isPassedOver) end = index + token.length;
  }
  return end === 0 ? sql : sql.slice(0, end);
}
