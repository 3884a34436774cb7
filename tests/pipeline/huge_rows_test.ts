import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { verify } from "../../verify/verify.ts";
import { companyOf } from "../harness/companies/company_of.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { differences } from "../harness/repair.ts";

const SQL = companyOf(`create table document (
    id integer not null,
    title text,
    -- carried from bytea
    content text,
    primary key (id)
);
create table other (
    id integer not null,
    primary key (id)
);`);
const SOURCE =
  `create table document (id integer primary key, title text, content bytea);
  alter table document alter content set storage external;
  create table other (id integer primary key);`;

Deno.test("a row over 1 GB, which PostgreSQL can't send, is quarantined alone", async () => {
  await using platform = await openPlatform({ sql: SQL, sourceSql: SOURCE });
  const { source: { client }, warehouse } = platform;
  const ids = async (table: string) =>
    (await query(
      warehouse.client,
      `select id from ${table} where to_batch is null order by id`,
    )).map(({ id }) => Number(id));
  const reasons = async () =>
    await query(
      warehouse.client,
      "select row_key, reason from quarantine_current",
    );
  await execute(
    client,
    "insert into document select n, 't', '\\x00ff' from generate_series(1, 5) n",
  );
  await platform.run();

  // As a text, the bytes take twice as much.
  await execute(
    client,
    "update document set content = convert_to(repeat('x', 540000000), 'UTF8') where id = 2",
    "update document set title = 'new' where id = 4",
    "insert into other values (1)",
  );
  assert.deepEqual(differences(await verify(platform.context)), []);

  assert.deepEqual(await ids("fact_other"), [1]);
  assert.deepEqual(await reasons(), [
    { row_key: "2", reason: "the row is longer than 16 MiB as CSV" },
  ]);
  const [{ title } = { title: "" }] = await query(
    warehouse.client,
    "select title from fact_document where to_batch is null and id = 4",
  );
  assert.equal(title, "new");

  await execute(
    client,
    "update document set content = '\\x01' where id = 2",
  );
  await platform.run();
  assert.deepEqual(await reasons(), []);
  assert.deepEqual(await ids("fact_document"), [1, 2, 3, 4, 5]);
});
