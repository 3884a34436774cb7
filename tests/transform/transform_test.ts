import assert from "node:assert/strict";
import { createProgress } from "../../lib/cli/progress.ts";
import { query } from "../../lib/postgres/postgres.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { transform } from "../../transform/transform.ts";
import { processedManifest } from "../harness/manifests.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { execute, openPlatform, PROJECT_SQL } from "../harness/platform.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { encodeManifest } from "../../lib/batches/encode_manifest.ts";

const HOURS_13_MS = 13 * 3_600_000;

Deno.test("transform() does nothing when no batch is pending", async () => {
  await using platform = await openPlatform();
  const nothing = { stage: "transform", batches: [], rows: 0, bytes: 0 };

  assert.deepEqual(await platform.transform(), nothing);
  await platform.extract();
  await platform.transform();
  const { snapshotTime } = await processedManifest(platform, 1);

  assert.deepEqual(await platform.transform(), {
    ...nothing,
    snapshotTime,
    quarantined: 0,
  });
});

Deno.test("transform() counts the versions and bytes that it writes", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.extract();

  const result = await platform.transform();

  const { models } = await processedManifest(platform, 1);
  const files = Object.values(models).flatMap((model) => model.files);
  assert.deepEqual(result.batches, [1]);
  assert.equal(result.rows, files.reduce((sum, file) => sum + file.rows, 0));
  assert.equal(result.bytes, files.reduce((sum, file) => sum + file.bytes, 0));
});

Deno.test("transform() reports the rows of a batch, and the time left, as it reads", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  const { rows } = await platform.extract();
  const lines: string[] = [];
  let nowMs = 0;
  platform.context.progress = createProgress({
    show: (line) => lines.push(line),
    report: () => {},
    nowMs: () => nowMs += 1000,
  });

  await platform.transform();

  const read = lines.map((line) =>
    /^transform 1: (\d+) of about (\d+) rows, .*?(, \d+ s left)?$/.exec(line)
  ).filter((found) => found !== null);
  const counts = read.map(([, count]) => Number(count));
  assert.equal(Math.max(...counts), rows);
  assert.deepEqual(counts, counts.toSorted((a, b) => a - b));
  assert(read.every(([, , total]) => Number(total) === rows));
  assert(read.some(([, , , left]) => left !== undefined));
  lines.length = 0;
  await execute(
    client,
    insertOrder(30),
    "delete from payment where payment_id = 5",
  );
  await platform.extract();
  await platform.transform();
  assert.match(lines.join("\n"), /transform 2: 2 of about 2 rows/);
});

/** The project's SQL, where a model joins what it read row by row. */
const JOINED_SQL: ProjectSql = {
  ...PROJECT_SQL,
  transformHash: "joined",
  models: PROJECT_SQL.models.map((model) =>
    model.name === "dim_design"
      ? {
        ...model,
        derivation: "join",
        sql: model.sql.replaceAll("changed.design", "current.design"),
      }
      : model
  ),
};

Deno.test("transform() stops at a join of a table that was not kept", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await platform.run();
  platform.context.sql = JOINED_SQL;
  await execute(
    client,
    "insert into design values (9, now(), 'New', 'a', 'b', now())",
  );
  await platform.extract();

  await assert.rejects(transform(platform.context, { accept: true }), {
    name: "StageError",
    message:
      'Cannot join "design" in batch 2: it was not kept before, and 3 of its 4 rows came in earlier batches',
    subject: "design",
    hint: /\.\/totesys rebuild processed/,
  });
});

Deno.test("transform() joins a table that was not kept once it is read whole", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await platform.run();
  platform.context.sql = JOINED_SQL;
  await execute(
    client,
    "insert into design values (9, now(), 'New', 'a', 'b', now())",
  );

  await platform.extract({ fullRead: ["design"] });
  await transform(platform.context, { accept: true });
  await platform.load();

  await assertMirrored(platform);
});

Deno.test("transform() joins a table whose only row was quarantined", async () => {
  await using platform = await openPlatform({ sql: JOINED_SQL });
  const { client } = platform.source;
  const insert = (id: number, at: string) =>
    `insert into design values (${id}, '${at}', 'New', 'a', 'b', now())`;
  await platform.run();
  await execute(client, insert(1, "infinity"));
  await platform.run();
  await execute(client, insert(2, "2023-01-01"));

  await platform.run();

  const { quarantined } = await processedManifest(platform, 3);
  assert.equal(quarantined, 1);
  const designs = await query(
    platform.warehouse.client,
    "select design_id from dim_design_current",
  );
  assert.deepEqual(designs, [{ design_id: 2 }]);
});

Deno.test("transform() and load continue from a lake of the version before", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  const [before] = PROJECT_SQL.earlierHashes.slice(-1);
  assert.ok(before !== undefined);
  platform.context.sql = { ...PROJECT_SQL, transformHash: before };
  await platform.run();
  platform.context.sql = PROJECT_SQL;

  await platform.run();
  await platform.run();

  const hashes = await query(
    platform.warehouse.client,
    "select transform_hash as hash from pipeline.batch order by batch",
  );
  assert.deepEqual(
    hashes.map(({ hash }) => hash),
    [before, PROJECT_SQL.transformHash, PROJECT_SQL.transformHash],
  );
});

