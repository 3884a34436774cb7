import assert from "node:assert/strict";
import { StageError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { examine } from "../../operate/examine.ts";
import { verify } from "../../verify/verify.ts";
import { companyOf } from "../harness/companies/company_of.ts";
import { HOSTILE_TEXTS } from "../harness/companies/hostile_texts.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { openClient, testPostgresUrl } from "../harness/servers/postgres.ts";
import { projectOf } from "../harness/companies/small_project.ts";
import { differences } from "../harness/repair.ts";

const SQL = companyOf(`create table person (
    id integer not null,
    name text,
    -- carried from jsonb
    more text,
    primary key (id)
);
create table place (
    code text not null,
    part text not null,
    note text,
    primary key (code, part)
);`);
const SOURCE = `
  create table person (id integer primary key, name varchar(60), more jsonb);
  create table place (code text, part text, note text, primary key (code, part));`;

/** An empty database of an encoding, as a template. */
async function templateOf(encoding: string): Promise<string> {
  const name = `encoded_${crypto.randomUUID().replaceAll("-", "")}`;
  const admin = await openClient(await testPostgresUrl());
  await admin.query(
    `create database ${name} encoding '${encoding}' locale 'C'
    template template0`,
  );
  await admin.end();
  const client = await openClient(await testPostgresUrl(name));
  await client.query(SOURCE);
  await client.end();
  return name;
}

async function open(
  { warehouse: { client } }: Platform,
  options: { table: string; columns: string },
): Promise<string[]> {
  const rows = await query(
    client,
    `select concat_ws(' ', ${options.columns}) as line from ${options.table}
    where to_batch is null order by 1`,
  );
  return rows.map((row) => row.line ?? "");
}

const people = (platform: Platform) =>
  open(platform, { table: "fact_person", columns: "id, name, more" });
const places = (platform: Platform) =>
  open(platform, { table: "fact_place", columns: "code, part, note" });
const quarantined = (platform: Platform) =>
  open(platform, {
    table: "quarantine",
    columns: "table_name, row_key, reason",
  });

Deno.test("a text that isn't UTF-8 is quarantined alone", async () => {
  await using platform = await openPlatform({
    sql: SQL,
    sourceTemplate: await templateOf("SQL_ASCII"),
  });
  const { client } = platform.source;
  await execute(
    client,
    `insert into person values (1, 'Zoë €𝄞', '{"ü": "\\\\"}'), (2, 'plain', null),
      (3, e'caf\\351', '{}'), (4, '', null)`,
    `insert into person select 10 + n, text, null from unnest(array[
      e'\\200', e'\\300\\200', e'\\340\\200\\200', e'\\355\\240\\200',
      e'\\360\\200\\200\\200', e'\\364\\220\\200\\200', e'\\365\\200\\200\\200',
      e'a\\303', e'\\303\\251\\251']) with ordinality as bad (text, n)`,
    "insert into place values ('a', 'ä', 'one'), (e'\\351', 'b\\c', 'two'), ('x\\y', 'z', null)",
    "insert into place values ('long', 'l', 'x' || repeat('é', 9 << 20))",
    "insert into place values ('zz', 'newest', null)",
  );
  await platform.run();

  const bad = [11, 12, 13, 14, 15, 16, 17, 18, 19];
  assert.deepEqual(await people(platform), [
    '1 Zoë €𝄞 {"ü": "\\\\"}',
    "2 plain",
    "4 ",
  ]);
  assert.deepEqual(await places(platform), ["a ä one", "x\\y z", "zz newest"]);
  const aside = await quarantined(platform);
  assert.equal(aside.length, bad.length + 3);
  assert(
    aside.includes('person 3 name is no UTF-8: "caf\\351"'),
    aside.join("\n"),
  );
  assert(
    aside.includes("place [long, l] the row is longer than 16 MiB as CSV"),
  );
  assert(
    aside.includes('place [\ufffd\\351, b\\c] code is no UTF-8: "\\351"'),
    aside.join("\n"),
  );

  // Later rows come, the others are repaired or go.
  await execute(
    client,
    "update person set name = 'café' where id = 3",
    "delete from person where id > 10",
    "update place set code = 'é' where note = 'two'",
    "delete from place where code in ('a', 'long')",
  );
  await platform.run();
  assert.deepEqual(await people(platform), [
    '1 Zoë €𝄞 {"ü": "\\\\"}',
    "2 plain",
    "3 café {}",
    "4 ",
  ]);
  assert.deepEqual(await places(platform), [
    "x\\y z",
    "zz newest",
    "é b\\c two",
  ]);
  assert.deepEqual(await quarantined(platform), []);
  await execute(
    client,
    "insert into place values (e'\\377', 'last', null)",
  );
  await platform.run();
  await execute(client, "update place set note = e'\\377' where part = 'z'");
  await platform.run();
  assert.equal((await quarantined(platform)).length, 2);
  await platform.extract({ fullRead: true });
  await platform.transform();
  await platform.load();
  assert.equal((await quarantined(platform)).length, 2);
  const whole = platform.logged.filter((line) => line.includes("read whole"));
  assert.deepEqual(
    whole.filter((line) => !line.includes("asked")),
    [],
  );
});

Deno.test("verify() reads texts that aren't UTF-8 as extract does", async () => {
  await using platform = await openPlatform({
    sql: SQL,
    sourceTemplate: await templateOf("SQL_ASCII"),
  });
  const { client } = platform.source;
  await execute(
    client,
    "insert into person select n, 'name ' || n, null from generate_series(1, 4) as n",
    "insert into place values ('a', 'ä', 'one'), ('b', 'b\\c', null), ('', '', '')",
  );
  await platform.run();
  await execute(
    client,
    "update person set name = e'caf\\351' where id = 2",
    "update person set name = '\\N' where id = 3",
    "update place set note = e'\\377' || repeat('é\"', 3 << 20) where code = 'a'",
    "insert into place values (e'\\351', 'b\\c', 'two')",
    // Its key reads as the other's does with escapes.
    "insert into place values ('\\351', 'b\\c', 'three')",
    // Long only by its escapes.
    "insert into place values ('long', 'l', repeat(e'\\351', 5 << 20))",
  );

  const verification = await verify(platform.context);

  assert.deepEqual(differences(verification), []);
  assert.equal((await quarantined(platform)).length, 4);
  assert.equal((await people(platform))[1], "2 name 2");
});

Deno.test("a character that UTF-8 lacks is named with its row", async () => {
  await using platform = await openPlatform({
    sql: SQL,
    sourceTemplate: await templateOf("WIN1252"),
  });
  const { client } = platform.source;
  await execute(
    client,
    "insert into person values (1, 'Zoë', null), (2, 'plain', null)",
    "set client_encoding to 'WIN1252'",
    "insert into person values (3, convert_from('\\x81', 'WIN1252'), null)",
  );

  await assert.rejects(platform.extract(), (error) => {
    assert(error instanceof StageError, String(error));
    assert.match(
      error.message,
      /^Cannot read "person": column "name" of the row \["3"\]: character with byte sequence 0x81 in encoding "WIN1252"/,
    );
    assert.equal(error.subject, "person");
    assert.equal(error.retryable, false);
    assert.match(error.hint ?? "", /^Repair that text in the source/);
    return true;
  });
  await execute(client, "delete from person where id = 3");
  await platform.run();
  assert.deepEqual(await people(platform), ["1 Zoë", "2 plain"]);
});

Deno.test("a row that is too long is quarantined until it is shorter", async () => {
  await using platform = await openPlatform({ sql: SQL, sourceSql: SOURCE });
  const { client } = platform.source;
  await execute(
    client,
    `alter table person alter name type text`,
    `insert into person select n, 'name ' || n, null
    from generate_series(1, 9) as n`,
    `update person set name = repeat('"', 9 << 20) where id = 4`,
    `update person set more = to_jsonb(repeat('x', 17 << 20)) where id = 5`,
    "insert into place values ('a', 'b', repeat('long ', 5 << 20))",
  );
  await platform.run();
  assert.equal((await people(platform)).length, 7);
  assert.deepEqual(await quarantined(platform), [
    "person 4 the row is longer than 16 MiB as CSV",
    "person 5 the row is longer than 16 MiB as CSV",
    "place [a, b] the row is longer than 16 MiB as CSV",
  ]);

  await execute(
    client,
    "update person set name = 'short' where id = 4",
    "delete from person where id = 5",
    "update person set name = repeat('x', 17 << 20) where id = 6",
  );
  await platform.run();
  assert.equal((await people(platform))[3], "4 short");
  // Its last good version stays.
  assert.equal((await people(platform))[4], "6 name 6");
  assert.equal((await quarantined(platform)).length, 2);
});

Deno.test("verify() reads rows that are too long as extract does", async () => {
  await using platform = await openPlatform({
    sql: SQL,
    sourceSql: SOURCE,
  });
  const { client } = platform.source;
  await execute(
    client,
    `alter table person alter name type text`,
    `insert into person select n, 'name ' || n, null
    from generate_series(1, 4) as n`,
  );
  await platform.run();
  await execute(
    client,
    `update person set name = repeat('"', 9 << 20) where id = 2`,
    `update person set more = to_jsonb(repeat('x', 17 << 20)) where id = 3`,
    "insert into place values ('a', 'b', repeat('x', 17 << 20))",
  );

  const verification = await verify(platform.context);

  assert.deepEqual(differences(verification), []);
  assert.equal((await quarantined(platform)).length, 3);
  assert.equal((await people(platform))[1], "2 name 2");
});

Deno.test("a row near the length limit is read the same whatever its neighbours", async () => {
  await using platform = await openPlatform({
    sql: SQL,
    sourceSql: SOURCE,
  });
  const { client } = platform.source;
  // As CSV, lines of 16 MiB and a few bytes less: by what such a row may take
  // at most, the last one only is not too long.
  await execute(
    client,
    `insert into place select 'c' || chr(97 + n), 'p',
      repeat('x', (16 << 20) - 6 - n) from unnest(array[0, 8, 9]) as n`,
  );
  assert.deepEqual(differences(await verify(platform.context)), []);
  assert.equal((await quarantined(platform)).length, 2);
  await execute(
    client,
    "insert into place values ('a', 'b', repeat('x', 17 << 20))",
  );
  await platform.extract({ fullRead: true });

  assert.deepEqual(differences(await verify(platform.context)), []);
  assert.equal((await quarantined(platform)).length, 3);
});

Deno.test("doctor explains the source's encoding", async () => {
  for (
    const [encoding, meaning] of [
      ["SQL_ASCII", /in SQL_ASCII, .* are not UTF-8 go to quarantine$/],
      ["LATIN1", /in LATIN1: extract stops at a character that UTF-8 lacks/],
      ["UTF8", /2 tables as in sql\/source.sql$/],
    ] as const
  ) {
    await using platform = await openPlatform({
      sql: SQL,
      sourceTemplate: await templateOf(encoding),
    });
    const findings = await examine(platform.context);
    const source = findings.find(({ what }) => what === "source");
    assert.match(source?.found ?? "", meaning);
  }
});

Deno.test("a row of a single text arrives whatever the text", async () => {
  const texts = [...new Set([...HOSTILE_TEXTS, "z"])];
  const sql = await projectOf({
    "source.sql": "create table word (word text not null, primary key (word));",
    "models/dim_word.sql": "-- Key: word.\nselect word from changed.word",
  });
  await using platform = await openPlatform({
    sql,
    sourceSql: "create table word (word text primary key)",
  });
  const { client } = platform.source;
  await client.query("insert into word select unnest($1::text[])", [texts]);

  await platform.run();

  const words = await query(
    platform.warehouse.client,
    "select word from dim_word",
  );
  assert.deepEqual(words.map(({ word }) => word).sort(), texts.toSorted());
  await client.query("delete from word where word <> 'z'");
  await platform.extract({ allowMassDelete: true });
  await platform.transform();
  await platform.load();
  assert((await verify(platform.context)).same);
});
