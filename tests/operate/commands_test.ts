import assert from "node:assert/strict";
import { join } from "node:path";
import { main as extract } from "../../extract/main.ts";
import { main as load } from "../../load/main.ts";
import { main as rebuild } from "../../operate/rebuild.ts";
import { main as resync } from "../../operate/resync.ts";
import { main as pipeline } from "../../operate/run.ts";
import { parseInterval } from "../../operate/run_stages.ts";
import { main as status } from "../../operate/status.ts";
import { main as transform } from "../../transform/main.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { SQL_DIRECTORY } from "../harness/companies/sql_directory.ts";
import { type TestIo, testIo } from "../harness/process_io.ts";

function envOf(platform: Platform): Record<string, string> {
  return {
    SQL_DIRECTORY,
    SOURCE_URL: platform.source.url,
    WAREHOUSE_URL: platform.warehouse.url,
    INGESTION_URL: platform.config.ingestionUrl,
    PROCESSED_URL: platform.config.processedUrl,
    TEMP_DIRECTORY: platform.config.tempDirectory,
  };
}

const UNREACHABLE = {
  SOURCE_URL: "postgres://h/d",
  WAREHOUSE_URL: "postgres://h/w",
  INGESTION_URL: "/tmp/i",
  PROCESSED_URL: "/tmp/p",
};

Deno.test("the stages' commands run the pipeline, and status reports it", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  const env = envOf(platform);
  const before = testIo(env, { isTerminal: true });
  assert.equal(await status([], before), 1);
  assert.match(before.out, /freshness: unknown, nothing is loaded/);

  for (const stage of [extract, transform, load]) {
    const io = testIo(env);
    assert.equal(await stage([], io), 0, io.error);
    const events = io.out.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.equal(events.at(-1).batch, 1);
  }
  const terminal = testIo(env, { isTerminal: true });
  assert.equal(await extract(["--full=payment,address"], terminal), 0);
  assert.match(terminal.out, /"payment" is read whole: it was asked for/);

  const after = testIo(env, { isTerminal: true });
  assert.equal(await status([], after), 0);
  assert.match(after.out, /extract +2 .*\ntransform +1 .* 1\nload +1 .* 0\n/);
  const asJson = testIo(env);
  assert.equal(await status([], asJson), 0);
  const told = JSON.parse(asJson.out);
  assert.equal(told.fresh, true);
  assert.equal(told.stages[2].batch, 1);
});

Deno.test("status reports the newest verification's result", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  const env = envOf(platform);
  assert.equal(await pipeline([], testIo(env)), 0);
  const told = async (differences: number) => {
    await execute(
      platform.warehouse.client,
      `insert into pipeline.verification
        (batch, snapshot_time, model, place, differences)
      values (${differences + 1}, now(), 'dim_staff', 'lake', ${differences})`,
    );
    const io = testIo(env, { isTerminal: true });
    return { code: await status([], io), out: io.out };
  };

  const same = await told(0);
  assert.equal(same.code, 0);
  assert.match(same.out, /\nverified: batch 1, \d{4}-.*, the same\n/);

  const changed = await told(2);
  assert.equal(changed.code, 1);
  assert.match(
    changed.out,
    /\nverified: batch 3, .*, 2 DIFFERENCES: run \.\/totesys verify\n/,
  );
});

Deno.test("status shows the quarantine, stale batches and unreachable servers", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { client } = platform.source;
  await fillSmall(client);
  await execute(
    client,
    "update payment set payment_date = 'never' where payment_id = 3",
  );
  const env = envOf(platform);
  assert.equal(await pipeline([], testIo(env)), 0);
  await execute(
    platform.warehouse.client,
    "update pipeline.batch set snapshot_time = now() - interval '3 hours'",
  );

  const io = testIo(env, { isTerminal: true });
  assert.equal(await status([], io), 1);
  assert.match(io.out, /freshness: 3 h - TOO OLD/);
  assert.match(io.out, /quarantine: 1 row\n {2}payment 3: payment_date is/);

  const down = testIo({
    ...env,
    WAREHOUSE_URL: "postgres://u:hunter2@127.0.0.1:1/w",
    INGESTION_URL: "/proc/nowhere/x",
  }, { isTerminal: true });
  assert.equal(await status([], down), 1);
  assert.match(down.out, /load: Cannot connect to 127.0.0.1:1\/w/);
  assert.doesNotMatch(down.out + down.error, /hunter2/);
});

