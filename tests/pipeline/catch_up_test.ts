import assert from "node:assert/strict";
import { extract } from "../../extract/extract.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { transform } from "../../transform/transform.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import {
  assertSame,
  History,
  sourceState,
  warehouseState,
  zoneKeys,
} from "../harness/readers/oracle.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { openTestDatabase, settingsOf } from "../harness/servers/postgres.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

/** Six batches of changes, extracted only. */
async function extractSix(platform: Platform): Promise<History> {
  const { client } = platform.source;
  const history = new History(platform);
  await fillSmall(client);
  const changes = [
    [],
    ["update payment set paid = true", insertOrder(10)],
    ["delete from sales_order where sales_order_id in (1, 10)"],
    [
      insertOrder(10, 3),
      "delete from staff where staff_id = 4",
      "update department set location = 'Hull'",
    ],
    [],
    [
      "insert into staff values (4, 'A', 'B', 1, 'c', now(), now())",
      "update sales_order set units_sold = 4 where sales_order_id = 10",
      "delete from design where design_id = 3",
    ],
  ];
  for (const statements of changes) {
    await execute(client, ...statements);
    const { batches, snapshotTime } = await platform.extract();
    history.record(
      batches[0] ?? 0,
      await sourceState(platform),
      snapshotTime ?? "",
    );
  }
  return history;
}

/** Every row of every history, without what a load may number differently. */
async function everything(platform: Platform): Promise<string[]> {
  const { client } = platform.warehouse;
  const tables = await query(
    client,
    `select relname as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r'
    order by relname`,
  );
  const rows: string[] = [];
  for (const { name } of tables) {
    const found = await query(
      client,
      `select '${name} ' || (every.*)::text as line from ${name} as every
      order by 1`,
    );
    rows.push(...found.map((row) => row.line ?? ""));
  }
  return rows;
}

Deno.test("transform() and load() catch up any number of batches", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const history = await extractSix(platform);

  const transformed = await platform.transform();
  const loaded = await platform.load();

  assert.deepEqual(transformed.batches, [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(loaded.batches, [1, 2, 3, 4, 5, 6]);
  await history.compareAll();
  await history.step();
  await history.compareAll();
});

Deno.test("a warehouse loaded at once equals one loaded batch by batch", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await extractSix(platform);
  await platform.transform();
  await platform.load();
  const atOnce = await everything(platform);

  // The same batches again, one by one, into another warehouse.
  await using other = await openTestDatabase();
  await using third = await openPlatform({ warehouse: "empty" });
  const whole = platform.config.processedUrl;
  const steps = `${third.config.processedUrl}`;
  for (let batch = 1; batch <= 6; batch++) {
    await Deno.mkdir(`${steps}/_batches`, { recursive: true });
    for (const model of Deno.readDirSync(whole)) {
      if (!model.isDirectory || model.name === "_batches") continue;
      await new Deno.Command("cp", {
        args: ["-rT", `${whole}/${model.name}`, `${steps}/${model.name}`],
      }).output();
    }
    const name = `_batches/${String(batch).padStart(9, "0")}.json`;
    await Deno.copyFile(`${whole}/${name}`, `${steps}/${name}`);
    third.set({ warehouse: settingsOf(other.url) });
    await third.load();
  }
  const stepwise = await everything({ ...third, warehouse: other });
  assert.deepEqual(stepwise, atOnce);
});

Deno.test("the processed zone is made again with the same bytes", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await extractSix(platform);
  await platform.transform();
  const first = await checksums(platform.config.processedUrl);
  await Deno.rename(
    platform.config.processedUrl,
    `${platform.config.processedUrl}-before`,
  );
  await platform.transform();

  assert.deepEqual(await checksums(platform.config.processedUrl), first);
});

/** Checksums of the data files by folder, from the manifests. */
async function checksums(zone: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(`${zone}/_batches`)) {
    if (!entry.name.endsWith(".json")) continue;
    const { manifest }: { manifest: ProcessedManifest } = JSON.parse(
      await Deno.readTextFile(`${zone}/_batches/${entry.name}`),
    );
    for (const [model, { files }] of Object.entries(manifest.models)) {
      for (const file of files) {
        found.push(`${entry.name} ${model} ${file.sha256}`);
      }
    }
  }
  return found.sort();
}

Deno.test("of concurrent runs one commits a batch, and the others report it", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);

  const extracted = await Promise.all(
    [1, 2, 3].map(() => extract(platform.context)),
  );
  const transformed = await Promise.all(
    [1, 2].map(() => transform(platform.context)),
  );
  const loaded = await Promise.all([platform.load(), platform.load()]);

  const once = (results: { batches: number[] }[], batch: number) =>
    results.filter((result) => result.batches.includes(batch)).length;
  assert.equal(once(extracted, 1), 1);
  assert.equal(once(transformed, 1), 1);
  assert.equal(once(loaded, 1), 1);
  assert.equal(
    extracted.filter((result) => result.overtaken).length >= 1,
    true,
  );
  await platform.run();
  await assertMirrored(platform);
});

Deno.test("a run that ends before its commit leaves nothing visible", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { client } = platform.source;
  await fillSmall(client);
  await platform.run();
  await execute(client, insertOrder(20));
  const before = await warehouseState(platform);

  // Asked to stop once its files are written, before the manifest.
  for (const stage of [extract, transform]) {
    const stopping = new AbortController();
    const context = {
      ...platform.context,
      signal: stopping.signal,
      clock: () => {
        stopping.abort(new DOMException("stop", "AbortError"));
        return new Date();
      },
    };
    await assert.rejects(stage(context), { name: "AbortError" });
    if (stage === extract) {
      await platform.transform();
      await platform.load();
      assertSame(await warehouseState(platform), before, "nothing moved");
      await platform.extract();
    }
  }
  await platform.load();
  assertSame(await warehouseState(platform), before, "nothing moved");
  const manifests = (await zoneKeys(platform, "processedUrl"))
    .filter((key) => key.endsWith(".json"));
  assert.equal(manifests.length, 1);

  await platform.run();
  await assertMirrored(platform);
});
