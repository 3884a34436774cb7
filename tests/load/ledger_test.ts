import assert from "node:assert/strict";
import { LOAD_CHANNEL } from "../../lib/batches/load_channel.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { connect } from "../../lib/postgres/connect.ts";
import { ENGINE_SCHEMA } from "../../load/schema/engine_schema.ts";
import {
  checkLedgerFollowsLake,
  newestEntry,
} from "../../lib/warehouse/ledger.ts";
import {
  openTestDatabase,
  type TestDatabase,
} from "../harness/servers/postgres.ts";
import { enterBatches } from "../../load/write_ledger.ts";

const FILE = { bytes: 1, rows: 5, sha256: "" };

async function migrate(client: TestDatabase["client"]): Promise<void> {
  for (const { text } of ENGINE_SCHEMA) await client.query(text);
}

Deno.test("enterBatches() sees that a trigger keeps a batch out", async () => {
  await using database = await openTestDatabase();
  await migrate(database.client);
  await database.client.query(
    `create function nothing() returns trigger language plpgsql
      as 'begin return null; end';
    create trigger audit before insert on pipeline.batch for each row
      when (new.batch = 10) execute function nothing()`,
  );
  await using connection = await connect(database.settings, {
    purpose: "test",
  });

  await assert.rejects(
    enterBatches(connection.client, [manifest(9), manifest(10)]),
    {
      message:
        'Cannot load "pipeline.batch": it does not hold what was written (1 row), since others intercept its writes: a trigger',
      hint: /^Drop such a trigger/,
    },
  );
});
Deno.test("newestEntry() returns the newest batch that enterBatches() recorded", async () => {
  await using database = await openTestDatabase();
  await migrate(database.client);
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  const { client } = connection;
  const before = await newestEntry(client);

  await enterBatches(client, [manifest(9), manifest(10)]);

  assert.equal(before, undefined);
  assert.deepEqual(await newestEntry(client), {
    batch: 10,
    runId: "run",
    inputSha256: "input 10",
    lakeId: "lake",
    transformHash: "sql",
  });
  const { rows } = await client.query(
    "select rows, deletes, snapshot_time from pipeline.batch where batch = 9",
  );
  assert.deepEqual(rows, [{
    rows: "10",
    deletes: "3",
    snapshot_time: "2026-01-01 00:00:00.000001+00",
  }]);
  const files = await client.query(
    "select model, key, rows, bytes from pipeline.batch_file where batch = 9 order by key",
  );
  assert.deepEqual(files.rows, [
    { model: "one", key: "one 9", rows: "5", bytes: "1" },
    { model: "two", key: "two 9", rows: "5", bytes: "1" },
  ]);
});

Deno.test("enterBatches() notifies listeners of the last batch, once it is committed", async () => {
  await using database = await openTestDatabase();
  const { client } = database;
  await migrate(client);
  const told: string[] = [];
  client.on("notification", (message) => told.push(message.payload ?? ""));
  await client.query(`listen ${LOAD_CHANNEL}`);

  await client.query("begin");
  await enterBatches(client, [manifest(1), manifest(2)]);
  await client.query("rollback");
  await enterBatches(client, []);
  await client.query("select 1");
  assert.deepEqual(told, []);
  await enterBatches(client, [manifest(1), manifest(2)]);
  await client.query("select 1");

  assert.deepEqual(told, ["2"]);
});

for (
  const { found, other } of [
    { found: "is missing", other: undefined },
    { found: "belongs to another lake", other: { lakeId: "other" } },
    { found: "is another one", other: { inputSha256: "other" } },
    { found: "was made by other SQL", other: { transformHash: "other" } },
  ]
) {
  Deno.test(`checkLedgerFollowsLake() refuses a zone whose batch ${found}`, () => {
    const entry = {
      batch: 3,
      runId: "run",
      inputSha256: "input 3",
      lakeId: "lake",
      transformHash: "sql",
    };
    checkLedgerFollowsLake(entry, { manifest: manifest(3), zone: "/zone" });
    const changed = other && { ...manifest(3), ...other };

    assert.throws(
      () => checkLedgerFollowsLake(entry, { manifest: changed, zone: "/zone" }),
      {
        name: "StageError",
        message:
          `Cannot continue the warehouse after batch 3: in /zone it ${found}`,
        subject: "/zone",
        hint: /`\.\/totesys rebuild warehouse`/,
      },
    );
  });
}

function manifest(batch: number): ProcessedManifest {
  return {
    format: 1,
    stage: "transform",
    batch,
    runId: "run",
    lakeId: "lake",
    snapshotTime: "2026-01-01T00:00:00.000001Z",
    committedAt: "2026-01-01T00:00:03Z",
    engine: {},
    inputSha256: `input ${batch}`,
    transformHash: "sql",
    models: {
      one: { files: [{ key: `one ${batch}`, ...FILE }], deletes: 1 },
      two: { files: [{ key: `two ${batch}`, ...FILE }], deletes: 2 },
    },
    state: {},
    quarantined: 0,
  };
}