Deno.test("status reports zones and a warehouse that don't belong together", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await using other = await openPlatform({ warehouse: "empty" });
  for (const { source } of [platform, other]) await fillSmall(source.client);
  await platform.run();
  await other.run();
  const env = envOf(platform);
  const empty = join(platform.config.tempDirectory, "empty");
  const { ingestionUrl, processedUrl } = platform.config;
  const { INGESTION_URL, PROCESSED_URL, WAREHOUSE_URL } = envOf(other);
  const cases: [Record<string, string | undefined>, RegExp][] = [
    [
      { INGESTION_URL },
      /transform: Cannot continue the lake after batch 1: .* another one/,
    ],
    [
      { INGESTION_URL: empty },
      /transform: Cannot continue the lake after .* is missing/,
    ],
    [
      { WAREHOUSE_URL },
      /load: Cannot continue the warehouse after batch 1: .* another lake/,
    ],
    [
      { INGESTION_URL, PROCESSED_URL },
      /load: Cannot continue the warehouse after batch 1: .* belongs to another lake/,
    ],
    [
      { INGESTION_URL: empty, PROCESSED_URL: join(empty, "..", "empty2") },
      /load: Cannot continue the warehouse after batch 1: .* is missing/,
    ],
    [
      { INGESTION_URL: processedUrl, PROCESSED_URL: ingestionUrl },
      /they are exchanged/,
    ],
  ];
  const together = testIo(env, { isTerminal: true });
  assert.equal(await status([], together), 0, together.out);

  for (const [changed, problem] of cases) {
    const io = testIo({ ...env, ...changed } as typeof env, {
      isTerminal: true,
    });
    assert.equal(await status([], io), 1, io.out);
    assert.match(io.out, problem);
    assert.match(io.out, /^freshness: \d+ s$/m);
  }
});

Deno.test("stages without work report it in one line", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const env = envOf(platform);
  const said = async (stage: typeof load) => {
    const io = testIo(env);
    assert.equal(await stage([], io), 0, io.error);
    const lines = io.out.trimEnd().split("\n");
    assert.equal(lines.length, 1, io.out);
    return JSON.parse(lines[0] ?? "");
  };

  assert.match((await said(transform)).message, /no batch was extracted yet/);
  assert.match((await said(load)).message, /no batch was transformed yet/);
  await platform.run();
  for (const stage of [transform, load]) {
    const { message, batch } = await said(stage);
    assert.equal(message, "nothing new: batch 1 is the newest");
    assert.equal(batch, 1);
  }
});

Deno.test("commands name every setting that is missing, and exit with 2", async () => {
  const io = testIo({}, { isTerminal: true });

  assert.equal(await pipeline([], io), 2);

  for (const name of ["SOURCE_URL", "WAREHOUSE_URL", "INGESTION_URL"]) {
    assert.match(io.error, new RegExp(`${name} is missing`));
  }
  const flags = testIo({}, { isTerminal: true });
  assert.equal(await extract(["--fast"], flags), 2);
  assert.match(flags.error, /--fast[^]*\.\/totesys extract/);
  const help = testIo({}, { isTerminal: true });
  assert.equal(await load(["--help"], help), 0);
  assert.match(help.out, /^\.\/totesys load/);
  const every = testIo(UNREACHABLE);
  assert.equal(await pipeline(["--forever", "--every", "soon"], every), 2);
  assert.match(JSON.parse(every.error).message, /--every is "soon"/);
});

Deno.test("run and pipeline have their own usage, and only run takes --every", async () => {
  const once = testIo({});
  assert.equal(await pipeline(["--help"], once), 0);
  assert.match(once.out, /^\.\/totesys pipeline \[--accept\]\n/);
  const forever = testIo({});
  assert.equal(await pipeline(["--forever", "--help"], forever), 0);
  assert.match(forever.out, /^\.\/totesys run \[--every 15m\] \[--accept\]\n/);

  const refused = testIo(UNREACHABLE);
  assert.equal(await pipeline(["--every", "5s"], refused), 2);
  const { stage, message } = JSON.parse(refused.error);
  assert.equal(stage, "pipeline");
  assert.match(message, /--every[^]*\.\/totesys run does it for ever/);
  const unset = testIo({});
  assert.equal(await pipeline(["--forever"], unset), 2);
  assert.equal(JSON.parse(unset.error).stage, "run");
});

Deno.test("commands end with a message, a hint and no password", async () => {
  const env = {
    SOURCE_URL: "postgres://u:hunter2@127.0.0.1:1/d",
    INGESTION_URL: await Deno.makeTempDir(),
  };
  const io = testIo(env, { isTerminal: true });
  assert.equal(await extract([], io), 1);
  assert.match(io.error, /^Cannot connect to 127.0.0.1:1\/d: .*\n-> Check/);
  const json = testIo(env);
  assert.equal(await extract([], json), 1);
  const event = JSON.parse(json.error);
  assert.equal(event.level, "fatal");
  assert.equal(event.retryable, true);
  assert.equal(event.exitCode, 1);
  assert.doesNotMatch(io.error + json.error + json.out, /hunter2/);
  await Deno.remove(env.INGESTION_URL, { recursive: true });
});

