import assert from "node:assert/strict";
import { BatchLog } from "../../lib/batches/batch_log.ts";
import type { IngestionManifest } from "../../lib/batches/manifest.ts";
import { openZone } from "../../lib/zone/zone.ts";
import { formatBytes } from "../../lib/cli/progress.ts";
import { EXIT, StageError } from "../../lib/errors.ts";
import { RESOURCES } from "../../lib/stage.ts";
import { main } from "../../operate/doctor.ts";
import { examine, formatFindings } from "../../operate/examine.ts";
import { examineSize } from "../../operate/examine_size.ts";
import { examineSns } from "../../operate/examine_sns.ts";
import { sweep } from "../../sweep/sweep.ts";
import { changedZones } from "../harness/changed_zone.ts";
import {
  execute,
  openPlatform,
  type Platform,
  ZONE_KINDS,
} from "../harness/platform.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { ingestionManifest } from "../harness/manifests.ts";
import { withEnv } from "../harness/with_env.ts";
import { testIo } from "../harness/process_io.ts";

const wrongOf = (findings: Awaited<ReturnType<typeof examine>>) =>
  findings.filter(({ hint }) => hint !== undefined)
    .map(({ what, found }) => `${what}: ${found}`);

for (const zones of ZONE_KINDS) {
  Deno.test(`doctor finds nothing wrong where all is well, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones, warehouse: "empty" });

    const findings = await examine(platform.context);

    assert.deepEqual(wrongOf(findings), []);
    assert.equal(findings.length, 6);
    assert.match(formatFindings(findings), /^ok {4}source: PostgreSQL/);
    // It has left nothing that would be taken for a batch.
    await platform.run();
  });
}

Deno.test("doctor works repeatedly where it may write but not remove", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const resources = changedZones(RESOURCES, () => ({
    remove: () => Promise.reject(new Error("may not remove")),
  }));
  const context = { ...platform.context, resources };
  await platform.run();

  for (let time = 1; time <= 2; time++) {
    assert.deepEqual(wrongOf(await examine(context)), []);
  }

  for (const zone of ["ingestion", "processed"] as const) {
    const swept = await sweep(platform.context, { zone });
    assert.equal(swept.foreignFiles, 0);
    assert.equal(swept.filesRemoved, 0);
  }
  assert.doesNotMatch(platform.logged.join("\n"), /not the zone's own/);
  await platform.run();
});

Deno.test("doctor compares the largest batch with the free space", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { context, config } = platform;
  const none = await examineSize(context);
  await fillSmall(platform.source.client);
  await platform.extract();
  await execute(platform.source.client, insertOrder(9));
  await platform.extract();
  const bytes = (batch: number) => csvBytes(platform, batch);

  const found = await examineSize(context);

  assert.equal(none, "no batch yet");
  assert.ok(await bytes(1) > await bytes(2));
  assert.match(
    found,
    /^the largest batch is 1: 37 rows, \d\.\d kB of CSV; \d+\.\d MB free for it$/,
  );
  assert.equal(
    await examineSize(context, async () => await bytes(1)),
    `${found.split(";")[0]}; ${formatBytes(await bytes(1))} free for it`,
  );
  await assert.rejects(
    examineSize(context, async () => await bytes(1) - 1),
    (error) =>
      error instanceof StageError && error.subject === config.tempDirectory &&
      /^Cannot make a batch as large as batch 1 here: it has 37 rows, \d\.\d kB of CSV, and \/.* has \d\.\d kB free$/
        .test(error.message) &&
      /TEMP_DIRECTORY/.test(error.hint ?? ""),
  );
  await commitLarge(platform, 11_000_000_000);
  assert.match(
    await examineSize(context, () => Promise.resolve(50_000_000_000)),
    /^the largest batch is 3: \d+ rows?, 11000.0 MB of CSV; 50000.0 MB free for it. A Lambda function's disk is too small for it: docs\/scale.md$/,
  );
});

Deno.test("doctor compares the clocks of the servers with this machine's", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const late = {
    ...platform.context,
    clock: () => new Date(Date.now() - 7_200_000),
  };

  const wrong = wrongOf(await examine(late));

  assert.equal(wrong.length, 4, wrong.join("\n"));
  for (const line of wrong) {
    assert.match(
      line,
      /: Cannot trust the clock of .*: it is 7[12]\d\d s from this machine's$/,
    );
  }
});

Deno.test("doctor names each thing that is wrong, and what to do", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { context } = platform;
  await execute(platform.source.client, "drop table payment");
  // A store that heeds no condition, and one whose clock is wrong.
  const resources = changedZones(
    RESOURCES,
    (zone) =>
      zone.url.endsWith("/ingestion")
        ? {
          create: async (key, content) => (await zone.put(key, content), true),
        }
        : { now: () => Promise.resolve(new Date(Date.now() + 3_600_000)) },
  );
  platform.set({
    warehouse: { ...platform.warehouse.settings, database: "not_there" },
  });

  const wrong = wrongOf(await examine({ ...context, resources }));

  assert.equal(wrong.length, 4, wrong.join("\n"));
  assert.match(wrong[0] ?? "", /^source: .*"payment"/);
  assert.match(wrong[1] ?? "", /^ingestion zone: .*\(If-None-Match\)$/);
  assert.match(
    wrong[2] ?? "",
    /^processed zone: Cannot trust the clock .*: it is 3600 s from/,
  );
  assert.match(wrong[3] ?? "", /^warehouse: Cannot connect .*not_there/);
});

Deno.test("doctor finds zones and a warehouse that don't belong together", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await using other = await openPlatform({ warehouse: "empty" });
  await platform.run();
  await other.run();
  const { context, config } = platform;
  const examined = (changed: Partial<typeof config>) =>
    examine({ ...context, config: { ...config, ...changed } });

  assert.deepEqual(wrongOf(await examined({})), []);
  const [zones = "", ...more] = wrongOf(
    await examined({ ingestionUrl: other.config.ingestionUrl }),
  );
  const lakes = wrongOf(
    await examined({ warehouse: other.warehouse.settings }),
  );

  assert.match(
    zones,
    /^processed zone: Cannot continue the lake after batch 1: in .* it is/,
  );
  assert.deepEqual(more, []);
  assert.equal(lakes.length, 1);
  assert.match(
    lakes[0] ?? "",
    /^warehouse: Cannot continue the warehouse after batch 1: .* belongs to another lake/,
  );
});

Deno.test("doctor names keys and indexes that somebody dropped", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await platform.run();
  await platform.warehouse.client.query(
    "alter table fact_payment drop constraint fact_payment_pkey",
  );

  const wrong = (await examine(platform.context))
    .filter(({ hint }) => hint !== undefined);

  assert.deepEqual(wrong.map(({ what, found }) => `${what}: ${found}`), [
    "warehouse: Keys or indexes are gone from the warehouse's tables: 1",
  ]);
  assert.match(
    wrong[0]?.hint ?? "",
    /^Make them again, as their owner: alter table fact_payment add primary key \(payment_record_id\)\. /,
  );
});

Deno.test("doctor checks that the role may create the warehouse's tables", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const role = `reader_${crypto.randomUUID().slice(0, 8)}`;
  const { client } = platform.warehouse;
  await execute(client, `create role ${role} login password 'a-password'`);
  try {
    platform.set({
      warehouse: {
        ...platform.warehouse.settings,
        user: role,
        password: "a-password",
      },
    });

    const wrong = wrongOf(await examine(platform.context));

    assert.deepEqual(wrong, [
      "warehouse: Cannot load into the warehouse: the role may not create schemas there",
    ]);
    const { database } = platform.warehouse.settings;
    await execute(client, `grant create on database ${database} to ${role}`);
    assert.deepEqual(wrongOf(await examine(platform.context)), [
      "warehouse: Cannot load into the warehouse: the role may not create tables in the first schema of its search_path",
    ]);
    await execute(
      client,
      `alter role ${role} set default_transaction_read_only to on`,
    );
    assert.deepEqual(wrongOf(await examine(platform.context)), [
      "warehouse: Cannot load into the warehouse: it is read-only: default_transaction_read_only is on",
    ]);
    await execute(
      client,
      `alter role ${role} reset default_transaction_read_only`,
      `grant usage, create on schema public to ${role}`,
      "create schema pipeline",
      "create table pipeline.migration (name text primary key)",
    );
    const [found] = (await examine(platform.context)).filter(({ hint }) =>
      hint !== undefined
    );
    assert.match(
      found?.found ?? "",
      /: permission denied for schema pipeline$/,
    );
    assert.match(found?.hint ?? "", /^Give the loader's role its rights/);
  } finally {
    await execute(client, `drop owned by ${role}`, `drop role ${role}`);
  }
});

Deno.test("doctor knows which rights a loader needs once its tables exist", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { client, settings } = platform.warehouse;
  const role = `loader_${crypto.randomUUID().slice(0, 8)}`;
  const database = settings.database;
  await execute(
    client,
    `create role ${role} login password 'a-password'`,
    `grant create, temporary on database ${database} to ${role}`,
    `grant usage, create on schema public to ${role}`,
    `revoke temporary on database ${database} from public`,
  );
  try {
    platform.set({
      warehouse: { ...settings, user: role, password: "a-password" },
    });
    await platform.run();
    await execute(client, `revoke create on schema public from ${role}`);
    await platform.run();
    assert.deepEqual(wrongOf(await examine(platform.context)), []);

    await execute(client, "drop view fact_payment_current");
    assert.deepEqual(wrongOf(await examine(platform.context)), [
      "warehouse: Cannot load into the warehouse: the role may not create tables in the first schema of its search_path",
    ]);
    await execute(
      client,
      `grant create on schema public to ${role}`,
      "alter table fact_payment enable row level security",
      "alter table fact_payment force row level security",
    );
    assert.deepEqual(wrongOf(await examine(platform.context)), [
      "warehouse: Cannot load into the warehouse: row security hides rows of fact_payment from the role",
    ]);
    await execute(
      client,
      "alter table fact_payment no force row level security",
      `revoke temporary on database ${database} from ${role}`,
    );
    assert.deepEqual(wrongOf(await examine(platform.context)), [
      "warehouse: Cannot load into the warehouse: the role may not create temporary tables there",
    ]);
    await execute(client, `grant temporary on database ${database} to ${role}`);
    assert.deepEqual(wrongOf(await examine(platform.context)), []);
  } finally {
    await execute(client, `drop owned by ${role} cascade`, `drop role ${role}`);
  }
});

Deno.test("doctor --aws reports the SMS sandbox, the spending limit and unconfirmed addresses", async () => {
  const answer = (action: string, body: string) =>
    `<${action}Response xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><${action}Result>${body}</${action}Result></${action}Response>`;
  const told = { sandbox: true, limit: 1, arn: "PendingConfirmation" };
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const asked = new URLSearchParams(await request.text());
      const action = asked.get("Action") ?? "";
      // The address stands on the second page.
      const isFirst = asked.get("NextToken") === null;
      const bodies: Record<string, string> = {
        GetSMSSandboxAccountStatus:
          `<IsInSandbox>${told.sandbox}</IsInSandbox>`,
        GetSMSAttributes:
          `<attributes><entry><key>MonthlySpendLimit</key><value>${told.limit}</value></entry></attributes>`,
        ListSubscriptions: isFirst
          ? "<Subscriptions></Subscriptions><NextToken>more</NextToken>"
          : `<Subscriptions><member><SubscriptionArn>${told.arn}</SubscriptionArn><Endpoint>team@example.com</Endpoint></member></Subscriptions>`,
      };
      return new Response(answer(action, bodies[action] ?? ""), {
        headers: { "content-type": "text/xml" },
      });
    },
  );
  const settings = {
    AWS_ENDPOINT_URL_SNS: `http://127.0.0.1:${server.addr.port}`,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "testtest",
  };
  await withEnv(settings, async () => {
    const fresh = wrongOf(await examineSns("eu-west-2"));
    Object.assign(told, { sandbox: false, limit: 50, arn: "arn:aws:sns:x" });
    const ready = wrongOf(await examineSns("eu-west-2"));

    assert.deepEqual(fresh, [
      "SMS sandbox: the account is in it: SMS go to verified numbers only",
      "SMS spending limit: 1 USD a month",
      "subscriptions: not confirmed in eu-west-2: team@example.com",
    ]);
    assert.deepEqual(ready, []);
  });
});

Deno.test("doctor ends with 2 when settings are missing", async () => {
  const io = testIo({});

  const code = await main([], io);

  assert.equal(code, EXIT.usage);
  assert.match(io.said, /SOURCE_URL is missing/);
});

/** Commits batch 3 as one like batch 2, with a file that is so large. */
async function commitLarge(platform: Platform, bytes: number): Promise<void> {
  const like = await ingestionManifest(platform, 2);
  for (const { rows: [file] } of Object.values(like.tables)) {
    if (file !== undefined) file.bytes = bytes;
  }
  const zone = openZone(platform.config.ingestionUrl, { s3: undefined });
  await new BatchLog<IngestionManifest>(zone, "extract")
    .commit({ ...like, batch: 3 });
  zone.close();
}

/** The bytes of rows that a batch has. */
async function csvBytes(platform: Platform, batch: number): Promise<number> {
  const { tables } = await ingestionManifest(platform, batch);
  return Object.values(tables).flatMap(({ rows }) => rows)
    .reduce((sum, file) => sum + file.bytes, 0);
}
