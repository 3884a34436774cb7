import assert from "node:assert/strict";
import { query } from "../../../lib/postgres/postgres.ts";
import { quoteName, quoteNames, quoteText } from "../../../lib/sql/quote.ts";
import { openTestDatabase } from "../../harness/servers/postgres.ts";

Deno.test("names and texts are quoted so that the server reads them back", async () => {
  await using database = await openTestDatabase();
  const odd = `a "b" 'c' \\ d; -- €`;

  const rows = await query(
    database.client,
    `select ${quoteText(odd)} as ${quoteName(odd)}`,
  );

  assert.deepEqual(rows.map((row) => ({ ...row })), [{ [odd]: odd }]);
  assert.equal(quoteNames(["a", "B"], "t."), 't."a", t."B"');
});
