import assert from "node:assert/strict";
import { DuckDBInstance } from "@duckdb/node-api";
import { foldName } from "../../../lib/sql/fold_name.ts";
import { quoteName } from "../../../lib/sql/quote.ts";

Deno.test("foldName() makes those names alike that DuckDB takes for one", async () => {
  const instance = await DuckDBInstance.create();
  const duckdb = await instance.connect();

  // The last is the sign for kelvin, whose lower case is a plain k.
  for (
    const [one, other] of [["Ab", "aB"], ["é", "É"], ["Ж", "ж"], [
      "k",
      "\u212a",
    ]] as const
  ) {
    const isOne = await duckdb.run(
      `create or replace table pair (${quoteName(one)} int, ${
        quoteName(other)
      } int)`,
    ).then(() => false, () => true);

    assert.equal(foldName(one) === foldName(other), isOne, `${one} ${other}`);
  }
});
