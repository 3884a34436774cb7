import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { StageError } from "../../lib/errors.ts";
import { RESOURCES } from "../../lib/stage.ts";
import { changedZones } from "../harness/changed_zone.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { openClient } from "../harness/servers/postgres.ts";
import { fillSmall } from "../harness/companies/small_source.ts";
import { somebodyWaits } from "./waiting_sessions.ts";

/**
 * Has the rows of a table arrive slowly: the zone takes the next piece of it
 * only when it is let. Gives what lets it.
 */
function slowZone(platform: Platform, table: string) {
  const reached = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  platform.context.resources = changedZones(RESOURCES, (zone) => ({
    write: async (key, content, options) => {
      if (key.startsWith(`${table}/`)) {
        reached.resolve();
        const aborted = Promise.withResolvers<void>();
        options?.signal?.addEventListener("abort", () => aborted.resolve());
        await Promise.race([go.promise, aborted.promise]);
      }
      return await zone.write(key, content, options);
    },
  }));
  return { reached: reached.promise, go: () => go.resolve() };
}

async function makeLarge(client: pg.Client): Promise<void> {
  await execute(
    client,
    `insert into address select id, repeat('x', 500), null, null, 'Leeds',
      'LS', 'England', '0113', now(), now()
    from generate_series(100, 20000) as id`,
    "analyze address",
  );
}

async function outcome(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return "done";
  } catch (error) {
    return error;
  }
}

Deno.test("extract() is the victim of every deadlock with a migration", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  platform.set({ sourceLockWaitSeconds: 10 });
  const migrating = await openClient(platform.source.url);
  await execute(migrating, "set deadlock_timeout = '20ms'");
  const orders = [
    ["staff", "address"],
    ["address", "staff", "transaction", "currency"],
    ["sales_order", "design", "staff"],
  ];
  const ways = [
    (table: string) => `alter table ${table} set (fillfactor = 90)`,
    (table: string) => `lock table ${table} in access exclusive mode`,
    (table: string) => `reindex table ${table}`,
  ];

  for (let round = 0; round < 24; round++) {
    const order = orders[round % orders.length] ?? [];
    const way = ways[Math.floor(round / 3) % ways.length];
    const extracting = outcome(platform.extract());
    await sleep(Math.random() * 120);
    await execute(migrating, "begin");
    for (const table of order) {
      await execute(migrating, way?.(table) ?? "");
      await sleep(Math.random() * 40);
    }
    await execute(migrating, "commit");
    const ended = await extracting;
    if (ended === "done") continue;
    assert(ended instanceof StageError, Deno.inspect(ended));
    assert.equal(ended.retryable, true, ended.message);
  }
  await migrating.end();

  await platform.extract();
});

Deno.test("extract() doesn't wait for a lock, and names its holder when it gives up", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  platform.set({ sourceLockWaitSeconds: 0.5 });
  const holder = await openClient(platform.source.url);
  await execute(
    holder,
    "set application_name = 'migration'",
    "begin",
    "alter table staff add column nickname text",
  );

  await assert.rejects(platform.extract(), (error) => {
    assert(error instanceof StageError);
    assert.match(
      error.message,
      /^Cannot lock "staff" for reading: locked by process \d+ of postgres \(migration\) since .*, for 0\.5 s$/,
    );
    assert.equal(error.subject, "staff");
    assert.equal(error.retryable, true);
    return true;
  });
  await execute(holder, "rollback", "begin", "reindex index address_pkey");
  await assert.rejects(
    platform.extract(),
    /^StageError: Cannot lock "address"/,
  );
  await execute(holder, "commit");
  await holder.end();

  await platform.extract();
});

