/**
 * Reads DDL, as far as the contract and the migrations need PostgreSQL's
 * grammar, and no further.
 */

import { COMMENT } from "./sql_comment.ts";
import { unquoted } from "./sql_tokens.ts";
import { foldName } from "../sql/fold_name.ts";

/** A pattern for a name, plain or in quotes. */
export const NAME = String.raw`(?:"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*)`;

/** A column as `create table` declares it. */
export interface DeclaredColumn {
  /** Lower case except quoted names, single spaces, brackets included. */
  type: string;
  notNull: boolean;
}

/** A word that may follow a column's type. */
const AFTER_TYPE =
  /\s+(?:not\s+null|null|default|primary\s+key|unique|check|references|generated|constraint|collate|using|storage|compression)\b/i;

/** The beginning of an item of `create table` that is not a column. */
export const NO_COLUMN =
  /^(?:(?:primary\s+key|unique|check|foreign\s+key|constraint|like|not\s+null)\b|exclude\s*(?:\(|using\b))/i;

const KEY = new RegExp(
  `^(?:constraint\\s+${NAME}\\s+)?(primary\\s+key|unique(?:\\s+nulls(?:\\s+not)?\\s+distinct)?)\\s*\\((.*)$`,
  "isu",
);
/** A comment, a string, a quoted name, a word, blanks, or another character. */
const TOKENS = new RegExp(
  [
    COMMENT,
    String.raw`(\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$)[\s\S]*?\1`,
    String.raw`\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'`,
    String.raw`'(?:[^']|'')*'`,
    String.raw`"(?:[^"]|"")*"`,
    // Character by character it takes four times as long.
    String.raw`\w+|\s+`,
    String.raw`[\s\S]`,
  ].join("|"),
  "gu",
);

/** A name as PostgreSQL stores it. */
export function plainName(name: string): string {
  return name.startsWith('"') ? unquoted(name) : foldName(name);
}

/** The text up to the bracket that closes one opened before the text. */
export function untilBracket(sql: string): string {
  let depth = 1;
  for (const { 0: token, index } of sql.matchAll(TOKENS)) {
    depth += token === "(" ? 1 : token === ")" ? -1 : 0;
    if (depth === 0) return sql.slice(0, index);
  }
  return sql;
}

/** Splits SQL at separators outside brackets, strings and comments. */
export function splitSql(
  sql: string,
  separator: string,
  options: { comments?: boolean } = {},
): string[] {
  const parts = [""];
  let depth = 0;
  for (const [token] of sql.matchAll(TOKENS)) {
    if (token.startsWith("--") || token.startsWith("/*")) {
      if (options.comments) parts.push((parts.pop() ?? "") + token);
      continue;
    }
    if (token === "(") depth++;
    if (token === ")") depth--;
    if (token === separator && depth === 0) parts.push("");
    else parts.push((parts.pop() ?? "") + token);
  }
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

/** Reads the declaration that follows a column's name in `create table`. */
export function readColumn(rest: string): DeclaredColumn {
  const end = AFTER_TYPE.exec(` ${rest}`)?.index ?? rest.length + 1;
  return {
    type: ` ${rest}`.slice(0, end).trim()
      .replace(
        /"(?:[^"]|"")*"|[^"]+/g,
        (part) =>
          part.startsWith('"') ? unquotedType(part) : part.toLowerCase(),
      )
      .replace(/\s+/g, " ").replace(/\s*([(,])\s*/g, "$1").replace(
        /\s+\)/g,
        ")",
      ),
    notNull: /\bnot\s+null\b|\bprimary\s+key\b/i.test(outline(rest)),
  };
}

/** Types that quotes make another one of: `"char"` is none of characters. */
const OTHER_IN_QUOTES =
  /^"(?:bigint|bit|boolean|char|character|dec|decimal|float|int|integer|interval|nchar|numeric|real|(?:big|small)?serial[248]?|smallint|time|timestamp|varchar)"$/;

/** A type without the quotes that its names don't need. */
export function unquotedType(type: string): string {
  return type.replace(
    /"[a-z_][a-z0-9_]*"/g,
    (name) => OTHER_IN_QUOTES.test(name) ? name : name.slice(1, -1),
  );
}

/** A key that a table or a column declares. */
export interface DeclaredKey {
  isPrimary: boolean;
  names: string[];
}

/** The key that an item of `create table` or `add` declares. */
export function readKey(item: string): DeclaredKey | undefined {
  const [, word, names = ""] = KEY.exec(item) ?? [];
  if (word === undefined) return undefined;
  return {
    isPrimary: /^p/i.test(word),
    names: splitSql(untilBracket(names), ",")
      .map((name) => plainName(name.replace(/\s+without\s+overlaps$/i, ""))),
  };
}

/** The key that a column's own declaration makes it. */
export function readColumnKey(
  name: string,
  rest: string,
): DeclaredKey | undefined {
  const [, word] = /\b(primary\s+key|unique)\b/i.exec(outline(rest)) ?? [];
  return word === undefined
    ? undefined
    : { isPrimary: /^p/i.test(word), names: [name] };
}

/**
 * SQL without comments, strings, quoted names and what stands in brackets, such
 * as the expression of a generated column, which may say `is not null`.
 */
export function outline(sql: string): string {
  let depth = 0;
  let found = "";
  for (const [token] of sql.matchAll(TOKENS)) {
    if (token === ")") depth--;
    const isPlain = token.length === 1 || /^[\w\s]+$/.test(token);
    if (depth === 0) found += isPlain ? token : " ";
    if (token === "(") depth++;
  }
  return found;
}

/** A statement without the comments before it, which mean nothing. */
export function withoutProse(statement: string): string {
  return statement.replace(
    /^(?:\s+|--[^\n]*(?:\n|$)|\/\*(?:(?!\/\*).)*?\*\/)+/s,
    "",
  );
}
