import assert from "node:assert/strict";
import { join } from "node:path";
import { noteLake } from "../../../lib/batches/lake_note.ts";
import { sha256Hex } from "../../../lib/zone/checksum.ts";
import { DirectoryZone } from "../../../lib/zone/directory_zone.ts";
import { unsealed } from "../../../transform/lake/sealed_file.ts";
import { openLake } from "../../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
} from "../../harness/platform.ts";
import { fillSmall } from "../../harness/companies/small_source.ts";

const RENAME = "update design set design_name = 'Tin' where design_id = 2";

/** A lake of one batch, and how often DuckDB is opened from then on. */
async function openWithLake(): Promise<
  { platform: Platform; opened: () => number } & AsyncDisposable
> {
  const platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();
  await platform.load();
  let opened = 0;
  const { resources } = platform.context;
  platform.context.resources = {
    ...resources,
    openDuckDb: (...given) => {
      opened++;
      return resources.openDuckDb(...given);
    },
  };
  return {
    platform,
    opened: () => opened,
    [Symbol.asyncDispose]: () => platform[Symbol.asyncDispose](),
  };
}

function pathOf({ config }: Platform): string {
  return join(config.processedUrl, "lake.duckdb");
}

Deno.test("transform() opens no DuckDB and leaves lake.duckdb for a batch in which nothing changed", async () => {
  await using lake = await openWithLake();
  const { platform, opened } = lake;
  const before = await Deno.readFile(pathOf(platform));
  await platform.extract();

  const first = await platform.transform();
  const again = await platform.transform();
  const loaded = await platform.load();

  assert.deepEqual(first.batches, [2]);
  assert.deepEqual(again.batches, []);
  assert.deepEqual(loaded.batches, [2]);
  assert.equal(opened(), 0);
  assert.deepEqual(await Deno.readFile(pathOf(platform)), before);
  await using published = await openLake(platform);
  const [designs] = await published.rows(
    "select count(*) as designs from totes.dim_design_as_of_batch(2)",
  );
  assert.equal(designs?.designs, "3");
});

Deno.test("transform() shows the batch that changes something after some that don't", async () => {
  await using lake = await openWithLake();
  const { platform } = lake;
  await platform.extract();
  await platform.transform();
  await execute(platform.source.client, RENAME);
  await platform.extract();

  await platform.transform();

  await using published = await openLake(platform);
  assert.deepEqual(
    await published.rows("select batch from totes.lake.about"),
    [{ batch: "3" }],
  );
  assert.deepEqual(
    await published.rows(
      "select from_batch from totes.dim_design_current where design_id = 2",
    ),
    [{ from_batch: "3" }],
  );
});

for (
  const { what, change } of [
    {
      what: "was sealed by an earlier version",
      change: async (platform: Platform) => {
        const { content } = unsealed(await Deno.readFile(pathOf(platform))) ??
          assert.fail("it is sealed");
        const seal = `sha256 of all before: ${sha256Hex(content)}`;
        await Deno.writeFile(
          pathOf(platform),
          await new Blob([content.slice(), seal]).bytes(),
        );
      },
    },
    {
      what: "was changed by someone",
      change: (platform: Platform) =>
        Deno.writeTextFile(pathOf(platform), "!", { append: true }),
    },
    {
      what: "could not be replaced before",
      change: (platform: Platform) =>
        noteLake(platform.context, {
          zone: new DirectoryZone(platform.config.processedUrl),
          error: new Error("No space"),
          etag: undefined,
        }),
    },
    {
      what: "was made before sql/warehouse changed",
      change: (platform: Platform) => {
        const { sql } = platform.context;
        platform.context.sql = {
          ...sql,
          migrations: [
            ...sql.migrations,
            { name: "0099_index", text: "create index on fact_payment (paid)" },
          ],
        };
        return Promise.resolve();
      },
    },
  ]
) {
  Deno.test(`transform() replaces a lake.duckdb that ${what}, though nothing changed`, async () => {
    await using lake = await openWithLake();
    const { platform, opened } = lake;
    await platform.extract();
    await change(platform);

    await platform.transform();

    assert.equal(opened(), 1);
    await using published = await openLake(platform);
    assert.deepEqual(
      await published.rows("select batch from totes.lake.about"),
      [{ batch: "2" }],
    );
    await platform.extract();
    await platform.transform();
    assert.equal(opened(), 1, "what it shows is known now");
  });
}

Deno.test("transform() goes on where the note about lake.duckdb can't be read", async () => {
  await using lake = await openWithLake();
  const { platform, opened } = lake;
  await platform.extract();
  await Deno.mkdir(join(platform.config.processedUrl, "_lake"));

  await platform.transform();

  assert.equal(opened(), 1);
  await using published = await openLake(platform);
  assert.deepEqual(
    await published.rows("select batch from totes.lake.about"),
    [{ batch: "2" }],
  );
});