Deno.test("extract() names the prepared transaction that has a lock, and how to end it", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  platform.set({ sourceLockWaitSeconds: 0.5 });
  const gid = `left's ${crypto.randomUUID()}`;
  const quoted = `'${gid.replace("'", "''")}'`;
  await execute(
    client,
    "begin",
    "savepoint here",
    "alter table staff add column nickname text",
    `prepare transaction ${quoted}`,
  );

  await assert.rejects(platform.extract(), (error) => {
    assert(error instanceof StageError);
    const start =
      `Cannot lock "staff" for reading: locked by prepared transaction "${gid}" of postgres since `;
    assert.equal(error.message.slice(0, start.length), start);
    assert.doesNotMatch(error.message, /;/);
    assert.equal(
      error.hint,
      `A prepared transaction keeps its locks until somebody ends it: commit prepared ${quoted}, or rollback prepared ${quoted}. Then run extract again`,
    );
    return true;
  });

  await execute(client, `rollback prepared ${quoted}`);
  await platform.extract();
});

Deno.test("extract() releases a table as soon as it is read", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await makeLarge(client);
  platform.set({ sourceLockYieldSeconds: 0 });
  const slow = slowZone(platform, "address");

  const extracting = platform.extract();
  await slow.reached;
  await execute(client, "set lock_timeout = '60s'");
  for (
    const change of [
      "alter table staff add column nickname text",
      "truncate payment",
      "reindex table currency",
      "drop index if exists none",
      "alter table sales_order alter units_sold type bigint",
    ]
  ) await execute(client, change);
  const heldBy = async () =>
    (await client.query(
      `select distinct relation::regclass::text as name from pg_locks
      join pg_stat_activity using (pid)
      where application_name = 'totesys extract' and relation is not null
        and datname = current_database() order by 1`,
    )).rows.map((row) => row.name);
  // Others may still be read by the second connection.
  let held = await heldBy();
  for (let tries = 0; held.length > 2 && tries < 100; tries++) {
    await new Promise((wake) => setTimeout(wake, 50));
    held = await heldBy();
  }
  await execute(client, "set lock_timeout = '200ms'");
  await assert.rejects(
    client.query("alter table address add column planet text"),
    /lock timeout/,
  );
  slow.go();
  const { rows: extracted } = await extracting;

  assert.deepEqual(held, ["address", "address_pkey"]);
  assert(extracted > 19_901);
});

Deno.test("extract() gives way to a session that waits for a table it reads", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await makeLarge(client);
  platform.set({ sourceLockYieldSeconds: 1 });
  const slow = slowZone(platform, "address");
  const migrating = await openClient(platform.source.url);
  const writing = await openClient(platform.source.url);

  const extracting = outcome(platform.extract());
  await slow.reached;
  const startMs = performance.now();
  const altering = migrating.query("alter table address add planet text");
  await somebodyWaits(client);
  const inserting = writing.query(
    "update address set phone = '1' where address_id = 1",
  );
  await Promise.all([altering, inserting]);
  const waitedMs = performance.now() - startMs;
  const error = await extracting;
  await migrating.end();
  await writing.end();

  assert(error instanceof StageError, Deno.inspect(error));
  assert.match(
    error.message,
    /^Cannot go on reading the source: process \d+ of postgres has waited \d\.\d s for a lock on address that extract holds$/,
  );
  assert.equal(error.retryable, true);
  assert.match(error.hint ?? "", /SOURCE_LOCK_YIELD_SECONDS \(now 1\)/);
  assert(waitedMs < 4000, `${waitedMs} ms`);
  const again = slowZone(platform, "address");
  const indexing = openClient(platform.source.url);
  const second = outcome(platform.extract());
  await again.reached;
  await execute(
    await indexing,
    "create index concurrently on staff (email_address)",
  );
  await (await indexing).end();
  const other = await second;
  assert(other instanceof StageError, Deno.inspect(other));
  assert.match(other.message, /s for extract's snapshot to end$/);

  platform.context.resources = RESOURCES;
  await execute(client, "alter table address drop planet");
  assert.deepEqual((await platform.extract()).batches, [1]);
});

Deno.test("extract() reads on despite waiting sessions when it is set to never give way", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await makeLarge(client);
  platform.set({ sourceLockYieldSeconds: 0, sourceConnections: 3 });
  const slow = slowZone(platform, "address");
  const migrating = await openClient(platform.source.url);

  const extracting = platform.extract();
  await slow.reached;
  const altering = migrating.query("truncate address cascade");
  await somebodyWaits(client);
  slow.go();
  const { rows } = await extracting;
  await altering;
  await migrating.end();

  assert(rows > 19_901);
});
