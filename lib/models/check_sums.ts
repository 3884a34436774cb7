import type { DuckDb } from "../duckdb/duckdb.ts";
import { quoteText } from "../sql/quote.ts";
import { isOrdered, nodesOf, type SqlNode, textOf, walk } from "./sql_tree.ts";

/** Aggregates that add or multiply: with floats they round after each row. */
const SUMS = new Set([
  "avg",
  "corr",
  "covar_pop",
  "covar_samp",
  "favg",
  "fsum",
  "kahan_sum",
  "kurtosis",
  "kurtosis_pop",
  "mean",
  "product",
  "regr_avgx",
  "regr_avgy",
  "regr_intercept",
  "regr_r2",
  "regr_slope",
  "regr_sxx",
  "regr_sxy",
  "regr_syy",
  "sem",
  "skewness",
  "stddev",
  "stddev_pop",
  "stddev_samp",
  "sum",
  "sumkahan",
  "var_pop",
  "var_samp",
  "variance",
]);
/** It adds up floats whatever its input. */
const ENTROPY = "entropy";
const FLOATS = ["DOUBLE", "FLOAT"];

/**
 * Finds the aggregates of a query that add up floats, with their arguments: the
 * last digits of such a sum depend on the order of its rows. DuckDB's plan
 * shows which they are; a query whose plan it can't write gives none.
 */
export async function floatSums(
  duckdb: DuckDb,
  sql: string,
): Promise<string[]> {
  const [row] = await duckdb.rows(
    `select json_serialize_plan(${quoteText(sql)}) as plan`,
  );
  const found = new Set<string>();
  walk(JSON.parse(row?.plan ?? "{}"), ({ type, expressions }) => {
    if (!/^LOGICAL_(AGGREGATE|WINDOW)/.test(textOf(type))) return;
    for (const one of nodesOf(expressions)) {
      if (addsFloats(one) && !isOrdered(one)) {
        found.add(`${textOf(one.name)}()`);
      }
    }
  });
  return [...found];
}

function addsFloats({ name, arguments: given }: SqlNode): boolean {
  return name === ENTROPY || (SUMS.has(textOf(name)) &&
    nodesOf(given).some(({ id }) => FLOATS.includes(textOf(id))));
}
