import assert from "node:assert/strict";
import { join } from "node:path";
import { connect } from "../../lib/postgres/connect.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import { resync } from "../../operate/resync.ts";
import { verify } from "../../verify/verify.ts";
import { inFolder } from "../harness/in_folder.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { History } from "../harness/readers/oracle.ts";
import { execute, openPlatform, SOURCE_SQL } from "../harness/platform.ts";
import {
  openClient,
  settingsOf,
  testPostgresUrl,
} from "../harness/servers/postgres.ts";
import { smallProject } from "../harness/companies/small_project.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

const SCHEMA = `We"ird 'Schema; --$$ \\`;
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
  assert.match(
    platform.logged.join("\n"),
    /leaves out: "Ex""tra '; drop table/,
  );
});

Deno.test("extract() shows a schema's name unchanged when its tables are missing", async () => {
  await using platform = await openPlatform();
  platform.set({ sourceSchema: SCHEMA });

  await assert.rejects(platform.extract(), (error: Error) => {
    assert.ok(
      error.message.includes(`no such table in the schema "${SCHEMA}"`),
    );
    return true;
  });
});

Deno.test("tables and columns of the contract may have any names", async () => {
  const hostile = `O'Neil "x"; drop table lot; --$$ \\ {a} %20 /`;
  const name = quoteName(hostile);
  const source = `create table ${name} (
    ${name} text not null,
    "b'" integer,
    "a""b" text[],
    primary key (${name})
);
create table lot (id integer primary key);
`;
  const sql = await smallProject({
    source,
    models: [
      {
        name: "dim_row",
        key: ["b"],
        sql: `select ${name} as b, "b'", "a""b" from changed.${name}`,
      },
      {
        name: "dim_join",
        key: ["b"],
        derivation: "join",
        sql: `select ${name} as b, "a""b" as c from current.${name}`,
      },
    ],
  });
  await using platform = await openPlatform({ sql, sourceSql: source });
  const { client } = platform.source;
  platform.set({ deleteShareMax: 1 });
  await execute(
    client,
    `insert into ${name} values ('k''"', 1, '{x}'), ('l', 2, null)`,
  );
  await platform.run();
  await execute(
    client,
    `update ${name} set "b'" = 3 where ${name} = 'l'`,
    `delete from ${name} where ${name} <> 'l'`,
  );
  await platform.run();

  assert.equal((await verify(platform.context)).same, true);
  await resync(platform.context, { tables: [hostile] });
  assert.equal((await verify(platform.context)).same, true);
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
