import assert from "node:assert/strict";
import { demoHints } from "../../demo/hints.ts";
import { query } from "../../lib/postgres.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { fillSmall } from "../harness/small_source.ts";

const PLACES = {
  sourceUrl: "postgres://127.0.0.1:1/totesys",
  warehouseUrl: "postgres://127.0.0.1:1/warehouse",
  lake: "/tmp/lake/processed",
  s3Endpoint: undefined,
  batch: 12,
};

/** The queries that hints name, without the words before them. */
function queriesOf(hints: string): string[] {
  const [, toTry = ""] = hints.split(/^ +To try .*\n/m);
  return toTry.split(";").map((text) => text.trim().replace(/^[a-z]+ {2,}/, ""))
    .filter((text) => text !== "");
}

Deno.test("demoHints() tells where everything is", () => {
  const hints = demoHints(PLACES);

  assert.match(hints, /source +postgres:\/\/127.0.0.1:1\/totesys$/m);
  assert.match(hints, /warehouse +postgres:\/\/127.0.0.1:1\/warehouse$/m);
  assert.match(hints, /lake +duckdb -readonly \/tmp\/lake\/processed\/lake\./);
  assert.match(hints, /as_of_batch\(2\)/);

  const onS3 = demoHints({
    ...PLACES,
    lake: "s3://bucket/demo",
    s3Endpoint: "http://127.0.0.1:9000",
  });
  assert.match(onS3, /attach 's3:\/\/bucket\/demo\/lake.duckdb' \(read_only\)/);
  assert.match(onS3, /http:\/\/127.0.0.1:9000/);
});

Deno.test("demoHints() names no batch before the first", () => {
  for (const batch of [0, 1, 5, 11]) {
    assert.match(demoHints({ ...PLACES, batch }), /as_of_batch\(1\)/);
  }
});

Deno.test("demoHints() names queries that run in the warehouse", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();
  await execute(
    platform.source.client,
    "update payment set paid = true where payment_id = 4",
    "update sales_order set units_sold = 7 where sales_order_id = 1",
  );
  await platform.run();

  const queries = queriesOf(demoHints({ ...PLACES, batch: 2 }));
  assert.equal(queries.length, 3);
  const [now = "", earlier = "", history = ""] = queries;
  const { client } = platform.warehouse;

  assert.deepEqual(await query(client, now), [{ count: "3", sum: "5007" }]);
  assert.deepEqual(await query(client, earlier), [{
    count: "3",
    sum: "6000",
  }]);
  const versions = await query(client, history);
  assert.deepEqual(
    versions.map((row) => [row.payment_id, row.paid].join(" ")),
    ["4 false", "4 true"],
  );
});
