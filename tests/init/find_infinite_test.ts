import assert from "node:assert/strict";
import { readCatalogue } from "../../init/catalogue.ts";
import { findInfinite } from "../../init/find_infinite.ts";
import { inTransaction } from "../../lib/postgres/postgres.ts";
import { openPlatform, type Platform } from "../harness/platform.ts";

Deno.test("findInfinite() passes over tables that are locked, or hide rows", async () => {
  await using platform = await openPlatform({
    sourceSql: `create table locked (id integer primary key, until date);
      insert into locked values (1, 'infinity');
      create table secret (id integer primary key, until date);
      insert into secret values (1, 'infinity');
      alter table secret enable row level security;
      create table plain (id integer primary key, until date);
      insert into plain values (1, 'infinity');
      grant select on all tables in schema public to pg_monitor`,
    warehouse: "empty",
  });
  const { client } = platform.source;

  const found = await inTransaction(client, {}, async () => {
    await client.query("lock table locked in access exclusive mode");
    return await infiniteTables(platform, "pg_monitor");
  });

  assert.deepEqual(found, ["plain"]);
  assert.deepEqual(
    platform.logged.filter((line) => line.includes("infinite")),
    [
      "warning: public.locked: whether its dates are infinite is not known: canceling statement due to lock timeout",
    ],
  );
  // A superuser sees all rows.
  assert.deepEqual(await infiniteTables(platform), [
    "locked",
    "plain",
    "secret",
  ]);
});

Deno.test("findInfinite() reads partitions that the role may not read by themselves", async () => {
  await using platform = await openPlatform({
    sourceSql: `create table parent (id integer primary key, until date)
        partition by range (id);
      create table part partition of parent default;
      insert into parent values (1, 'infinity');
      grant select on parent to pg_monitor`,
    warehouse: "empty",
  });

  const found = await infiniteTables(platform, "pg_monitor");

  assert.deepEqual(found, ["parent"]);
  assert.deepEqual(platform.logged, []);
});

Deno.test("findInfinite() keeps what it found in one partition when others are locked", async () => {
  await using platform = await openPlatform({
    sourceSql: `create table parent (id integer, until date)
        partition by list (id);
      create table part_1 partition of parent for values in (1);
      create table part_2 partition of parent for values in (2);
      create table part_3 partition of parent for values in (3);
      create table part_4 partition of parent for values in (4);
      create table ended (id integer, until date, since date)
        partition by list (id);
      create table ended_2 partition of ended for values in (2);
      create table ended_1 partition of ended for values in (1);
      insert into parent values (1, 'infinity');
      insert into ended values (1, 'infinity', '2024-05-06')`,
    warehouse: "empty",
  });
  const { client } = platform.source;

  const found = await inTransaction(client, {}, async () => {
    await client.query(
      "lock table ended_2, part_2, part_3 in access exclusive mode",
    );
    return await infiniteTables(platform, "none", { tableMs: 1_500 });
  });

  assert.deepEqual(found, ["ended"]);
  assert.deepEqual(
    platform.logged.filter((line) => line.includes("infinite")),
    [
      "warning: public.ended_2: whether its dates are infinite is not known: canceling statement due to lock timeout",
      "warning: public.part_3: whether its dates are infinite is not known: canceling statement due to lock timeout",
      "warning: public.part_2: whether its dates are infinite is not known: canceling statement due to statement timeout",
      "warning: public.parent: whether its dates are infinite is not known beyond its newest 3 partitions: 1.5 s are over",
    ],
  );
});

/** The tables in which a role finds infinite values. */
async function infiniteTables(
  { config, context }: Platform,
  role = "none",
  options: { tableMs?: number } = {},
): Promise<string[]> {
  assert.ok(config.source !== undefined);
  await using connection = await context.resources.connect(config.source, {
    purpose: "init",
  });
  const { client } = connection;
  // The catalogue waits for no lock.
  await client.query(`set role ${role}; set lock_timeout to '5s'`);
  const tables = await readCatalogue(client, {
    schemas: ["public"],
    tables: undefined,
  });
  const found = await findInfinite(client, tables, {
    ...options,
    log: context.log,
  });
  return found.filter(({ columns }) =>
    columns.some(({ mayBeInfinite }) => mayBeInfinite)
  ).map(({ name }) => name);
}
