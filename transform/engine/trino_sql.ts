import { lintShared } from "../../lib/project/shared_sql.ts";
import {
  depthAt,
  lower,
  type Token,
  tokenize,
  unquoted,
  words,
} from "../../lib/project/sql_tokens.ts";

/** Words that a bracket may follow, and functions that answer alike. */
const KNOWN_BEFORE_BRACKET = words(`
  abs all and any as between by case cast coalesce count cross date_diff
  decimal dense_rank distinct else except exists extract filter first_value
  from having in intersect join lag last_value lead like max min not nullif
  numeric on or over rank row_number select sum then union using values when
  where
`);
/** Types that mean another one to the other engine unless they say more. */
const NOT_TYPES = words("char character real float decimal numeric");
/** Functions whose units other than days are counted otherwise. */
const DAY = "'day'";

/**
 * Why a query might give other rows in Trino than in DuckDB; undefined if each
 * of its parts was tried in both. It is stricter than the linter, which knows
 * what differs: this knows what does not.
 */
export function trinoProblem(sql: string): string | undefined {
  const tokens = codeOf(sql);
  const [fault] = lintShared(tokens);
  if (fault !== undefined) return `line ${fault.line}: ${fault.message}`;
  for (const [index, token] of tokens.entries()) {
    const [before, next, second] = [
      tokens[index - 1],
      tokens[index + 1],
      tokens[index + 2],
    ];
    const word = lower(token);
    const isNew = (found: string) =>
      `line ${token.line}: ${found} was not tried in Trino`;
    if (token.kind === "number" && /^e\d*$/.test(lower(next))) {
      return isNew("a number with an exponent");
    }
    if (token.kind === "string" && !token.text.startsWith("'")) {
      return isNew("a string with escapes");
    }
    if (
      next?.text === "(" && word !== "" && before?.text !== "." &&
      !KNOWN_BEFORE_BRACKET.has(word) && !isType(tokens, index)
    ) return isNew(`${token.text}()`);
    if (word === "date_diff" && second?.text !== DAY) {
      return isNew("date_diff() in another unit than 'day'");
    }
    if (lower(before) === "as" && next?.text === ")" && NOT_TYPES.has(word)) {
      return isNew(`a cast to ${token.text} without digits`);
    }
    if (["varchar", "text"].includes(word) && next?.text === "(") {
      return isNew(`${token.text} with a length`);
    }
  }
}

/**
 * A query that gives in Trino what it gives in DuckDB, reading tables by other
 * names: times keep their microseconds, a text of one has no zeros at its end,
 * and days are counted between dates.
 */
export function trinoSql(
  sql: string,
  tableName: (schema: string, table: string) => string,
): string {
  return rewrite(codeOf(sql), tableName);
}

function rewrite(
  tokens: readonly Token[],
  tableName: (schema: string, table: string) => string,
): string {
  const written: string[] = [];
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index];
    if (token === undefined) break;
    const [before, next, second] = [
      tokens[index - 1],
      tokens[index + 1],
      tokens[index + 2],
    ];
    const word = lower(token);
    const isRead = ["changed", "current"].includes(word) &&
      next?.text === "." && before?.text !== "." && second !== undefined;
    if (isRead) {
      written.push(tableName(word, unquoted(second.text)));
      index += 2;
    } else if (["cast", "date_diff"].includes(word) && next?.text === "(") {
      const end = closing(tokens, index + 1);
      const inside = tokens.slice(index + 2, end);
      written.push(
        word === "cast"
          ? castSql(inside, tableName)
          : daysSql(inside, tableName),
      );
      index = end;
    } else written.push(token.text);
  }
  return written.join(" ");
}

/** A cast, from the tokens between its brackets. */
function castSql(
  inside: readonly Token[],
  tableName: (schema: string, table: string) => string,
): string {
  const split = inside.findLastIndex((token, index) =>
    lower(token) === "as" && depthAt(inside, index) === 0
  );
  const value = rewrite(inside.slice(0, split), tableName);
  const type = inside.slice(split + 1).map(({ text }) => text).join(" ");
  const name = type.toLowerCase();
  if (name === "time") return timeSql(value);
  if (name === "timestamp") return `cast(${value} as ${type}(6))`;
  if (["varchar", "text"].includes(name)) return textSql(value);
  return `cast(${value} as ${type})`;
}

/**
 * The time of day of a moment, by its text: Trino 476 is a second off where it
 * casts one before 1970 that has a fraction of a second.
 */
function timeSql(value: string): string {
  return `cast(regexp_extract(cast(${value} as varchar), '[^ ]+$') as time(6))`;
}

/**
 * A value as DuckDB writes it: a fraction of a second has no zeros at its end.
 * What Trino writes otherwise makes the query fail: floats, years of more or
 * less than four digits.
 */
function textSql(value: string): string {
  const text = `cast(${value} as varchar)`;
  const type = `typeof(${value})`;
  const shortened =
    `regexp_replace(regexp_replace(${text}, '(\\.\\d*?)0+$', '$1'), '\\.$', '')`;
  const failed = (what: string) => `cast(fail('${what}') as varchar)`;
  return `case
    when ${type} like '%zone' then ${failed("a moment as text")}
    when ${type} like 'time(%' then ${shortened}
    when ${type} = 'date' or ${type} like 'timestamp(%' then case
      when ${text} is null or regexp_like(${text}, '^\\d{4}-') then
        case when ${type} = 'date' then ${text} else ${shortened} end
      else ${failed("a year of more or less than four digits as text")} end
    when regexp_like(${type},
      '^(varchar|decimal|tinyint|smallint|integer|bigint|boolean|unknown)')
      then ${text}
    else ${failed("a value of this type as text")}
  end`;
}

/** The days between two values, from the tokens in `date_diff`'s brackets. */
function daysSql(
  inside: readonly Token[],
  tableName: (schema: string, table: string) => string,
): string {
  const [, first, second] = inside.flatMap((token, index) =>
    token.text === "," && depthAt(inside, index) === 0 ? [index] : []
  ).reduce<Token[][]>(
    (parts, comma, index, commas) => [
      ...parts,
      inside.slice(comma + 1, commas[index + 1]),
    ],
    [[]],
  ).map((part) => `cast(${rewrite(part, tableName)} as date)`);
  return `date_diff(${DAY}, ${first}, ${second})`;
}

function codeOf(sql: string): Token[] {
  return tokenize(sql).filter(({ kind }) => kind !== "comment");
}

/** Whether a word is the name of a cast's type, as in `as decimal(10, 2)`. */
function isType(tokens: readonly Token[], index: number): boolean {
  return lower(tokens[index - 1]) === "as";
}

/** The index of the bracket that closes the one at an index. */
function closing(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let index = open; index < tokens.length; index++) {
    const text = tokens[index]?.text;
    if (text === "(") depth++;
    if (text === ")" && --depth === 0) return index;
  }
  return tokens.length;
}
