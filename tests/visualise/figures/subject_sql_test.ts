import assert from "node:assert/strict";
import { query } from "../../../lib/postgres/postgres.ts";
import { movedSum } from "../../../visualise/figures/subject_sql.ts";
import { openTestDatabase } from "../../harness/servers/postgres.ts";

const LEAST = "-9223372036854775808";

Deno.test("movedSum() subtracts what went from what came, of numbers of any type", async () => {
  await using database = await openTestDatabase();
  const sumOf = async (rows: string) => {
    const [found] = await query(
      database.client,
      `select (${movedSum("value")})::text as sum from (${rows}) as moved`,
    );
    return found?.sum;
  };
  const values = (...rows: [value: string, sign: number][]) =>
    rows.map(([value, sign]) => `select ${value} as value, ${sign} as sign`)
      .join(" union all ");

  // In single precision the sum would be 61755876.
  const reals = Number(
    await sumOf(
      "select 1234.56::real as value, 1 as sign from generate_series(1, 50000)",
    ),
  );
  assert.ok(Math.abs(reals - 61_728_000) < 10, String(reals));
  assert.equal(await sumOf(values(["'Infinity'::float8", 1])), "Infinity");
  assert.equal(await sumOf(values(["'Infinity'::float8", -1])), "-Infinity");
  assert.equal(
    await sumOf(values([`'${LEAST}'::bigint`, -1], ["1::bigint", 1])),
    "9223372036854775809",
  );
  assert.equal(await sumOf(values(["5::smallint", 1], ["2", -1])), "3");
  assert.equal(await sumOf(values(["2", -1], ["null::integer", 1])), "-2");
  assert.equal(await sumOf(values(["null::numeric", -1])), null);
});
