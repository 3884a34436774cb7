import { COMMENT } from "./sql_comment.ts";
import {
  depthAt,
  lower,
  type Token,
  tokenize,
  unquoted,
  words,
} from "./sql_tokens.ts";

/** The relation with the batch that is shown, and its day. */
const AS_OF = "as_of";
/**
 * What makes a row of a select depend on several rows that it reads, or on the
 * number of the batch that is shown.
 */
const OF_SEVERAL_ROWS = words(`
  batch distinct except fetch group having intersect limit offset over table
  union window
`);
/** What gives another value at another time, each time, or to somebody else. */
const CHANGING_WORDS = words(`
  current_catalog current_date current_role current_schema current_time
  current_timestamp current_user localtime localtimestamp session_user
  system_user tablesample
`);
const CHANGING_FUNCTIONS = words(`
  clock_timestamp current_query current_schemas current_setting currval
  gen_random_bytes gen_random_uuid lastval nextval now pg_backend_pid
  pg_current_snapshot pg_current_xact_id random random_normal setval
  statement_timestamp timeofday transaction_timestamp txid_current
  txid_current_snapshot uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4
  uuidv4 uuidv7
`);
/** Texts that PostgreSQL reads as a date or time of the query. */
const CHANGING_TEXT = /^\W*(now|today|tomorrow|yesterday)\b(\W*|\s+[\w/+-]+)$/i;
const TEXTS = words("text varchar char");
/** What makes a date of a text before it, if it can be one. */
const OPERATORS = words("= < > <= >= <> != + -");
/**
 * What may stand before a bracket and looks at no other row: words of SQL,
 * types, and functions of their arguments. Any other function may be an
 * aggregate, or read a table.
 */
const OF_ONE_ROW = words(`
  all and any array as between by case cast else extract from ilike in is join
  like not on or row select similar some then using values when where
  bit bpchar char character date decimal float int4 int8 interval numeric text
  time timestamp timestamptz varbit varchar varying
  coalesce greatest least nullif num_nonnulls num_nulls
  abs cbrt ceil ceiling degrees div exp factorial floor gcd lcm ln log log10 mod
  pi pow power radians round scale sign sqrt trim_scale trunc width_bucket
  age date_add date_bin date_part date_subtract date_trunc isfinite justify_days
  justify_hours justify_interval make_date make_interval make_time
  make_timestamp make_timestamptz timezone to_date to_timestamp
  ascii btrim char_length character_length chr concat concat_ws decode encode
  format initcap left length lower lpad ltrim md5 normalize octet_length overlay
  position quote_ident quote_literal quote_nullable regexp_count regexp_instr
  regexp_like regexp_match regexp_replace regexp_substr repeat replace reverse
  right rpad rtrim sha256 split_part starts_with string_to_array strpos substr
  substring to_char to_hex to_number translate trim unaccent upper
  array_append array_cat array_length array_position array_prepend array_remove
  array_to_string cardinality
  json_build_array json_build_object json_extract_path json_extract_path_text
  jsonb_array_length jsonb_build_array jsonb_build_object jsonb_extract_path
  jsonb_extract_path_text jsonb_typeof to_json to_jsonb
  daterange int4range int8range isempty lower_inc numrange tsrange tstzrange
  upper_inc
`);
/** The end of a version: another batch than the one that is shown. */
const ENDS = words("to_batch valid_to");
/** A text in dollar quotes, or what such quotes may stand in. */
const DOLLAR_QUOTED = new RegExp(
  [
    COMMENT,
    String.raw`\be'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"`,
    String.raw`(?<![\p{L}\p{N}_$])\$(?<tag>(?:[\p{L}_][\p{L}\p{N}_]*)?)\$` +
    String.raw`(?<said>[^]*?)\$\k<tag>\$`,
  ].join("|"),
  "giu",
);
/** What follows the relations of a select. */
const AFTER_FROM = words(`
  ${[...OF_SEVERAL_ROWS].join(" ")} for order where
`);

/**
 * Whether a record of the select may depend on other rows than its own of the
 * fact. Then figures can't be made from the rows that a batch changed: the
 * select must see all. In doubt it may.
 */
export function seesOtherRows(select: string, fact: string): boolean {
  const tokens = codeOf(select);
  const selects = tokens.filter((token) => lower(token) === "select").length;
  const read = relationsIn(tokens).filter((name) => name !== AS_OF);
  return selects > 1 || read.length > 1 || read[0] !== fact ||
    tokens.some((token, index) =>
      OF_SEVERAL_ROWS.has(nameOf(token)) ||
      tokens[index + 1]?.text === "(" &&
        ["word", "quoted"].includes(token.kind) &&
        (!OF_ONE_ROW.has(nameOf(token)) || isOfOwnSchema(tokens, index))
    );
}

