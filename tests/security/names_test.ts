import assert from "node:assert/strict";
import { join } from "node:path";
import { projectDirectory } from "../../lib/config.ts";
import { parseContract } from "../../lib/contract.ts";
import { connect, quoteName } from "../../lib/postgres.ts";
import { inFolder } from "../harness/in_folder.ts";
import { assertMirrored } from "../harness/mirror.ts";
import { History } from "../harness/oracle.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import {
  openClient,
  settingsOf,
  testPostgresUrl,
} from "../harness/postgres.ts";
import { fillSmall, insertOrder } from "../harness/small_source.ts";

const SCHEMA = `We"ird 'Schema; --$$ \\`;
const SOURCE_SQL = Deno.readTextFileSync(
  join(projectDirectory(), "sql", "source.sql"),
);
const FOLDERS = [
  "it's 100% a%20b",
  'quo"te; -- {a,b} #hash&$HOME back\\slash',
  "new\nline Ünï 😀",
];

Deno.test("a schema, partitions and extra columns may have any names", async () => {
  await using platform = await openPlatform({
    sourceSql: `create schema ${quoteName(SCHEMA)};
      create schema "Ano""ther";
      set search_path to ${quoteName(SCHEMA)};
      ${
      SOURCE_SQL.replace(
        "primary key (payment_id)\n)",
        "primary key (payment_id)\n) partition by range (payment_id)",
      )
    }
      create table "pay""ment'; --" partition of payment
        for values from (0) to (3);
      create table "Ano""ther"."PAY ment $$" partition of payment default;
      alter table staff add "Ex""tra '; drop table staff; --" text;
      alter table design add "UPPER case" integer default 1`,
  });
  const { client } = platform.source;
  platform.set({ sourceSchema: SCHEMA });
  await fillSmall(client);
  const history = new History(platform);

  await history.step();
  await execute(
    client,
    insertOrder(50),
    "update payment set paid = true where payment_id in (2, 4)",
    "delete from payment where payment_id in (1, 5)",
    `update staff set "Ex""tra '; drop table staff; --" = 'x', last_name = 'y'`,
  );
  await history.step();

  await history.compareAll();
  assert.match(platform.logged.join("\n"), /leaves out: Ex"tra '; drop table/);
});

Deno.test("extract() shows a schema's name as it is when its tables are missing", async () => {
  await using platform = await openPlatform();
  platform.set({ sourceSchema: SCHEMA });

  await assert.rejects(platform.extract(), (error: Error) => {
    assert.ok(
      error.message.includes(`no such table in the schema "${SCHEMA}"`),
    );
    return true;
  });
});

Deno.test("parseContract() takes plain names only, so that SQL needs no quotes", () => {
  for (const name of ['"we""ird"', '"Upper"', "Upper", "two words", "a.b"]) {
    const create = `create table ${name} (\n    id integer,\n` +
      "    primary key (id)\n)";
    const column = `create table plain (\n    ${name} integer,\n` +
      "    primary key (id)\n)";
    for (const sql of [create, column]) {
      assert.throws(() => parseContract(sql), { name: "ConfigError" }, sql);
    }
  }
});

Deno.test("databases may have any names", async () => {
  const admin = await openClient(await testPostgresUrl());
  const id = crypto.randomUUID().slice(0, 8);
  const names = [`so"urce 'x; --$$ %25 \\ ${id}`, `Ware"house/?#@:é ${id}`];
  try {
    for (const name of names) {
      await admin.query(`create database ${quoteName(name)}`);
    }
    const [source, warehouse] = await Promise.all(
      names.map(async (name) => settingsOf(await testPostgresUrl(name))),
    );
    assert.ok(source !== undefined && warehouse !== undefined);
    await using platform = await openPlatform();
    await using filled = await connect(source, { purpose: "test" });
    await filled.client.query(SOURCE_SQL);
    await fillSmall(filled.client);
    platform.set({ source, warehouse });

    await platform.run();

    await using loaded = await connect(warehouse, { purpose: "test" });
    await assertMirrored({
      ...platform,
      source: { ...platform.source, client: filled.client },
      warehouse: { ...platform.warehouse, client: loaded.client },
    });
  } finally {
    for (const name of names) {
      await admin.query(
        `drop database if exists ${quoteName(name)} with (force)`,
      );
    }
    await admin.end();
  }
});

for (const name of FOLDERS) {
  Deno.test(`zones may lie in the folder ${JSON.stringify(name)}`, () =>
    inFolder(async (folder) => {
      await using platform = await openPlatform();
      await fillSmall(platform.source.client);
      const base = join(folder, name);
      await Deno.mkdir(base);
      platform.set({
        ingestionUrl: join(base, `in ${name}`),
        processedUrl: join(base, `out ${name}`),
        tempDirectory: join(base, `temp ${name}`),
      });

      await new History(platform).step();
    }));
}
