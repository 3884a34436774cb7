import { COMMENT } from "./sql_comment.ts";
import { foldName } from "../sql/fold_name.ts";

/** A word, sign or comment of SQL, and where it stands. */
export interface Token {
  kind: "word" | "quoted" | "string" | "number" | "sign" | "comment";
  text: string;
  /** The lines of its first and its last character, counted from 1. */
  line: number;
  lineEnd: number;
}

/**
 * The tokens of some SQL. Only dollar quotes are dropped, so that a function's
 * body is linted as well.
 */
export function tokenize(text: string): Token[] {
  const pattern = new RegExp(
    [
      `(?<comment>${COMMENT})`,
      String.raw`(?<string>\be'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')`,
      String.raw`(?<quoted>"(?:[^"]|"")*")`,
      String.raw`(?<dollar>\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$)`,
      String.raw`(?<word>[\p{L}_][\p{L}\p{N}_$]*)`,
      String.raw`(?<number>\d[\d._]*)`,
      String.raw`(?<sign>::|\|\||<=|>=|<>|!=|->|//|[^\s])`,
    ].join("|"),
    "giu",
  );
  const tokens: Token[] = [];
  let line = 1;
  let read = 0;
  for (const match of text.matchAll(pattern)) {
    line += countBreaks(text.slice(read, match.index));
    const lineEnd = line + countBreaks(match[0]);
    read = match.index + match[0].length;
    const kind = Object.entries(match.groups ?? {})
      .find(([, value]) => value !== undefined)?.[0];
    if (isKind(kind)) tokens.push({ kind, text: match[0], line, lineEnd });
    line = lineEnd;
  }
  return tokens;
}

function isKind(name: string | undefined): name is Token["kind"] {
  return name !== undefined && name !== "dollar";
}

function countBreaks(text: string): number {
  return text.split("\n").length - 1;
}

/** A set of words, from a text. */
export function words(list: string): ReadonlySet<string> {
  return new Set(list.trim().split(/\s+/));
}

/** A token that is a word, in lower case; else an empty text. */
export function lower(token: Token | undefined): string {
  return token?.kind === "word" ? foldName(token.text) : "";
}

/** In how many brackets the token at an index is. */
export function depthAt(tokens: readonly Token[], index: number): number {
  let depth = 0;
  for (const { text } of tokens.slice(0, index)) {
    if (text === "(") depth++;
    if (text === ")") depth--;
  }
  return depth;
}

/** A name without the quotes that it may have. */
export function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
