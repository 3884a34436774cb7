import { DuckDBInstance } from "@duckdb/node-api";
import assert from "node:assert/strict";
import { BatchLog } from "../../../lib/batches/batch_log.ts";
import type { ProcessedManifest } from "../../../lib/batches/manifest.ts";
import { openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import { sha256Hex } from "../../../lib/zone/checksum.ts";
import { DirectoryZone } from "../../../lib/zone/directory_zone.ts";
import { readStatus } from "../../../operate/read_status.ts";
import { sweep } from "../../../sweep/sweep.ts";
import { publishLake } from "../../../transform/lake/publish_lake.ts";
import { sealed } from "../../../transform/lake/sealed_file.ts";
import { registerModels } from "../../../lib/models/register_models.ts";
import { transform } from "../../../transform/transform.ts";
import { processedManifest } from "../../harness/manifests.ts";
import { openLake } from "../../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../../harness/platform.ts";
import { fillSmall } from "../../harness/companies/small_source.ts";
import { NAMES, RENAME, runTwice } from "./run_twice.ts";

Deno.test("transform() repairs a lake.duckdb that lags behind, with nothing else to do", async () => {
  await using platform = await openPlatform();
  const path = lakeOf(platform);
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();
  const stale = await Deno.readFile(path);
  await execute(platform.source.client, RENAME);
  await platform.extract();
  await platform.transform();
  await Deno.writeFile(path, stale);

  const { batches } = await platform.transform();

  assert.deepEqual(batches, []);
  assert.deepEqual(await about(platform), ["2"]);
});

Deno.test("transform() replaces the views of another SQL", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();
  await platform.extract();
  platform.context.sql = { ...PROJECT_SQL, transformHash: "another" };

  await transform(platform.context, { accept: true });

  await using lake = await openLake(platform);
  assert.deepEqual(await lake.rows("from totes.lake.about"), [
    {
      ...(await lake.rows("from totes.lake.about"))[0],
      batch: "2",
      transform_hash: "another",
    },
  ]);
  const [designs] = await lake.rows(
    "select count(*) as designs from totes.dim_design_current",
  );
  assert.equal(designs?.designs, "3");
});

for (
  const { lake: kind, fill } of [
    { lake: "a full lake", fill: runTwice },
    { lake: "a lake of empty models", fill: runWithDesigns },
  ]
) {
  Deno.test(`transform() replaces only the views of models with new files, of ${kind}`, async () => {
    await using platform = await openPlatform();
    await fill(platform);
    await edit(platform, [
      "comment on view fact_payment_current is 'kept'",
      "comment on view dim_design_current is 'kept'",
    ]);
    await seal(platform);
    await execute(
      platform.source.client,
      "update design set design_name = 'Zinc' where design_id = 1",
    );
    await platform.extract();

    await platform.transform();

    await using published = await openLake(platform);
    const kept = await published.rows(
      "select view_name from duckdb_views() where comment = 'kept'",
    );
    assert.deepEqual(kept, [{ view_name: "fact_payment_current" }]);
    const [now] = await published.rows(
      `${NAMES} from totes.dim_design_current`,
    );
    assert.equal(now?.names, "Zinc Tin Wooden");
    assert.deepEqual(await about(platform), ["3"]);
  });
}

for (
  const statement of [
    "create or replace view dim_staff_current as select 'ours' as mark",
    "create or replace macro dim_staff_as_of_batch(batch_number) as table select 1",
    "drop view dim_staff_history",
    "create view of_ours as select 1 as one",
    "delete from lake.lake.files",
  ]
) {
  Deno.test(`transform() replaces a lake in which somebody ran: ${statement}`, async () => {
    await using platform = await openPlatform();
    await runTwice(platform);
    await edit(platform, [statement]);

    await platform.transform();

    await using published = await openLake(platform);
    const counts = await published.rows(
      `select count(*) as staff from totes.dim_staff_current
      union all select count(*) from totes.dim_staff_history
      union all select count(*) from totes.dim_staff_as_of_batch(2)`,
    );
    assert.deepEqual(counts.map(({ staff }) => staff), ["4", "4", "4"]);
    const [ours] = await published.rows(
      "select count(*) as views from duckdb_views() where view_name = 'of_ours'",
    );
    assert.equal(ours?.views, "0");
  });
}

Deno.test("transform() replaces all views made by other code", async () => {
  await using platform = await openPlatform();
  await runTwice(platform);
  await edit(platform, [
    "alter table lake.lake.about drop column views",
    "create or replace view dim_staff_current as select 'old' as mark",
  ]);
  await seal(platform);

  await platform.transform();

  await using published = await openLake(platform);
  const [staff] = await published.rows(
    "select count(*) as staff from totes.dim_staff_current",
  );
  assert.equal(staff?.staff, "4");
});

