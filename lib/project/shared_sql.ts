import { lower, type Token, words } from "./sql_tokens.ts";

/** A fault at a line, counted from 1. */
export interface Fault {
  line: number;
  message: string;
}

/**
 * SQL that engines don't share, or answer differently: clauses and types,
 * functions, signs. DuckDB, Trino and Spark were tried.
 */
const NOT_SHARED_WORDS = words(`
  anti asof double dow doy epoch exclude float ilike isodow pivot qualify real
  semi string unpivot
`);

const NOT_SHARED_FUNCTIONS = words(`
  arg_max arg_min array_agg avg concat date_add date_format date_sub date_trunc
  dateadd datetrunc day_of_week day_of_year dayname dayofweek dayofyear
  format_datetime from_iso8601_date from_iso8601_timestamp generate_series
  greatest hash json_extract json_extract_string least list listagg make_date
  md5 monthname range regexp_extract regexp_like regexp_matches round sequence
  strftime string_agg strptime to_char to_date unnest
`);

const NOT_SHARED_SIGNS = new Set(["::", "/", "//", "[", "{", "->", "`"]);

/** Finds what other engines than DuckDB don't have, or answer differently. */
export function lintShared(tokens: Token[]): Fault[] {
  const faults: Fault[] = [];
  const code = tokens.filter((token) => token.kind !== "comment");
  for (const [index, token] of code.entries()) {
    const { line, text } = token;
    const before = code[index - 1];
    const name = before?.text === "." ? "" : lower(token);
    const isCalled = code[index + 1]?.text === "(";
    const isDenied = NOT_SHARED_SIGNS.has(text) ||
      NOT_SHARED_WORDS.has(name) ||
      (isCalled && NOT_SHARED_FUNCTIONS.has(name));
    if (isDenied) {
      const message = `"${text}" is not in the SQL that all engines share`;
      faults.push({ line, message });
    }
    if (lower(token) === "all" && lower(before) === "by") {
      const message = `"by all" is not in the SQL that all engines share`;
      faults.push({ line, message });
    }
    const listsAll = [".", ","].includes(before?.text ?? "") ||
      ["select", "distinct"].includes(lower(before));
    if (text === "*" && listsAll) {
      faults.push({ line, message: "select *: list the columns" });
    }
  }
  return faults;
}
