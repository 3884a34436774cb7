import assert from "node:assert/strict";
import { readCatalogue } from "../../init/catalogue.ts";
import { findInfinite } from "../../init/find_infinite.ts";
import { inTransaction } from "../../lib/postgres/postgres.ts";
import { openPlatform } from "../harness/platform.ts";

Deno.test("findInfinite() passes over tables that are locked, or hide rows", async () => {
  await using platform = await openPlatform({
    sourceSql: `create table locked (id integer primary key, until date);
      insert into locked values (1, 'infinity');
      create table secret (id integer primary key, until date);
      insert into secret values (1, 'infinity');
      alter table secret enable row level security;
      create table plain (id integer primary key, until date);
      insert into plain values (1, 'infinity')`,
    warehouse: "empty",
  });
  const { config, context, source } = platform;
  assert.ok(config.source !== undefined);
  await using connection = await context.resources.connect(config.source, {
    purpose: "init",
  });
  const { client } = connection;
  const tables = await readCatalogue(client, {
    schemas: ["public"],
    tables: undefined,
  });

  const found = await inTransaction(source.client, {}, async () => {
    await source.client.query("lock table locked in access exclusive mode");
    return await findInfinite(client, tables, { log: context.log });
  });

  assert.deepEqual(
    found.filter(({ columns }) =>
      columns.some(({ mayBeInfinite }) => mayBeInfinite)
    ).map(({ name }) => name),
    ["plain"],
  );
  assert.deepEqual(
    platform.logged.filter((line) => line.includes("infinite")),
    [
      "warning: public.locked: whether its dates are infinite is not known: canceling statement due to lock timeout",
    ],
  );
});