Deno.test("publishLake() never replaces a lake by one of an earlier batch", async () => {
  await using platform = await openPlatform();
  await runTwice(platform);
  const published = sha256Hex(await Deno.readFile(lakeOf(platform)));

  await publish(platform, { batch: 1 });

  assert.equal(sha256Hex(await Deno.readFile(lakeOf(platform))), published);
});

Deno.test("publishLake() keeps the lake of a run that came first, and continues from it", async () => {
  await using platform = await openPlatform();
  await runTwice(platform);
  const newest = await Deno.readFile(lakeOf(platform));
  await Deno.remove(lakeOf(platform));
  const zone = new DirectoryZone(platform.config.processedUrl);
  const create = zone.create.bind(zone);
  let created = 0;
  zone.create = async (key, content) => {
    created++;
    await create(key, newest);
    return await create(key, content);
  };

  await publish(platform, { zone });

  assert.equal(created, 1);
  assert.equal(
    sha256Hex(await Deno.readFile(lakeOf(platform))),
    sha256Hex(newest),
  );
});

Deno.test("publishLake() reports that other runs always come first", async () => {
  await using platform = await openPlatform();
  await runTwice(platform);
  await Deno.remove(lakeOf(platform));
  const zone = new DirectoryZone(platform.config.processedUrl);
  let tries = 0;
  zone.create = () => {
    tries++;
    return Promise.resolve(false);
  };

  await publish(platform, { zone });

  assert.equal(tries, 5);
  assert.deepEqual(platform.logged.slice(-1), [
    "warning: lake.duckdb was not replaced: other runs came first 5 times",
  ]);
});

Deno.test("transform() commits and warns when lake.duckdb can't be written", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.extract();
  await Deno.mkdir(lakeOf(platform), { recursive: true });

  const { batches } = await platform.transform();

  assert.deepEqual(batches, [1]);
  assert.match(
    platform.logged.at(-1) ?? "",
    /^error: lake.duckdb can't be replaced, and stays unchanged/,
  );
});

Deno.test("status reports that lake.duckdb can't be replaced, until it is replaced", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { context } = platform;
  const transformed = async () => {
    const { stages } = await readStatus(context);
    return stages.find(({ stage }) => stage === "transform");
  };
  await fillSmall(platform.source.client);
  await platform.extract();
  await Deno.mkdir(lakeOf(platform), { recursive: true });
  await platform.transform();
  await platform.load();
  const first = await transformed();
  await platform.transform();

  const again = await transformed();

  assert.match(
    first?.problem ?? "",
    /^lake\.duckdb can't be replaced since 20/,
  );
  assert.match(first?.hint ?? "", /the next transform replaces it/);
  const since = (problem = "") => problem.slice(0, problem.indexOf(": "));
  assert.equal(since(again?.problem), since(first?.problem));
  assert.equal((await sweep(context, { zone: "processed" })).foreignFiles, 0);
  await Deno.remove(lakeOf(platform));
  await platform.transform();
  assert.equal((await transformed())?.problem, undefined);
});

/** Two batches of `design` alone: no fact has a row. */
async function runWithDesigns(platform: Platform): Promise<void> {
  await execute(
    platform.source.client,
    `insert into design select id, '2022-11-03', 'Wooden', '/lib', 'file',
      '2022-11-03' from generate_series(1, 3) as id`,
  );
  await platform.extract();
  await platform.transform();
  await execute(platform.source.client, RENAME);
  await platform.extract();
  await platform.transform();
}

/** Publishes a lake as transform does. */
async function publish(
  platform: Platform,
  options: { batch?: number; zone?: DirectoryZone },
): Promise<void> {
  const { batch = 2 } = options;
  const zone = options.zone ?? new DirectoryZone(platform.config.processedUrl);
  await using duckdb = await openDuckDb(platform.config, { zones: [zone.url] });
  await publishLake(duckdb, {
    zone,
    batches: new BatchLog<ProcessedManifest>(zone, "transform"),
    newest: await processedManifest(platform, batch),
    sql: PROJECT_SQL,
    columns: await registerModels(duckdb, PROJECT_SQL),
    log: platform.context.log,
  });
}

async function about(platform: Platform): Promise<unknown[]> {
  await using lake = await openLake(platform);
  const rows = await lake.rows("select batch from totes.lake.about");
  return rows.map((row) => row.batch);
}

/** Changes the published lake, as an analyst who may write would. */
async function edit(
  platform: Platform,
  statements: readonly string[],
): Promise<void> {
  const instance = await DuckDBInstance.create(lakeOf(platform));
  const lake = await instance.connect();
  for (const statement of statements) await lake.run(statement);
  lake.closeSync();
  instance.closeSync();
}

/** Makes an edited lake the one that a run has published. */
async function seal(platform: Platform): Promise<void> {
  const path = lakeOf(platform);
  await Deno.writeFile(path, sealed(await Deno.readFile(path), ""));
}

function lakeOf(platform: Platform): string {
  return `${platform.config.processedUrl}/lake.duckdb`;
}
