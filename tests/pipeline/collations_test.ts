import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { verify } from "../../verify/verify.ts";
import { companyOf } from "../harness/companies/company_of.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { differences } from "../harness/repair.ts";

const SQL = companyOf(`create table document (
    id integer not null,
    title text,
    code text,
    word text,
    -- carried from name
    owner text,
    primary key (id)
);
create table translation (
    code text not null,
    word text not null,
    primary key (word, code)
);`);
const SOURCE =
  `create collation loose (provider = icu, locale = 'und-u-ks-level2',
    deterministic = false);
  create table document (id integer primary key, title text,
    code text collate "C", word text collate loose, owner name);
  create table translation (code text collate "C" not null,
    word text collate loose not null, primary key (word, code));`;
/** Bytes that are too many for a row only once each is doubled as CSV. */
const QUOTES = 9 * 1024 * 1024;

Deno.test("texts of different collations in a table are read, and set aside if too long", async () => {
  await using platform = await openPlatform({ sql: SQL, sourceSql: SOURCE });
  const { source: { client }, warehouse } = platform;
  await execute(
    client,
    "insert into document values (1, 'one', 'a', 'Ä', 'me'), (2, 'two', 'b', 'ä', 'you')",
    "insert into translation values ('a', 'Ä'), ('b', 'ä'), ('c', 'o')",
  );
  assert.deepEqual(differences(await verify(platform.context)), []);

  await execute(
    client,
    `update document set word = repeat('"', ${QUOTES}) where id = 2`,
    "update translation set code = 'd' where word = 'ä' and code = 'b'",
    "delete from translation where word = 'o'",
  );
  assert.deepEqual(differences(await verify(platform.context)), []);

  assert.deepEqual(
    await query(
      warehouse.client,
      "select row_key, reason from quarantine_current",
    ),
    [{ row_key: "2", reason: "the row is longer than 16 MiB as CSV" }],
  );
});
