import { listOf, readHeader } from "../lib/project/header_fields.ts";
import { tablesRead } from "../lib/project/tables_read.ts";
import { type Fault, lintShared } from "../lib/project/shared_sql.ts";
import {
  lower,
  type Token,
  tokenize,
  words,
} from "../lib/project/sql_tokens.ts";

/** A fault in an SQL file. */
export interface LintFinding {
  /** The path as given. */
  file: string;
  /** Counted from 1. */
  line: number;
  message: string;
}

/**
 * Finds where an SQL file departs from the house style. The folder decides what
 * else is checked: in `sql/models` the header, and that only SQL shared by all
 * engines is used; in `sql/quarantine` and `sql/checks` the header and the
 * form.
 *
 * It works on tokens and not on what DuckDB's parser returns: that takes selects
 * only, not the DDL and PL/pgSQL of half of the files, and has lost what a style
 * is about: case, layout, `as`, `inner`, whether a cast was written as `::`.
 */
export function lintSql(file: string, text: string): LintFinding[] {
  const tokens = tokenize(text);
  const role = roleOf(file);
  const found = [
    ...lintLines(text, tokens),
    ...lintWords(tokens),
    ...lintAliases(tokens, role !== "script"),
  ];
  if (role !== "script") {
    found.push(...lintBareSelect(tokens), ...lintHeader(role, text));
  }
  if (role === "model") {
    found.push(...lintShared(tokens), ...lintReads(text));
  }
  if (role === "check") found.push(...lintCheck(file, tokens));
  return found
    .sort((one, other) => one.line - other.line)
    .map((fault) => ({ file, ...fault }));
}

type Role = "model" | "quarantine" | "check" | "script";

const COLUMNS_MAX = 80;
const INDENT = 4;
const HEADERS: Record<Exclude<Role, "script">, Record<string, RegExp>> = {
  model: {
    "Grain:": /^-- Grain: \S/m,
    "Key:": /^-- Key: \S/m,
    "Reads:": /^-- Reads: \S/m,
  },
  quarantine: { "Key:": /^-- Key: \S/m, "Reads:": /^-- Reads: \S/m },
  check: {
    "Severity: error (or warning)": /^-- Severity: (error|warning)$/m,
  },
};

/** Words that may follow an operand or a table and are not its alias. */
const KEYWORDS = words(`
  all and anti as asc asof between by case check collate conflict constraint
  create cross current deferrable delete desc distinct do else end escape except
  execute exists fetch filter for from full grant group having ilike in inner
  insert intersect interval into is isnull join key lateral left like limit loop
  natural no not notnull null nulls of offset on only or order ordinality outer
  over partition preceding primary qualify raise range references restrict
  returning revoke right rows select semi set similar skip start table
  tablesample then to union update using values when where window with within
  without
`);

const JOIN_KINDS = words("inner left right full cross outer natural");

