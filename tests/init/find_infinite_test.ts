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

/** The tables in which a role finds infinite values. */
async function infiniteTables(
  { config, context }: Platform,
  role = "none",
): Promise<string[]> {
  assert.ok(config.source !== undefined);
  await using connection = await context.resources.connect(config.source, {
    purpose: "init",
  });
  const { client } = connection;
  await client.query(`set role ${role}`);
  const tables = await readCatalogue(client, {
    schemas: ["public"],
    tables: undefined,
  });
  const found = await findInfinite(client, tables, { log: context.log });
  return found.filter(({ columns }) =>
    columns.some(({ mayBeInfinite }) => mayBeInfinite)
  ).map(({ name }) => name);
}