Deno.test("transform() refuses changed SQL, unless it is accepted for new batches", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();
  const { transformHash } = await processedManifest(platform, 1);
  platform.context.sql = {
    ...PROJECT_SQL,
    transformHash: "changed",
    models: PROJECT_SQL.models.map((model) =>
      model.name === "dim_design"
        ? { ...model, sql: `${model.sql} where design_id > 0` }
        : model
    ),
  };
  // With nothing to transform, there is nothing to refuse.
  assert.deepEqual((await platform.transform()).batches, []);
  await platform.extract();

  await assert.rejects(platform.transform(), {
    name: "StageError",
    message:
      "Cannot continue with the changed sql/ (contract, models or quarantine) after batch 1: it changes: dim_design: its header changes, or its query besides what it selects by name",
    subject: "sql/",
    hint: /--accept\b/,
  });
  await transform(platform.context, { accept: true });

  const hashes = await Promise.all(
    [1, 2].map(async (batch) =>
      (await processedManifest(platform, batch)).transformHash
    ),
  );
  assert.deepEqual(hashes, [transformHash, "changed"]);
  await platform.extract();
  assert.deepEqual((await platform.transform()).batches, [3]);
});

Deno.test("transform() refuses a truncated or rewritten ingestion log", async () => {
  await using platform = await openPlatform();
  await platform.extract();
  await platform.extract();
  await platform.transform();
  const { ingestionUrl } = platform.config;
  const refusal = (found: string) => ({
    name: "StageError",
    message:
      `Cannot continue the lake after batch 2: in ${ingestionUrl} it is ${found} now`,
    subject: ingestionUrl,
    hint: /^Check that INGESTION_URL and PROCESSED_URL belong together/,
  });

  await Deno.rename(
    `${ingestionUrl}/_batches/000000002.json`,
    `${ingestionUrl}/kept`,
  );
  await assert.rejects(platform.transform(), refusal("missing"));
  await platform.extract();
  await assert.rejects(platform.transform(), refusal("another one"));
  await Deno.rename(
    `${ingestionUrl}/kept`,
    `${ingestionUrl}/_batches/000000002.json`,
  );

  await platform.extract();
  assert.deepEqual((await platform.transform()).batches, [3]);

  await Deno.remove(ingestionUrl, { recursive: true });
  await assert.rejects(platform.transform(), {
    message:
      `Cannot continue the lake after batch 3: in ${ingestionUrl} it is missing now`,
  });
});

Deno.test("transform() commits nothing more than 12 hours after it began", async () => {
  await using platform = await openPlatform();
  await platform.extract();
  const { context } = platform;
  let now = Date.now();
  context.clock = () => new Date(now += HOURS_13_MS);

  await assert.rejects(platform.transform(), {
    name: "StageError",
    message: "Cannot commit batch 1: this run began over 12 hours ago",
    subject: platform.config.processedUrl,
    retryable: true,
  });

  context.clock = () => new Date();
  assert.deepEqual((await platform.transform()).batches, [1]);
});

Deno.test("transform() reports that another run committed its batch first", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.extract();
  const { context, config } = platform;
  const path = `${config.processedUrl}/_batches/000000001.json`;
  const theirs = encodeManifest({
    format: 1,
    stage: "transform",
    batch: 1,
    runId: "theirs",
    lakeId: "lake",
    snapshotTime: "",
    committedAt: "",
    engine: {},
  });
  context.clock = () => {
    Deno.mkdirSync(`${config.processedUrl}/_batches`, { recursive: true });
    Deno.writeFileSync(path, theirs);
    return new Date();
  };

  const result = await platform.transform();

  assert.equal(result.overtaken, true);
  assert.deepEqual(result.batches, []);
  assert.deepEqual(await Deno.readFile(path), theirs);
  assert.match(
    platform.logged.join("\n"),
    /warning: batch 1 was committed by another run first/,
  );
});

Deno.test("transform() names the place that it can't write, and continues once it can", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();
  await execute(platform.source.client, insertOrder(30));
  await platform.extract();
  const folder = `${platform.config.processedUrl}/fact_sales_order`;
  await Deno.rename(folder, `${folder}-kept`);
  await Deno.writeTextFile(folder, "a file in the way");

  await assert.rejects(platform.transform(), {
    name: "StageError",
    message: new RegExp(`^Cannot write ${folder}/batch=000000002/`),
    retryable: true,
    hint: /^Check the free space and the rights there/,
  });

  await Deno.remove(folder);
  await Deno.rename(`${folder}-kept`, folder);
  assert.deepEqual((await platform.transform()).batches, [2]);
});

Deno.test("transform() stops at too many quarantined rows, and commits nothing", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await execute(
    client,
    "update payment set payment_date = 'soon' where payment_id in (2, 4)",
  );
  await platform.extract();
  platform.set({ quarantineRowsMax: 1 });

  await assert.rejects(platform.transform(), {
    name: "StageError",
    message:
      'Cannot read "payment": 2 rows would be in quarantine, more than the 1 that are allowed; the first is 2: payment_date is no date (YYYY-MM-DD): "soon"',
    subject: "payment",
    dataCheck: true,
    hint: /QUARANTINE_ROWS_MAX/,
  });
  platform.set({ quarantineRowsMax: 2 });
  await platform.transform();

  assert.equal((await processedManifest(platform, 1)).quarantined, 2);
});
