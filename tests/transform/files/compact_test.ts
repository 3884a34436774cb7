import assert from "node:assert/strict";
import { BatchLog } from "../../../lib/batches/batch_log.ts";
import type {
  LiveFile,
  ProcessedManifest,
} from "../../../lib/batches/manifest.ts";
import { StageError } from "../../../lib/errors.ts";
import { RESOURCES, type StageContext } from "../../../lib/stage.ts";
import { openZone } from "../../../lib/zone/zone.ts";
import { dueMerges } from "../../../transform/files/due_merges.ts";
import { transform } from "../../../transform/transform.ts";
import { liveFiles, processedManifest } from "../../harness/manifests.ts";
import {
  execute,
  openPlatform,
  type Platform,
} from "../../harness/platform.ts";
import {
  fillSmall,
  insertOrder,
} from "../../harness/companies/small_source.ts";

const MODEL = "fact_sales_order";
const BOUNDS = { fanOut: 3, bytesMax: 100, laterRowsMin: Infinity };

/** Files of one model, by their levels and bytes, a batch each. */
function filesOf(levels: number[], bytes: number[] = []): LiveFile[] {
  return levels.map((level, index) => ({
    model: "one",
    from: index + 1,
    to: index + 1,
    level,
    key: `${index + 1}`,
    bytes: bytes[index] ?? 1,
    rows: 1,
    sha256: "",
  }));
}

function due(files: readonly LiveFile[], bounds = BOUNDS): string[] {
  return dueMerges(files, bounds)
    .map((merge) => merge.map(({ key }) => key).join(" "));
}

Deno.test("dueMerges() merges neighbours of the lowest level first", () => {
  assert.deepEqual(due(filesOf([0, 0])), []);
  assert.deepEqual(due(filesOf([0, 0, 0, 0])), ["1 2 3"]);
  assert.deepEqual(due(filesOf([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])), [
    "4 5 6",
    "7 8 9",
    "1 2 3",
  ]);
  assert.deepEqual(due(filesOf([2, 1, 1, 0, 0])), []);
  assert.deepEqual(due(filesOf([0, 0, 0]).toReversed()), ["1 2 3"]);
});

Deno.test("dueMerges() skips large files, and merges their neighbours", () => {
  assert.deepEqual(due(filesOf([0, 0, 0, 0], [90, 9, 9, 9])), ["2 3 4"]);
  assert.deepEqual(due(filesOf([0, 0, 0], [30, 30, 40])), ["1 2 3"]);
});

Deno.test("dueMerges() merges fewer neighbours when all would be too large", () => {
  assert.deepEqual(due(filesOf([0, 0, 0], [40, 40, 40])), ["1 2"]);
  assert.deepEqual(due(filesOf([0, 0], [40, 40])), []);
  assert.deepEqual(due(filesOf([0, 0, 0], [40, 40, 51])), []);
});

Deno.test("dueMerges() merges files that no file of their level can follow with the next higher one", () => {
  assert.deepEqual(due(filesOf([1, 0, 0, 1, 0, 2])), ["2 3 4", "5 6"]);
  assert.deepEqual(due(filesOf([2, 1, 1, 0, 2, 1, 0])), ["2 3 4 5"]);
  assert.deepEqual(due(filesOf([1, 0, 0, 1], [9, 9, 9, 90])), ["2 3"]);
  assert.deepEqual(due(filesOf([0, 1], [50, 60])), []);
});

Deno.test("dueMerges() merges all files when those after the first have too many rows", () => {
  const bounds = { ...BOUNDS, fanOut: 10, laterRowsMin: 5 };
  const dueOf = (rows: number[], bytes?: number[]) =>
    due(
      filesOf([2, 1, 0].slice(0, rows.length), bytes)
        .map((file, index) => ({ ...file, rows: rows[index] ?? 0 })),
      bounds,
    );

  assert.deepEqual(dueOf([62, 3, 2]), ["1 2 3"]);
  assert.deepEqual(dueOf([63, 3, 2]), []);
  assert.deepEqual(dueOf([20, 3, 1]), []);
  assert.deepEqual(dueOf([1]), []);
  assert.deepEqual(dueOf([62, 3, 2], [98, 1, 1]), ["1 2 3"]);
  assert.deepEqual(dueOf([62, 3, 2], [99, 1, 1]), []);
});

Deno.test("dueMerges() never mixes two models", () => {
  const [one, two, three] = filesOf([0, 0, 0]);
  assert(one !== undefined && two !== undefined && three !== undefined);

  assert.deepEqual(due([one, { ...two, model: "other" }, three]), []);
});