Deno.test("run continues after a failed stage, and stops on a signal", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { client } = platform.source;
  await fillSmall(client);
  await execute(client, "alter table design rename to designs");
  let repaired = false;
  const io: TestIo = testIo(envOf(platform), {
    onOut: (text) => {
      if (!repaired && text.includes("no such table")) {
        repaired = true;
        client.query("alter table designs rename to design");
      }
      if (/"stage":"load","message":"batch \d/.test(text)) io.stop();
    },
  });

  assert.equal(await pipeline(["--forever", "--every", "1s"], io), 0);

  assert.equal(repaired, true);
  assert.match(io.out, /"level":"error","stage":"extract"/);
  assert.match(
    io.out,
    /"level":"info","stage":"run","message":"stopped as asked"/,
  );
  assert.doesNotMatch(io.out, /"stage":""/);
});

Deno.test("a stopped stage ends with 0 and reports what is kept", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await execute(platform.source.client, insertOrder(9));
  const io = testIo(envOf(platform), { isTerminal: true });
  const running = pipeline([], io);
  io.stop();

  assert.equal(await running, 0);
  assert.match(io.error, /Stopped as asked/);
});

Deno.test("rebuild and resync recreate places and repair tables", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  const env = envOf(platform);
  assert.equal(await pipeline([], testIo(env)), 0);
  await execute(
    platform.warehouse.client,
    "update fact_payment set payment_amount = 0",
    "update dim_currency set currency_name = ''",
  );

  const resynced = testIo(env);
  assert.equal(await resync(["payment,design", "staff"], resynced), 0);
  assert.match(resynced.out, /fact_payment: 10 rows were repaired/);
  assert.doesNotMatch(resynced.out, /dim_currency: /);
  const processed = testIo(env);
  assert.equal(
    await rebuild(["processed", "--replace-lake"], processed),
    0,
    processed.error,
  );
  assert.match(processed.out, /generation .* is active, up to batch 2/);
  const warehouse = testIo(env);
  assert.equal(await rebuild(["warehouse"], warehouse), 0, warehouse.error);
  assert.match(warehouse.out, /dim_currency: 3 rows were repaired/);
  const again = testIo(env);
  assert.equal(
    await rebuild(["--replace-lake", "warehouse", "--allow-cascade"], again),
    0,
  );
  assert.doesNotMatch(again.out, /repaired/);
});

Deno.test("the rebuild that loses a race exits with 1", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  const env = envOf(platform);
  assert.equal(await pipeline([], testIo(env)), 0);

  const codes = await Promise.all([
    rebuild(["processed"], testIo(env)),
    rebuild(["processed"], testIo(env)),
  ]);

  assert.deepEqual(codes.sort(), [0, 1]);
});

Deno.test("rebuild and resync list their arguments when one is wrong, and exit with 2", async () => {
  const env = {
    SQL_DIRECTORY,
    SOURCE_URL: "postgres://h/d",
    WAREHOUSE_URL: "postgres://h/w",
    INGESTION_URL: "/tmp/i",
    PROCESSED_URL: "/tmp/p",
  };
  const contract = join(SQL_DIRECTORY, "source.sql");
  for (
    const { main, args, message } of [
      { main: rebuild, args: [], message: "Cannot rebuild without a place" },
      { main: rebuild, args: ["lake"], message: 'Cannot rebuild "lake"' },
      {
        main: rebuild,
        args: ["processed", "warehouse"],
        message: 'Cannot rebuild "processed warehouse"',
      },
      {
        main: rebuild,
        args: ["processed", "--accept"],
        message: "--accept is for the warehouse only",
      },
      {
        main: rebuild,
        args: ["--allow-cascade", "processed"],
        message: "--allow-cascade is for the warehouse only",
      },
      { main: rebuild, args: ["--force"], message: "Unknown option '--force'" },
      {
        main: resync,
        args: ["payment,paymant", "staf"],
        message: `Cannot resync "paymant": it is not in ${contract}\n` +
          `Cannot resync "staf": it is not in ${contract}`,
      },
      { main: resync, args: [], message: "./totesys resync TABLE" },
    ]
  ) {
    const io = testIo(env, { isTerminal: true });

    assert.equal(await main(args, io), 2, message);

    assert.ok(io.error.startsWith(message), io.error);
    assert.match(io.error, /\.\/totesys (rebuild processed|resync)/);
  }
  const unset = testIo({}, { isTerminal: true });
  assert.equal(await rebuild(["warehouse"], unset), 2);
  assert.match(unset.error, /WAREHOUSE_URL is missing/);
  assert.doesNotMatch(unset.error, /INGESTION_URL/);
});

Deno.test("parseInterval() reads seconds, minutes and hours", () => {
  assert.deepEqual(["10s", "15m", "2h"].map(parseInterval), [
    10_000,
    900_000,
    7_200_000,
  ]);
  assert.throws(() => parseInterval("0s"), /--every is "0s"/);
});
