import assert from "node:assert/strict";
import { fillSource } from "../../demo/fill.ts";
import { StageError } from "../../lib/errors.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { verify } from "../../verify/verify.ts";
import { everyVersion } from "../harness/every_version.ts";
import { processedManifest } from "../harness/manifests.ts";
import { zoneKeys } from "../harness/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../harness/platform.ts";
import {
  COORDINATOR,
  givenTrino,
  startTrino,
  type TrinoCluster,
  withTrino,
} from "../harness/trino.ts";

const WORKER = "worker-1";

Deno.test({
  name: "transform on Trino",
  ignore: givenTrino() === undefined,
  fn: async (test) => {
    const server = givenTrino();
    assert.ok(server !== undefined);
    await using trino = await startTrino({ server, workers: [WORKER] });
    await using platform = await openPlatform({ sourceSql: "" });
    await extractHistory(platform);
    await platform.transform();
    await platform.load();
    const before = await everyVersion(platform);
    withTrino(platform, trino.url);

    await test.step("rebuild makes the lake that DuckDB makes", async () => {
      await rebuildProcessed(platform.context);

      const { engine } = await processedManifest(platform, 1);
      assert.deepEqual(Object.keys(engine), ["duckdb", "trino"]);
      assertMadeByTrino(platform.logged.join("\n"));
      assert.deepEqual(await everyVersion(platform), before);
      assert.deepEqual(await leftOver(platform), []);
      assert.ok((await verify(platform.context)).same);
    });

    for (const node of [WORKER, COORDINATOR]) {
      await test.step(`a ${node} that dies commits nothing, and the next run completes`, async () => {
        await extractOrders(platform);
        const committed = await newest(platform);

        const error = await killDuringBatch(platform, { trino, node });

        assert.ok(error instanceof StageError, String(error));
        assert.match(error.message, /^Trino at http:\/\/127\.0\.0\.1:\d+ /);
        assert.ok(error.retryable);
        assert.equal(await newest(platform), committed);
        await trino.start(node);
        const { batches } = await platform.transform();
        assert.equal(batches.at(-1), committed + 1);
        await platform.load();
        assert.ok((await verify(platform.context)).same);
      });
    }

    await test.step("what Trino can't run like DuckDB, DuckDB makes", async () => {
      platform.context.sql = {
        ...PROJECT_SQL,
        models: PROJECT_SQL.models.map((model) =>
          model.name === "dim_design"
            ? {
              ...model,
              sql: model.sql.replace(
                "    file_name\n",
                "    upper(file_name) as file_name\n",
              ),
            }
            : model
        ),
      };
      platform.logged.length = 0;

      await rebuildProcessed(platform.context);

      assert.match(
        platform.logged.join("\n"),
        /warning: dim_design is made by DuckDB, not by trino: line \d+: upper\(\) was not tried in Trino/,
      );
    });
  },
});

/** A first load, changes with deletes, a full read, and an empty batch. */
async function extractHistory(platform: Platform): Promise<void> {
  const { client } = platform.source;
  await fillSource(client, { seed: 3, salesOrders: 300 });
  await execute(
    client,
    `update sales_order set created_at = '2024-02-03 04:05:06'
    where sales_order_id % 7 = 1`,
    `update sales_order set created_at = '2024-02-03 04:05:06.120'
    where sales_order_id % 7 = 2`,
    `update sales_order set created_at = '1969-12-31 23:59:59.999999'
    where sales_order_id % 7 = 3`,
  );
  await platform.extract();
  await execute(
    client,
    `update sales_order set units_sold = units_sold + 1
    where sales_order_id % 3 = 0`,
    `delete from payment where payment_id % 5 = 0`,
    `update department set location = 'Leeds' where department_id = 1`,
  );
  await platform.extract();
  await platform.extract({ fullRead: ["payment"] });
  await platform.extract();
}

async function extractOrders(platform: Platform): Promise<void> {
  await execute(
    platform.source.client,
    "update sales_order set units_sold = units_sold + 1",
  );
  await platform.extract();
}

/** Runs transform and kills a node once Trino writes a model; the error. */
async function killDuringBatch(
  platform: Platform,
  { trino, node }: { trino: TrinoCluster; node: string },
): Promise<unknown> {
  const running = platform.transform().then(() => undefined, (error) => error);
  await trino.untilRunning("insert into");
  await trino.kill(node);
  return await running;
}

function assertMadeByTrino(log: string): void {
  assert.doesNotMatch(log, /is made by DuckDB/);
  for (const { name } of PROJECT_SQL.models) {
    assert.match(log, new RegExp(`${name}: \\d+ rows in \\d+ files by trino`));
  }
}

async function newest(platform: Platform): Promise<number> {
  const keys = await zoneKeys(platform, "processedUrl");
  const numbers = keys.flatMap((key) =>
    /^_batches[^/]*\/(\d{9})\.json$/.exec(key)?.[1] ?? []
  );
  return Math.max(...numbers.map(Number));
}

/** What is left of the files that only the engine needed. */
async function leftOver(platform: Platform): Promise<string[]> {
  const keys = await zoneKeys(platform, "processedUrl");
  return keys.filter((key) =>
    key.startsWith("_state/") && /-engine\//.test(key)
  );
}
