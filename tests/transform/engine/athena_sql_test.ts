import assert from "node:assert/strict";
import { readConfig } from "../../../lib/settings/config.ts";
import { athenaDialect } from "../../../transform/engine/athena_sql.ts";
import {
  AthenaFailure,
  AthenaStatements,
} from "../../harness/servers/athena_statements.ts";

const { carry, carriedType, createTable, uncarry } = athenaDialect("lake");

/** What a query gives on the stand-in. */
async function answer(sql: string): Promise<string | undefined> {
  const folder = await Deno.makeTempDir();
  await using statements = await AthenaStatements.open(
    readConfig(() => undefined, []),
    { database: "lake", zone: folder },
  );
  const { rows } = await statements.run(sql);
  await Deno.remove(folder, { recursive: true });
  return rows[1]?.[0];
}

Deno.test("a table is made by a statement of Hive, with timestamps as text", () => {
  const columns = [
    { name: "id", type: "INTEGER" },
    { name: "name", type: "VARCHAR" },
    { name: "price", type: "DECIMAL(10,2)" },
    { name: "date", type: "DATE" },
    { name: "made_at", type: carriedType("TIMESTAMP") },
  ];

  assert.equal(
    createTable("run_1", { columns, location: "s3://lake/made" })
      .replace(/\s+/g, " "),
    "create external table `lake`.`run_1` (`id` int, `name` string, `price` decimal(10,2), `date` date, `made_at` string) stored as parquet location 's3://lake/made/'",
  );
});

for (
  const moment of [
    "2024-02-03 04:05:06.123456",
    "1969-12-31 23:59:59.999999",
    "0001-01-01 00:00:00",
    "9999-12-31 23:59:59.1",
  ]
) {
  Deno.test(`a timestamp is converted to text and back: ${moment}`, async () => {
    const text = carry(`timestamp '${moment}'`, "TIMESTAMP");
    const back = uncarry({ name: "at", type: "TIMESTAMP" });

    assert.equal(
      await answer(`select ${back} from (select ${text} as "at")`),
      moment,
    );
  });
}

Deno.test("a null timestamp stays null", async () => {
  const text = carry("cast(null as timestamp(6))", "TIMESTAMP");

  assert.equal(await answer(`select ${text} is null`), "true");
});

Deno.test("a timestamp whose year has more than four digits fails the query", async () => {
  const text = carry("timestamp '10000-01-01 00:00:00'", "TIMESTAMP");

  await assert.rejects(answer(`select ${text}`), (error) => {
    assert.ok(error instanceof AthenaFailure);
    assert.match(
      error.message,
      /^INVALID_CAST_ARGUMENT: .*'a year of more or less than four digits'/,
    );
    return true;
  });
});
