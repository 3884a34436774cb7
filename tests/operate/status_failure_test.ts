import assert from "node:assert/strict";
import { join } from "node:path";
import { withFailureNote } from "../../lib/batches/failure_note.ts";
import type { ProcessIo } from "../../lib/cli/command.ts";
import { StageError } from "../../lib/errors.ts";
import { connect } from "../../lib/postgres/connect.ts";
import { openZone } from "../../lib/zone/zone.ts";
import { load as runLoad } from "../../load/load.ts";
import { main as load } from "../../load/main.ts";
import { formatStatus } from "../../operate/format_status.ts";
import { readStatus } from "../../operate/read_status.ts";
import { main as rebuild } from "../../operate/rebuild.ts";
import { main as pipeline } from "../../operate/run.ts";
import type { Status } from "../../operate/stage_status.ts";
import { main as status } from "../../operate/status.ts";
import { sweep } from "../../sweep/sweep.ts";
import { main as transform } from "../../transform/main.ts";
import { verify } from "../../verify/verify.ts";
import { inFolder } from "../harness/in_folder.ts";
import {
  execute,
  openPlatform,
  type Platform,
  ZONE_KINDS,
} from "../harness/platform.ts";
import { smallProject } from "../harness/companies/small_project.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { testIo } from "../harness/process_io.ts";
import { taskEnv } from "../harness/task.ts";

type Command = (args: readonly string[], io?: ProcessIo) => Promise<number>;

Deno.test("formatStatus() counts the quarantined rows that it leaves out", () => {
  const row = { table_name: "sales_order", row_key: "[7]", reason: "bad date" };
  const text = (quarantined: number) =>
    formatStatus({ stages: [], fresh: true, quarantined, quarantine: [row] });

  assert.match(
    text(1),
    /quarantine: 1 row\n {2}sales_order \[7\]: bad date\n$/,
  );
  assert.match(
    text(4),
    /bad date\n {2}and 3 more, in the warehouse's quarantine_current\n$/,
  );
});

Deno.test("status says why the first load of an empty warehouse failed", async () => {
  const sourceSql = "create table item (item_id integer primary key);";
  await using platform = await openPlatform({
    warehouse: "empty",
    sourceSql,
    sql: await smallProject({
      source: sourceSql,
      models: [{
        name: "dim_item",
        key: ["item_id"],
        sql: "select item_id from changed.item",
      }],
    }),
  });
  await platform.extract();
  await platform.transform();
  await execute(platform.warehouse.client, "create table dim_item (a integer)");
  const refused = /^Cannot make the table of the model "dim_item"/;

  await assert.rejects(
    withFailureNote(platform.context, "load", (context) => runLoad(context)),
    { message: refused },
  );

  const { stages } = await readStatus(platform.context);
  assert.match(stages[2]?.failure?.message ?? "", refused);
});

Deno.test("status names a model's file by its folder", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform();
    await Deno.mkdir(join(folder, "models/sales"), { recursive: true });
    await Deno.writeTextFile(join(folder, "models/sales/dim_item.sql"), "");
    platform.set({ sqlDirectory: folder });

    await assert.rejects(
      withFailureNote(platform.context, "transform", () => {
        throw new StageError(
          "Cannot use sql/models/dim_item.sql: it is empty",
          {
            subject: "dim_item",
            hint: "Correct sql/models/dim_item.sql",
          },
        );
      }),
    );

    const { failure } = (await readStatus(platform.context)).stages[1] ?? {};
    assert.deepEqual([failure?.message, failure?.hint], [
      "Cannot use sql/models/sales/dim_item.sql: it is empty",
      "Correct sql/models/sales/dim_item.sql",
    ]);
  }));

/** Runs a command with the settings of a platform, and others. */
async function told(
  platform: Platform,
  command: Command,
  more: { env?: Record<string, string>; args?: string[]; json?: boolean } = {},
): Promise<{ code: number; out: string }> {
  const env: Record<string, string> = {
    ...taskEnv(platform),
    DUCKDB_EXTENSION_DIRECTORY: platform.config.duckDbExtensionDirectory ?? "",
    ...more.env,
  };
  const io = testIo(env, { isTerminal: more.json !== true });
  const code = await command(more.args ?? [], io);
  return { code, out: io.said };
}

const FAILING = /: failing at batch \d+ since \d{4}-/;

