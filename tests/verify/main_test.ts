import assert from "node:assert/strict";
import { main } from "../../verify/main.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { fillSmall } from "../harness/companies/small_source.ts";
import { SQL_DIRECTORY } from "../harness/companies/sql_directory.ts";
import { testIo } from "../harness/process_io.ts";

Deno.test("./totesys verify exits with what it found", async () => {
  await using platform = await openPlatform();
  const { source, warehouse, config } = platform;
  await fillSmall(source.client);
  const env: Record<string, string> = {
    SQL_DIRECTORY,
    SOURCE_URL: source.url,
    WAREHOUSE_URL: warehouse.url,
    INGESTION_URL: config.ingestionUrl,
    PROCESSED_URL: config.processedUrl,
    TEMP_DIRECTORY: config.tempDirectory,
  };
  const run = async (options: { isTerminal: boolean; url?: string }) => {
    const io = testIo(
      {
        ...env,
        ...options.url === undefined ? {} : { WAREHOUSE_URL: options.url },
      },
      options,
    );
    return { code: await main([], io), out: io.out, error: io.error };
  };

  const first = await run({ isTerminal: true });
  assert.equal(first.code, 0, first.error);
  assert.match(first.out, /fact_payment +warehouse +5 +0\n/);
  assert.match(first.out, /\nthe same as of batch 1, \d{4}-.* s\n$/);

  await execute(
    warehouse.client,
    "delete from fact_payment where payment_id = 4",
    "update fact_payment set payment_amount = -1 where payment_id = 5",
    "update dim_counterparty set counterparty_legal_city = null where counterparty_id = 1",
  );
  const second = await run({ isTerminal: true });
  assert.equal(second.code, 3);
  assert.match(
    second.out,
    /fact_payment in the warehouse: 4 missing, 5 different\n-> \.\/totesys rebuild warehouse\n/,
  );
  assert.match(
    second.out,
    /dim_counterparty in the warehouse: 1 different\n-> \.\/totesys rebuild warehouse\n/,
  );
  assert.match(second.out, /\nwarning: check fact_payment__amount.*: 1 find/);
  assert.match(second.out, /\nNOT THE SAME as of batch 2/);

  const third = await run({ isTerminal: false });
  assert.equal(third.code, 3);
  const events = third.out.trimEnd().split("\n").map((line) =>
    JSON.parse(line)
  );
  const alarm = events.find((event) =>
    event.level === "error" && event.model === "fact_payment"
  );
  assert.equal(alarm.stage, "verify");
  assert.equal(alarm.hint, "Run ./totesys rebuild warehouse");
  assert.equal(events.at(-1).same, false);

  const down = await run({
    isTerminal: true,
    url: "postgres://u:hunter2@127.0.0.1:1/w",
  });
  assert.equal(down.code, 1);
  assert.match(down.error, /^Cannot connect to 127.0.0.1:1\/w/);
  assert.doesNotMatch(down.out + down.error, /hunter2/);
  assert.equal((await run({ isTerminal: true, url: "mysql://x" })).code, 2);
});
