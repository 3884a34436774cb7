import { lower, type Token, tokenize, words } from "./sql_tokens.ts";

/** The relation with the batch that is shown, and its day. */
const AS_OF = "as_of";
/** What makes a row of a select depend on several rows that it reads. */
const OF_SEVERAL_ROWS = words(`
  distinct except fetch group having intersect limit offset over union window
`);
/** What gives another value at another time, or each time. */
const CHANGING_WORDS = words(`
  current_date current_time current_timestamp localtime localtimestamp
`);
const CHANGING_FUNCTIONS = words(`
  clock_timestamp gen_random_uuid now random random_normal
  statement_timestamp timeofday transaction_timestamp
`);
/** The end of a version: another batch than the one that is shown. */
const ENDS = words("to_batch valid_to");
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
    tokens.some((token) => OF_SEVERAL_ROWS.has(lower(token)));
}

/** Why a select does not give the same whenever the same batch is shown. */
export function selectProblems(select: string, fact: string): string[] {
  const tokens = codeOf(select);
  const found = tokens.flatMap((token, index) => {
    const name = nameOf(token);
    const isCalled = tokens[index + 1]?.text === "(";
    const isOfTable = tokens[index - 1]?.text === ".";
    if (ENDS.has(name)) {
      return [
        `it reads ${name}, and ${fact} stands for what it held at the batch that is shown, ended since or not`,
      ];
    }
    return token.kind === "word" && !isOfTable &&
        (CHANGING_WORDS.has(name) || isCalled && CHANGING_FUNCTIONS.has(name))
      ? [
        `it has ${name}, which is not of the batch that is shown: use as_of.day`,
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

/** Its tokens, without comments and the words of `is distinct from`. */
function codeOf(select: string): Token[] {
  const code = tokenize(select).filter(({ kind }) => kind !== "comment");
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
  return token?.kind === "quoted"
    ? token.text.slice(1, -1).replaceAll('""', '"')
    : lower(token);
}