Deno.test("dueMerges() never mixes two sets of columns, except in files whose columns are unknown", () => {
  const files = filesOf([0, 0, 0, 0]);
  const withColumns = (...hashes: (string | undefined)[]) =>
    files.map((file, index) => ({
      ...file,
      ...hashes[index] === undefined ? {} : { columns: hashes[index] },
    }));

  assert.deepEqual(due(withColumns("a", "b", "b", "b")), ["2 3 4"]);
  assert.deepEqual(due(withColumns("a", "a", "b", "b")), ["1 2"]);
  assert.deepEqual(due(withColumns(undefined, undefined, "b", "b")), ["1 2 3"]);
  assert.deepEqual(due(withColumns(undefined, undefined, "b", "a")), ["1 2 3"]);
});

for (const kind of ["missing", "damaged"] as const) {
  Deno.test(`transform() names a live file that is ${kind}, and commits nothing`, async () => {
    await using platform = await openPlatform();
    await makeBatches(platform, 3);
    const file = (await liveFiles(platform))
      .find(({ model }) => model === MODEL);
    assert(file !== undefined);
    const path = `${platform.config.processedUrl}/${file.key}`;
    if (kind === "missing") await Deno.remove(path);
    else await Deno.truncate(path, file.bytes - 1);
    await platform.extract();

    await assert.rejects(platform.transform(), (error) => {
      assert(error instanceof StageError);
      assert.equal(error.subject, path);
      assert.match(error.message, /^Cannot read /);
      assert.match(error.hint ?? "", /\.\/totesys rebuild processed/);
      return true;
    });

    await assertNothingCommitted(platform, 3);
  });
}

for (
  const { what, change, found } of [
    {
      what: "has another content",
      change: (sql: string) =>
        sql.replace(
          "copy (from",
          "copy (select * replace (7 as units_sold) from",
        ),
      found: "the content that came out differs from what went in",
    },
    {
      what: "has lost a version",
      change: (sql: string) => sql.replace(") to '", " limit 5) to '"),
      found: /\d+ versions went in, 5 came out/,
    },
    {
      what: "takes an older version for one that holds",
      change: (sql: string) =>
        sql.replace("coalesce(lead(batch)", "coalesce(null + lead(batch)"),
      found: /6 keys have a version that holds, 8 came out/,
    },
  ]
) {
  Deno.test(`transform() lists no merged file that ${what}`, async () => {
    await using platform = await openPlatform();
    await makeBatches(platform, 3);
    await platform.extract();
    changeMerges(platform, change);

    await assert.rejects(platform.transform(), (error) => {
      assert(error instanceof StageError);
      assert.equal(error.subject, MODEL);
      const [, said = ""] =
        /^Cannot merge the files of "\w+" of batches 1 to 3: (.*)$/
          .exec(error.message) ?? [];
      assert.match(said, new RegExp(found));
      assert.match(error.hint ?? "", /\.\/totesys rebuild processed/);
      return true;
    });

    await assertNothingCommitted(platform, 3);
  });
}

Deno.test("transform() commits its batch when a merge lacks memory, and merges later", async () => {
  await using platform = await openPlatform();
  await makeBatches(platform, 3);
  await platform.extract();
  changeMerges(platform, () => {
    throw new Error("Out of Memory Error: no room for a merge");
  });

  const { batches } = await platform.transform();

  assert.deepEqual(batches, [4]);
  assert.ok((await liveFiles(platform)).every(({ level }) => level === 0));
  assert.match(
    platform.logged.join("\n"),
    /warning: files of fact_sales_order will be merged with a later batch/,
  );
  platform.context.resources = RESOURCES;
  await platform.extract();
  await platform.transform();
  assert.ok((await liveFiles(platform)).some(({ level }) => level === 1));
});

Deno.test("transform() merges a model's later files into the first when they have many rows", async () => {
  await using platform = await openPlatform();
  await makeBatches(platform, 5, { fanOut: 3, laterRowsMin: 4 });

  const orders = async () =>
    (await liveFiles(platform)).filter(({ model }) => model === MODEL)
      .map(({ from, to, level }) => ({ from, to, level }));

  // The first three became one; two more batches have four rows together.
  assert.deepEqual(await orders(), [
    { from: 1, to: 3, level: 1 },
    { from: 4, to: 4, level: 0 },
    { from: 5, to: 5, level: 0 },
  ]);
  await platform.extract();
  await platform.transform();
  assert.deepEqual(await orders(), [{ from: 1, to: 5, level: 1 }]);
});

Deno.test("transform() starts no merge that would miss its deadline", async () => {
  await using platform = await openPlatform();
  await makeBatches(platform, 3);
  const { context } = platform;
  await platform.extract();

  await transform({ ...context, deadline: new Date(Date.now() - 1) });

  assert.ok((await liveFiles(platform)).every(({ level }) => level === 0));
  await platform.extract();
  await transform({ ...context, deadline: new Date(Date.now() + 100_000) });
  assert.ok((await liveFiles(platform)).some(({ level }) => level === 1));
});

