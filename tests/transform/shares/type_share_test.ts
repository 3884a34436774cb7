import assert from "node:assert/strict";
import { join } from "node:path";
import { StageError } from "../../../lib/errors.ts";
import { rebuildProcessed } from "../../../transform/rebuild_processed.ts";
import { main } from "../../../transform/main.ts";
import { typeShare } from "../../../transform/shares/type_share.ts";
import { sweep } from "../../../sweep/sweep.ts";
import { openDuckDbEngine } from "../../harness/duckdb_engine.ts";
import { everyVersion } from "../../harness/readers/every_version.ts";
import { warehouseHistory, zoneKeys } from "../../harness/readers/oracle.ts";
import {
  changeSmall,
  fillSmall,
} from "../../harness/companies/small_source.ts";
import {
  execute,
  openPlatform,
  type Platform,
} from "../../harness/platform.ts";
import { StoreClock } from "../../harness/store_clock.ts";
import { Task, taskEnv } from "../../harness/task.ts";
import { testIo } from "../../harness/process_io.ts";

const BATCHES = [1, 2, 3];
/** It takes a process a moment to type so many. */
const LARGE_ROWS = 400_000;
const WAIT_MS = 5;
const TRIES_MAX = 10_000;

for (
  const { zones, engine } of [
    { zones: "directory", engine: "DuckDB" },
    { zones: "S3", engine: "another engine" },
  ] as const
) {
  Deno.test(`shares typed apart make the lake that one process makes, by ${engine} on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const before = await madeByOne(platform);
    await platform.load();
    const loaded = await warehouseHistory(platform);
    if (engine !== "DuckDB") withEngine(platform);
    for (const batch of BATCHES) await typeAll(platform, { batch, of: 3 });

    await rebuildProcessed(platform.context);

    assert.deepEqual(await everyVersion(platform), before);
    assert.deepEqual(
      platform.logged.flatMap((line) =>
        /^info: batch (\d): its \d+ files of CSV are typed$/.exec(line)
          ?.[1] ??
          []
      ),
      BATCHES.map(String),
    );
    // The warehouse goes on with it.
    await platform.extract();
    await platform.transform();
    await platform.load();
    assert.deepEqual(await warehouseHistory(platform), loaded);
  });
}

Deno.test("an engine reads the files of shares as they are, unless a rule sets a row aside", async () => {
  await using platform = await openPlatform();
  await madeByOne(platform);
  const { context, config } = platform;
  const read = new Map<string, string[]>();
  context.openEngine = async (zone) => {
    const engine = await openDuckDbEngine({ config, zone });
    return {
      ...engine,
      register: (input) => {
        const [, kind = "", table = "", batch] =
          /^_state\/(\w+)\.(\w+)\/batch=0*(\d+)\//.exec(input.folder) ?? [];
        if (batch === "1") {
          read.set(table, [...read.get(table) ?? [], kind]);
        }
        return engine.register(input);
      },
    };
  };
  await typeAll(platform, { batch: 1, of: 1 });

  await rebuildProcessed(context);

  // Only a rule knows that a text is no date.
  assert.deepEqual(read.get("payment"), ["changed"]);
  assert.deepEqual(read.get("sales_order"), ["typed"]);
  read.delete("payment");
  assert.deepEqual([...new Set([...read.values()].flat())], ["typed"]);
});

Deno.test("a share whose process is killed leaves nothing that counts, and transform reads its CSV", async () => {
  await using platform = await openPlatform();
  const { source, context, config, logged } = platform;
  const clock = new StoreClock(platform);
  await fillSmall(source.client);
  await execute(
    source.client,
    `insert into transaction select id, 'SALE', 1, null, now(), now()
    from generate_series(10, ${LARGE_ROWS}) as id`,
  );
  await platform.extract();
  context.grouping = { bytesMax: 0 };
  await typeShare(context, { part: 2, of: 2 });
  {
    const args = ["transform", "--share", "1/2", "--batch", "1"];
    await using task = new Task(args, taskEnv(platform));
    const folder = join(config.processedUrl, "_state", "typed.transaction");
    await appears(folder);
    Deno.kill(-task.pid, "SIGKILL");
    assert.notEqual(await task.ended(), 0);
  }

  await platform.transform();

  const made = await everyVersion(platform);
  assert.match(
    logged.join("\n"),
    /warning: batch 1: \d of its 1\d files of CSV are typed, this run reads the others/,
  );
  delete context.grouping;
  await rebuildProcessed(context);
  assert.deepEqual(await everyVersion(platform), made);
  await clock.leap(49);
  await sweep(context, { zone: "processed" });
  const left = (await zoneKeys(platform, "processedUrl"))
    .filter((key) => /^_state\/(typed|unreadable)/.test(key));
  assert.deepEqual(left, []);
});

Deno.test("what was typed for other SQL, or over a day ago, is not read", async () => {
  await using platform = await openPlatform();
  const clock = new StoreClock(platform);
  const before = await madeByOne(platform);
  const { context, logged } = platform;
  const { sql } = context;
  await typeAll(platform, { batch: 1, of: 1 });
  await clock.leap(25);
  context.sql = { ...sql, transformHash: "of other SQL" };
  await typeAll(platform, { batch: 1, of: 1 });
  context.sql = sql;

  await rebuildProcessed(context);

  assert.deepEqual(await everyVersion(platform), before);
  assert.doesNotMatch(logged.join("\n"), /of CSV are typed/);
});

Deno.test("what another version has typed is not read", async () => {
  await using platform = await openPlatform();
  await madeByOne(platform);
  const { context, config, logged } = platform;
  await typeAll(platform, { batch: 1, of: 1 });
  const [key = ""] = (await zoneKeys(platform, "processedUrl"))
    .filter((one) => one.startsWith("_state/typed/"));
  const path = join(config.processedUrl, key);
  const note = JSON.parse(await Deno.readTextFile(path));
  for (const typing of [undefined, note.typing.replace(/^./, "x")]) {
    await Deno.writeTextFile(path, JSON.stringify({ ...note, typing }));

    await rebuildProcessed(context);

    assert.doesNotMatch(logged.join("\n"), /of CSV are typed/);
  }
  await Deno.writeTextFile(path, JSON.stringify(note));

  await rebuildProcessed(context);

  assert.match(logged.join("\n"), /batch 1: its \d+ files of CSV are typed/);
});

Deno.test("shares that overlap don't count twice", async () => {
  await using platform = await openPlatform();
  const before = await madeByOne(platform);
  await typeAll(platform, { batch: 1, of: 2 });
  await typeAll(platform, { batch: 1, of: 3 });
  await typeAll(platform, { batch: 1, of: 2 });

  await rebuildProcessed(platform.context);

  assert.deepEqual(await everyVersion(platform), before);
});

for (const text of ["<html>", "null", "{}", ""]) {
  Deno.test(`a note of a share that is "${text}" does not count`, async () => {
    await using platform = await openPlatform();
    const before = await madeByOne(platform);
    await typeAll(platform, { batch: 1, of: 1 });
    const [key = ""] = (await zoneKeys(platform, "processedUrl"))
      .filter((one) => one.startsWith("_state/typed/"));
    await Deno.writeTextFile(join(platform.config.processedUrl, key), text);

    await rebuildProcessed(platform.context);

    assert.deepEqual(await everyVersion(platform), before);
  });
}

Deno.test("a damaged file of a share stops the batch with its name", async () => {
  await using platform = await openPlatform();
  await madeByOne(platform);
  await typeAll(platform, { batch: 1, of: 1 });
  const [key = ""] = (await zoneKeys(platform, "processedUrl"))
    .filter((one) => one.startsWith("_state/typed.currency/"));
  const path = join(platform.config.processedUrl, key);
  const bytes = await Deno.readFile(path);
  bytes[0] = 0;
  await Deno.writeFile(path, bytes);

  await assert.rejects(rebuildProcessed(platform.context), (error) => {
    assert.ok(error instanceof StageError);
    assert.equal(
      error.message,
      `Cannot read ${path}: its content does not match its checksum`,
    );
    assert.match(
      error.hint ?? "",
      /^Remove .*_state\/typed\/batch=000000001, /,
    );
    return true;
  });
});

Deno.test("typeShare() refuses a batch that does not exist", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);

  await assert.rejects(typeShare(platform.context, { part: 1, of: 2 }), {
    message: /^Cannot type batch 1: .* does not have it$/,
  });
});

Deno.test("transform refuses a share that is none", async () => {
  await using platform = await openPlatform();
  for (
    const args of [
      ["--share", "9/8"],
      ["--share", "0/8"],
      ["--share", "1"],
      ["--batch", "1"],
      ["--share", "1/8", "--batch", "0"],
    ]
  ) {
    const io = testIo(taskEnv(platform), { isTerminal: true });
    assert.equal(await main(args, io), 2);
    assert.match(io.said, /Cannot type a share: /);
  }
});

/** Three batches with rows in quarantine, made without shares. */
async function madeByOne(platform: Platform) {
  const { client } = platform.source;
  await fillSmall(client);
  await execute(
    client,
    "update payment set payment_date = '2023-02-30' where payment_id = 2",
    "update sales_order set unit_price = 'NaN' where sales_order_id = 3",
    "update purchase_order set last_updated = 'infinity' where purchase_order_id = 1",
    "update design set created_at = '0044-03-15 BC' where design_id = 2",
  );
  await platform.extract();
  await changeSmall(client, 2);
  await execute(
    client,
    "delete from payment where payment_id = 3",
    "update sales_order set unit_price = 1 where sales_order_id = 3",
    "update currency set last_updated = '-infinity' where currency_id = 3",
  );
  await platform.extract({ allowMassDelete: true });
  await platform.extract({ fullRead: ["payment", "design"] });
  await platform.transform();
  platform.context.grouping = { bytesMax: 0 };
  return await everyVersion(platform);
}

async function typeAll(
  { context }: Platform,
  { batch, of }: { batch: number; of: number },
): Promise<void> {
  for (let part = 1; part <= of; part++) {
    await typeShare(context, { part, of, batch });
  }
}

function withEngine(platform: Platform): void {
  const { context, config } = platform;
  context.openEngine = (zone) => openDuckDbEngine({ config, zone });
}

/** Waits until a folder is there. */
async function appears(folder: string): Promise<void> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const found = await Deno.stat(folder).catch(() => undefined);
    if (found !== undefined) return;
    await new Promise((wake) => setTimeout(wake, WAIT_MS));
  }
  throw new Error(`${folder} never appeared`);
}
