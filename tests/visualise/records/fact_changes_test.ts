import assert from "node:assert/strict";
import { queryRow } from "../../../lib/postgres/postgres.ts";
import { compareVersions } from "../../../visualise/records/fact_changes.ts";
import { openTestDatabase } from "../../harness/servers/postgres.ts";

Deno.test("compareVersions() distinguishes numbers that are equal in JavaScript", async () => {
  await using database = await openTestDatabase();
  const { before, after } = await queryRow(
    database.client,
    `select row_to_json(earlier)::text as before, row_to_json(later)::text as after
    from (
      select 9007199254740992 as id, 12345678901234567.10 as amount,
        10.50 as price, jsonb_build_object('a', 1) as about, true as paid
    ) as earlier, (
      select 9007199254740993 as id, 12345678901234567.11 as amount,
        10.50 as price, jsonb_build_object('a', 1) as about, false as paid
    ) as later`,
  );

  assert.deepEqual(compareVersions(before, after), {
    kind: "updated",
    columns: [
      { name: "id", before: "9007199254740992", after: "9007199254740993" },
      {
        name: "amount",
        before: "12345678901234567.10",
        after: "12345678901234567.11",
      },
      { name: "paid", before: true, after: false },
    ],
  });
});