/** Why a select does not give the same whenever the same batch is shown. */
export function selectProblems(select: string, fact: string): string[] {
  const tokens = codeOf(select);
  const found = tokens.flatMap((token, index) => {
    const name = nameOf(token);
    const isCalled = tokens[index + 1]?.text === "(";
    const isColumn = tokens[index - 1]?.text === "." && !isCalled;
    if (ENDS.has(name)) {
      return [
        `it reads ${name}, and ${fact} stands for what it held at the batch that is shown, ended since or not`,
      ];
    }
    const changes = token.kind === "string"
      ? CHANGING_TEXT.test(withoutQuotes(token)) && !isLabel(tokens, index)
      : token.kind === "word" && !isColumn && CHANGING_WORDS.has(name) ||
        isCalled && !isOfOwnSchema(tokens, index) &&
          (CHANGING_FUNCTIONS.has(name) || isAgeOfToday(tokens, index));
    return changes
      ? [
        `it has ${
          name || token.text
        }, which is not of the batch that is shown: use as_of.day${
          token.kind === "string" ? `, or ${token.text}::text for a label` : ""
        }`,
      ]
      : [];
  });
  const isRead = tokens.some((token, index) =>
    nameOf(token) === fact &&
    ["from", "join", ","].includes(textOf(tokens[index - 1]))
  );
  return [
    ...new Set(found),
    ...isRead ? [] : [`it does not read ${fact} by its name alone`],
  ];
}

/** Whether a name belongs to a schema other than PostgreSQL's own. */
function isOfOwnSchema(tokens: readonly Token[], index: number): boolean {
  return tokens[index - 1]?.text === "." &&
    nameOf(tokens[index - 2]) !== "pg_catalog";
}

/**
 * Whether a text is a label that nothing makes a date: a branch of `case`, a
 * column by itself, or one that is cast to a text.
 */
function isLabel(tokens: readonly Token[], index: number): boolean {
  const before = lower(tokens[index - 1]);
  const after = tokens[index + 1];
  if (after?.text === "::") return TEXTS.has(lower(tokens[index + 2]));
  if (OPERATORS.has(textOf(after))) return false;
  if (["then", "else"].includes(before)) return true;
  const isColumn = before === "select" || tokens[index - 1]?.text === ",";
  return isColumn && depthAt(tokens, index) === 0;
}

/** Whether `age` is called there with one argument: it counts up to today. */
function isAgeOfToday(tokens: readonly Token[], index: number): boolean {
  if (lower(tokens[index]) !== "age") return false;
  let depth = 0;
  for (const { text } of tokens.slice(index + 1)) {
    if (text === "," && depth === 1) return false;
    if (text === "(") depth++;
    if (text === ")" && --depth === 0) return true;
  }
  return false;
}

/** What a string says. */
function withoutQuotes({ text }: Token): string {
  return text.replace(/^e?'|'$/gi, "");
}

/** The relations of the first FROM that is in no brackets. */
function relationsIn(tokens: readonly Token[]): string[] {
  const relations: string[] = [];
  let depth = 0;
  let isFrom = false;
  for (const [index, token] of tokens.entries()) {
    const word = textOf(token);
    if (word === "(") depth++;
    if (word === ")") depth--;
    if (depth > 0) continue;
    if (AFTER_FROM.has(word)) isFrom = false;
    if (word === "from") isFrom = true;
    if (!isFrom || !["from", "join", ","].includes(word)) continue;
    const isQualified = tokens[index + 2]?.text === ".";
    relations.push(isQualified ? "" : nameOf(tokens[index + 1]));
  }
  return relations;
}

/**
 * Its tokens, without comments and the words of `is distinct from`; texts in
 * dollar quotes are in plain ones.
 */
function codeOf(select: string): Token[] {
  const plain = select.replaceAll(DOLLAR_QUOTED, (whole, ...rest) => {
    const { said }: { said?: string } = rest.at(-1);
    return said === undefined ? whole : `'${said.replaceAll("'", "''")}'`;
  });
  const code = tokenize(plain).filter(({ kind }) => kind !== "comment");
  const isComparison = (index: number) =>
    lower(code[index]) === "distinct" && lower(code[index + 1]) === "from" &&
    ["is", "not"].includes(lower(code[index - 1]));
  return code.filter((_, index) =>
    !isComparison(index) && !isComparison(index - 1)
  );
}

/** A word in lower case, or a sign. */
function textOf(token: Token | undefined): string {
  return token?.kind === "sign" ? token.text : lower(token);
}

/** A name as PostgreSQL stores it; empty for what is no name. */
function nameOf(token: Token | undefined): string {
  return token?.kind === "quoted" ? unquoted(token.text) : lower(token);
}