function roleOf(file: string): Role {
  const path = file.replaceAll("\\", "/");
  if (/(^|\/)sql\/models\//.test(path)) return "model";
  if (/(^|\/)sql\/quarantine\//.test(path)) return "quarantine";
  if (/(^|\/)sql\/checks\//.test(path)) return "check";
  return "script";
}

function lintLines(text: string, tokens: Token[]): Fault[] {
  const faults: Fault[] = [];
  const inToken = linesInsideToken(tokens);
  const lines = text.split("\n");
  if (lines.at(-1) !== "") {
    faults.push({ line: lines.length, message: "no line break at the end" });
  }
  for (const [index, content] of lines.entries()) {
    const line = index + 1;
    const columns = [...content].length;
    if (columns > COLUMNS_MAX) {
      const message = `${columns} columns, more than ${COLUMNS_MAX}`;
      faults.push({ line, message });
    }
    if (content.includes("\t")) faults.push({ line, message: "a tab" });
    if (/\s$/.test(content)) faults.push({ line, message: "trailing blanks" });
    const indent = content.length - content.trimStart().length;
    if (indent % INDENT !== 0 && content.trim() && !inToken.has(line)) {
      const message = `indented by ${indent}, not a multiple of ${INDENT}`;
      faults.push({ line, message });
    }
  }
  return faults;
}

/** Lines that begin inside a string or comment: their indent is part of it. */
function linesInsideToken(tokens: Token[]): Set<number> {
  const inside = new Set<number>();
  for (const token of tokens) {
    for (let line = token.line + 1; line <= token.lineEnd; line++) {
      inside.add(line);
    }
  }
  return inside;
}

function lintWords(tokens: Token[]): Fault[] {
  return tokens
    .filter((token) => token.kind === "word")
    .filter((token) => token.text !== token.text.toLowerCase())
    .map(({ line, text }) => ({
      line,
      message: `"${text}" not in lower case`,
    }));
}

/** In scripts a column alias may look like a type, so only tables count. */
function lintAliases(tokens: Token[], isQuery: boolean): Fault[] {
  const faults: Fault[] = [];
  const code = tokens.filter((token) => token.kind !== "comment");
  for (const [index, token] of code.entries()) {
    const before = code[index - 1];
    const after = code[index + 1];
    const { line } = token;
    const word = token.kind === "word" ? token.text.toLowerCase() : "";
    if (word === "join" && !JOIN_KINDS.has(lower(before))) {
      const message = "join without its kind (inner, left, cross, full)";
      faults.push({ line, message });
    }
    const isNamed = lower(before) === "as" || lower(after) === "as";
    if (/^\p{L}$/u.test(word) && isNamed) {
      faults.push({ line, message: `one-letter alias "${token.text}"` });
    }
    const isAlias = token.kind === "quoted" ||
      (word !== "" && !KEYWORDS.has(word));
    const follows = isQuery
      ? endsOperand(before, code[index - 2])
      : endsTable(code, index - 1);
    if (isAlias && follows) {
      faults.push({ line, message: `alias ${quote(token)} without as` });
    }
  }
  return faults;
}

function quote(token: Token): string {
  return token.kind === "quoted" ? token.text : `"${token.text}"`;
}

function endsOperand(
  token: Token | undefined,
  before: Token | undefined,
): boolean {
  if (token === undefined) return false;
  if (token.kind === "word") {
    const word = token.text.toLowerCase();
    if (word === "end" || word === "null") return true;
    return !KEYWORDS.has(word);
  }
  if (token.text === "*") {
    return before?.text === "." || lower(before) === "select";
  }
  return token.kind !== "sign" || token.text === ")";
}

/** Whether the token at `index` ends a table's name after from or join. */
function endsTable(code: Token[], index: number): boolean {
  let start = index;
  while (isName(code[start]) && code[start - 1]?.text === ".") start -= 2;
  return isName(code[start]) &&
    ["from", "join"].includes(lower(code[start - 1]));
}

function isName(token: Token | undefined): boolean {
  if (token?.kind === "quoted") return true;
  return token?.kind === "word" && !KEYWORDS.has(token.text.toLowerCase());
}

function lintBareSelect(tokens: Token[]): Fault[] {
  const faults = tokens
    .filter((token) => token.text === ";")
    .map(({ line }) => ({
      line,
      message: "a semicolon: it is one bare select",
    }));
  const first = tokens.find((token) => token.kind !== "comment");
  if (!["select", "with"].includes(lower(first))) {
    const message = "does not begin with select or with";
    faults.push({ line: first?.line ?? 1, message });
  }
  return faults;
}

function lintHeader(role: Exclude<Role, "script">, text: string): Fault[] {
  const header = /^(--.*\n)*/.exec(text)?.[0] ?? "";
  const faults: Fault[] = [];
  for (const [label, pattern] of Object.entries(HEADERS[role])) {
    if (pattern.test(header)) continue;
    faults.push({ line: 1, message: `no "${label}" in the header` });
  }
  if (!/^-- (?!(Grain|Key|Reads|Why|Severity):)\S/.test(header)) {
    faults.push({ line: 1, message: "the header does not say what it is" });
  }
  return faults;
}

/** Compares the header's `Reads:`, which may span lines, with the SQL. */
function lintReads(text: string): Fault[] {
  const listed = new Set(listOf(readHeader(text).fields.get("Reads") ?? ""));
  const read = new Set(
    ["changed", "current"].flatMap((schema) =>
      tablesRead(text, [schema]).map((table) => `${schema}.${table}`)
    ),
  );
  return [...listed.symmetricDifference(read)].map((name) => ({
    line: 1,
    message: listed.has(name)
      ? `the header's Reads names ${name}, which is not read`
      : `the header's Reads lacks ${name}`,
  }));
}

function lintCheck(file: string, tokens: Token[]): Fault[] {
  const model = /([^/\\]+?)__[^/\\]+\.sql$/.exec(file)?.[1];
  if (model === undefined) {
    return [{ line: 1, message: "not named <model>__<rule>.sql" }];
  }
  const code = tokens.filter((token) => token.kind !== "comment");
  const names = new Set(code.map(lower));
  const faults: Fault[] = [];
  if (!names.has(`checked_${model}`)) {
    faults.push({ line: 1, message: `does not read checked_${model}` });
  }
  for (const column of ["key", "finding"]) {
    const given = code.some((token, index) =>
      lower(token) === column && lower(code[index - 1]) === "as"
    );
    if (!given) {
      faults.push({ line: 1, message: `has no column "${column}"` });
    }
  }
  return faults;
}