for (const zones of ZONE_KINDS) {
  Deno.test(`status reports which batch a stage fails at, and why, until it succeeds, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones, warehouse: "empty" });
    const { source, warehouse } = platform;
    await fillSmall(source.client);
    assert.equal((await told(platform, pipeline)).code, 0);
    const well = await told(platform, status);
    assert.equal(well.code, 0, well.out);
    const cases = [
      {
        stage: "extract",
        command: pipeline,
        spoil: () =>
          execute(source.client, "alter table design rename to designs"),
        repair: () =>
          execute(source.client, "alter table designs rename to design"),
        found: /^extract: failing at batch \d since .*: .*"design".*\n {2}-> /m,
      },
      {
        stage: "transform",
        command: pipeline,
        env: { QUARANTINE_ROWS_MAX: "0" },
        spoil: () =>
          execute(
            source.client,
            "update payment set payment_date = 'never' where payment_id = 3",
          ),
        repair: () =>
          execute(
            source.client,
            "update payment set payment_date = '2026-01-01' where payment_id = 3",
          ),
        found: /^transform: failing at batch \d since .*quarantine/m,
      },
      {
        stage: "load",
        command: pipeline,
        spoil: () =>
          execute(
            warehouse.client,
            "alter table fact_sales_order rename to elsewhere",
          ).then(() => execute(source.client, insertOrder(70))),
        repair: () =>
          execute(
            warehouse.client,
            "alter table elsewhere rename to fact_sales_order",
          ),
        found: /^load: failing at batch \d since .*fact_sales_order/m,
      },
    ];
    for (const { stage, command, env = {}, spoil, repair, found } of cases) {
      await spoil();
      const before = new Date().toISOString();
      const failed = await told(platform, command, { env });
      assert.notEqual(failed.code, 0, stage);
      assert.notEqual((await told(platform, command, { env })).code, 0, stage);

      const seen = await told(platform, status);

      assert.equal(seen.code, 1, seen.out);
      assert.match(seen.out, found, stage);
      // It is as fresh as it was: it is not by its age that it fails.
      assert.match(seen.out, /^freshness: \d+ s$/m);
      const asJson: Status = JSON.parse(
        (await told(platform, status, { json: true })).out,
      );
      const note = asJson.stages.find((one) => one.stage === stage)?.failure;
      assert.equal(typeof note?.retryable, "boolean");
      assert.ok((note?.since ?? "") >= before.slice(0, 19), stage);
      assert.ok((note?.since ?? "") < (note?.at ?? ""), stage);
      await repair();
      assert.equal((await told(platform, pipeline)).code, 0, stage);
      const repaired = await told(platform, status);
      assert.equal(repaired.code, 0, repaired.out);
      assert.doesNotMatch(repaired.out, FAILING);
    }
    const { context } = platform;
    for (const zone of ["ingestion", "processed"] as const) {
      const swept = await sweep(context, { zone });
      assert.equal(swept.foreignFiles, 0);
    }
  });
}

Deno.test("status reports only failures of the active generation", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  assert.equal((await told(platform, pipeline)).code, 0);
  assert.equal(
    (await told(platform, rebuild, { args: ["processed"] })).code,
    0,
  );
  await execute(
    platform.source.client,
    "update payment set payment_date = 'never' where payment_id = 3",
  );
  await platform.extract();
  const env = { QUARANTINE_ROWS_MAX: "0" };
  assert.notEqual((await told(platform, transform, { env })).code, 0);

  const seen = await told(platform, status);

  assert.equal(seen.code, 1);
  assert.match(seen.out, /^transform: failing at batch 2 since/m);
  const swept = await sweep(platform.context, { zone: "processed" });
  assert.equal(swept.foreignFiles, 0);
  assert.equal((await told(platform, transform)).code, 0);
  assert.doesNotMatch((await told(platform, status)).out, FAILING);
});

Deno.test("status counts the batches that a stage without failure is behind", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await platform.run();
  await platform.extract();
  await platform.extract();

  const seen = await told(platform, status);

  assert.equal(seen.code, 0, seen.out);
  assert.match(seen.out, /^transform is 2 batches behind$/m);
});

Deno.test("a failed stage without pending batches is not reported as stuck", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await platform.run();
  const env = { WAREHOUSE_URL: "postgres://u:hunter2@127.0.0.1:1/w" };
  assert.equal((await told(platform, load, { env })).code, 1);
  await execute(
    platform.warehouse.client,
    `insert into pipeline.failure
    values ('load', 2, now(), now(), 'it was down', null, true)`,
  );

  const seen = await told(platform, status);

  assert.equal(seen.code, 0, seen.out);
});

Deno.test("a failure note holds no password, and a stopped run leaves no note", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { config } = platform;
  const zone = openZone(config.ingestionUrl, { s3: undefined });
  const env = {
    SOURCE_URL: "postgres://u:hunter2-hunter2@127.0.0.1:1/of-hunter2-hunter2",
  };
  const io = testIo({ ...taskEnv(platform), ...env });
  const stopped = pipeline([], io);
  io.stop();
  assert.equal(await stopped, 0);
  assert.equal(await zone.read("_batches/failed"), undefined);

  assert.equal((await told(platform, pipeline, { env })).code, 1);

  const stored = await zone.read("_batches/failed");
  const text = new TextDecoder().decode(stored?.bytes);
  assert.match(text, /Cannot connect to 127\.0\.0\.1:1/);
  assert.doesNotMatch(text, /hunter2/);
});

Deno.test("status shows no freshness for a snapshot in the future", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await platform.run();
  await execute(
    platform.warehouse.client,
    "update pipeline.batch set snapshot_time = now() + interval '48 hours'",
  );

  const seen = await told(platform, status);

  assert.equal(seen.code, 1);
  assert.match(
    seen.out,
    /^freshness: unknown, the newest snapshot's time is 48 h in the future: the source's clock was wrong/m,
  );
  const { fresh, freshnessSeconds } = JSON.parse(
    (await told(platform, status, { json: true })).out,
  );
  assert.equal(fresh, false);
  assert.equal(freshnessSeconds, undefined);
});

Deno.test("status reports at once that batches wait for a read-only warehouse", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { source, warehouse } = platform;
  const { database } = warehouse.settings;
  await fillSmall(source.client);
  await platform.run();
  await execute(
    warehouse.client,
    `alter database ${database} set default_transaction_read_only to on`,
  );
  const idle = await told(platform, status);
  assert.equal(idle.code, 0, idle.out);

  await execute(source.client, insertOrder(30));
  await platform.extract();
  await platform.transform();
  assert.notEqual((await told(platform, load)).code, 0);
  const waits = await told(platform, status);

  assert.equal(waits.code, 1, waits.out);
  assert.match(waits.out, /^load: the warehouse is read-only: default_/m);
  await execute(
    warehouse.client,
    "set default_transaction_read_only to off",
    `alter database ${database} reset default_transaction_read_only`,
  );
  await platform.load();
  assert.equal((await told(platform, status)).code, 0);
});

Deno.test("status reports rules that verify found broken, and a verification that never ended", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { source, warehouse, context } = platform;
  await fillSmall(source.client);
  await platform.run();
  await execute(
    warehouse.client,
    "update pipeline.batch set loaded_at = now() - interval '49 hours'",
  );
  const never = await told(platform, status);
  assert.equal(never.code, 1, never.out);
  assert.match(
    never.out,
    /^verified: not for 49 h - TOO LONG: run \.\/totesys/m,
  );
  const off = { env: { VERIFY_EVERY_HOURS: "0" } };
  assert.equal((await told(platform, status, off)).code, 0);

  assert.equal((await verify(context)).same, true);
  const well = await told(platform, status);
  assert.equal(well.code, 0, well.out);
  await execute(
    warehouse.client,
    "update pipeline.verification set verified_at = now() - interval '49 hours'",
  );
  assert.equal((await told(platform, status)).code, 1);

  // Nothing differs, but what is everywhere alike breaks a rule.
  const sql = {
    ...context.sql,
    checks: [...context.sql.checks, {
      name: "dim_staff__nobody",
      text:
        "-- Nobody works here.\n-- Severity: error\nselect staff_id::text as key, last_name as finding from checked_dim_staff",
    }],
  };
  assert.equal((await verify({ ...context, sql })).same, false);
  const broken = await told(platform, status);
  assert.equal(broken.code, 1, broken.out);
  assert.match(broken.out, /DIFFERENCES?: run/);
});

Deno.test("status reports a batch that has waited for too long, and who holds load's lock", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { source, warehouse, context } = platform;
  await fillSmall(source.client);
  await platform.run();
  const tell = async (minutes: number) => {
    const clock = () => new Date(Date.now() + minutes * 60_000);
    return formatStatus(await readStatus({ ...context, clock }));
  };
  await platform.extract();
  assert.doesNotMatch(await tell(14), /has waited/);
  assert.match(
    await tell(16),
    /^transform: batch 2 has waited for it since .*: it does not run, or something keeps it from writing$/m,
  );
  await platform.transform();
  const holding = async (purpose: string) => {
    const holder = await connect(warehouse.settings, { purpose });
    await holder.client.query("begin");
    await holder.client.query("select pg_advisory_xact_lock(7235419846134)");
    return holder;
  };
  {
    await using _loader = await holding("load");
    await platform.load();
    assert.doesNotMatch(await tell(14), /lock/);
    assert.match(
      await tell(16),
      /^load: batch 2 has waited for it since .*: process \d+ of the warehouse \(totesys load\) holds load's lock, since 20.*\n {2}-> See its log/m,
    );
  }
  {
    await using _other = await holding("test");
    await platform.load();
    // It is no load, so there is nothing to wait for.
    assert.match(
      await tell(0),
      /^load: process \d+ of the warehouse \(totesys test\) holds load's lock, since 20/m,
    );
  }
  await platform.load();
  assert.doesNotMatch(await tell(16), /has waited|lock/);
});