Deno.test("transform() merges no more than the settings allow, and continues with the next batch", async () => {
  await using platform = await openPlatform();
  const { context } = platform;
  await makeBatches(platform, 3);
  const merged = async () => {
    await platform.extract();
    await platform.transform();
    const files = await liveFiles(platform);
    return files.filter(({ level }) => level > 0).map(({ model }) => model);
  };
  const order = (await liveFiles(platform))
    .filter(({ model }) => model === MODEL);
  const bytesOf = (files: readonly LiveFile[]) =>
    files.reduce((sum, file) => sum + file.bytes, 0);
  const bytes = bytesOf(order);

  platform.set({ compactionBytesMax: bytesOf(order.slice(0, 2)) - 1 });
  assert.deepEqual(await merged(), []);
  platform.set({ compactionBytesMax: bytes, compactionSecondsMax: 0 });
  assert.deepEqual(await merged(), []);
  platform.set({ compactionSecondsMax: 60 });
  assert.deepEqual(await merged(), [MODEL]);
  assert.equal(context.config.compactionBytesMax, bytes);
});

Deno.test("transform() starts no more merges after the configured seconds", async () => {
  await using platform = await openPlatform();
  const { context, source } = platform;
  await makeBatches(platform, 2);
  // So that a second model has three files, too, before anything is merged.
  platform.set({ compactionSecondsMax: 0, sourceClockSkewMinutesMax: 0 });
  for (let batch = 3; batch <= 5; batch++) {
    await execute(
      source.client,
      insertOrder(20 + batch),
      `update design set design_name = 'N${batch}' where design_id = 1`,
    );
    await platform.extract();
    await platform.transform();
  }
  const levels = async () => {
    await platform.extract();
    await platform.transform();
    return (await liveFiles(platform)).filter(({ level }) => level > 0).length;
  };
  let now = Date.now();
  context.clock = () => new Date(now += 40_000);
  platform.set({ compactionSecondsMax: 60 });

  const first = await levels();
  const second = await levels();

  assert.deepEqual([first, second], [1, 2]);
});

Deno.test("batches held until a later one repairs them list each other's files, and merge none", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await makeBatches(platform, 3);
  platform.set({ quarantineRowsMax: 0 });
  await execute(
    client,
    insertOrder(50),
    "update payment set payment_date = 'never' where payment_id = 1",
  );
  await platform.extract();
  await execute(client, insertOrder(51));
  await platform.extract();
  await assert.rejects(platform.transform(), /would be in quarantine/);
  await execute(
    client,
    "update payment set payment_date = '2023-01-01' where payment_id = 1",
    insertOrder(52),
  );
  await platform.extract();

  const { batches } = await platform.transform();

  assert.deepEqual(batches, [4, 5, 6]);
  for (const batch of batches) {
    const manifest = await processedManifest(platform, batch);
    const files = await liveFiles(platform, manifest);
    const orders = files.filter(({ model }) => model === MODEL);
    assert.deepEqual(
      orders.map(({ from, to }) => [from, to]),
      batch < 6
        ? Array.from({ length: batch }, (_, index) => [index + 1, index + 1])
        : [[1, 3], [4, 4], [5, 5], [6, 6]],
    );
  }
});

/** Batches that each bring an order, and another version of the first. */
async function makeBatches(
  platform: Platform,
  batches: number,
  compaction: StageContext["compaction"] = { fanOut: 3 },
): Promise<void> {
  platform.context.compaction = compaction;
  const { client } = platform.source;
  await fillSmall(client);
  for (let batch = 1; batch <= batches; batch++) {
    await execute(
      client,
      insertOrder(10 + batch),
      `update sales_order set units_sold = ${batch} where sales_order_id = 1`,
    );
    await platform.extract();
    await platform.transform();
  }
}

/** Changes the statements that write merged files. */
function changeMerges(
  { context }: Platform,
  change: (sql: string) => string,
): void {
  context.resources = {
    ...RESOURCES,
    openDuckDb: async (...options) => {
      const duckdb = await RESOURCES.openDuckDb(...options);
      return {
        ...duckdb,
        rows: async (sql) => {
          const isMerge = sql.startsWith("copy (") && sql.includes("-merged.");
          return await duckdb.rows(isMerge ? change(sql) : sql);
        },
        [Symbol.asyncDispose]: () => duckdb[Symbol.asyncDispose](),
      };
    },
  };
}

async function assertNothingCommitted(
  { config }: Platform,
  last: number,
): Promise<void> {
  const zone = openZone(config.processedUrl, { s3: config.s3 });
  const log = new BatchLog<ProcessedManifest>(zone, "transform");
  assert.equal(await log.newestNumber(), last);
  zone.close();
}
