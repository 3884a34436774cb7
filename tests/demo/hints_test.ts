import { DuckDBInstance } from "@duckdb/node-api";
import assert from "node:assert/strict";
import { TOTESYS } from "../../demo/examples.ts";
import { type DemoHints, demoHints, formatHints } from "../../demo/hints.ts";
import { query } from "../../lib/postgres/postgres.ts";
import {
  execute,
  openPlatform,
  type Platform,
  ZONE_KINDS,
} from "../harness/platform.ts";
import { fillSmall } from "../harness/companies/small_source.ts";

const PLACES = {
  sourceUrl: "postgres://127.0.0.1:1/totesys",
  warehouseUrl: "postgres://127.0.0.1:1/warehouse",
  dashboardUrl: "http://127.0.0.1:1/",
  lake: "/tmp/lake/processed",
  s3: undefined,
  batch: 12,
  fact: TOTESYS.fact,
};

Deno.test("formatHints() says where everything is", () => {
  const text = formatHints(demoHints(PLACES));

  assert.match(text, /source +postgres:\/\/127.0.0.1:1\/totesys$/m);
  assert.match(text, /warehouse +postgres:\/\/127.0.0.1:1\/warehouse$/m);
  assert.match(text, /lake +duckdb -readonly \/tmp\/lake\/processed\/lake\./);
  assert.match(text, /as_of_batch\(2\)/);
});

Deno.test("demoHints() names no batch before there is one", () => {
  for (const batch of [0, 1, 5, 11]) {
    const { queries } = demoHints({ ...PLACES, batch });
    assert.match(queries.earlier, /as_of_batch\(1\)/);
  }
});

Deno.test("demoHints() names queries that run in the warehouse", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await runTwice(platform);
  const { client } = platform.warehouse;

  await assertQueries(
    demoHints({ ...PLACES, batch: 2 }),
    (sql) => query(client, sql),
  );
});

for (const zones of ZONE_KINDS) {
  Deno.test(`formatHints() shows how to open the lake on ${zones}`, async () => {
    await using platform = await openPlatform({ zones, warehouse: "empty" });
    await runTwice(platform);
    const { processedUrl, s3 } = platform.config;
    const hints = demoHints({
      ...PLACES,
      batch: 2,
      lake: processedUrl,
      s3: zones === "S3" && s3 !== undefined
        ? { settings: s3, extensionDirectory: extensionDirectory() }
        : undefined,
    });
    // What is between "in DuckDB" and the queries is what a person pastes.
    const pasted = /in DuckDB .*:\n([^]*)\n {2}To try/.exec(formatHints(hints));
    const path = hints.lake.replace(/^duckdb -readonly /, "");

    using duckdb = await openPlainDuckDb();
    await duckdb.run(
      pasted?.[1] ?? `attach '${path}' as lake (read_only); use lake;`,
    );

    assert.equal(pasted !== null, zones === "S3");
    await assertQueries(hints, duckdb.rows);
  });
}

/** Orders 1 and 3 change, so that there is a history to look at. */
async function runTwice(platform: Platform): Promise<void> {
  await fillSmall(platform.source.client);
  await platform.run();
  await execute(
    platform.source.client,
    "update sales_order set units_sold = 7 where sales_order_id = 1",
  );
  await platform.run();
}

async function assertQueries(
  { queries }: DemoHints,
  run: (sql: string) => Promise<Record<string, string | null>[]>,
): Promise<void> {
  const valuesOf = async (sql: string) => (await run(sql)).map(Object.values);

  assert.deepEqual(await valuesOf(queries.now), [["3", "5007"]]);
  assert.deepEqual(await valuesOf(queries.earlier), [["3", "6000"]]);
  const versions = await run(queries.history);
  assert.deepEqual(
    versions.map((row) => [row.sales_order_id, row.units_sold].join(" ")),
    ["1 1000", "1 7"],
  );
}

/** DuckDB as an analyst starts it. */
async function openPlainDuckDb() {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  return {
    run: async (sql: string) => {
      await connection.run(sql);
    },
    rows: async (sql: string) => {
      const reader = await connection.runAndReadAll(sql);
      return reader.getRowObjectsJson().map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [name, String(value)]),
        )
      );
    },
    [Symbol.dispose]: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

function extensionDirectory(): string {
  const directory = Deno.env.get("DUCKDB_EXTENSION_DIRECTORY");
  assert.ok(directory, "deno task test sets it");
  return directory;
}
