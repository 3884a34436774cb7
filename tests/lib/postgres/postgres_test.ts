import assert from "node:assert/strict";
import { connect } from "../../../lib/postgres/connect.ts";
import {
  inTransaction,
  query,
  queryRow,
  sqlState,
} from "../../../lib/postgres/postgres.ts";
import { openTestDatabase } from "../../harness/servers/postgres.ts";

Deno.test("inTransaction() fixes the format of values whatever the settings, and restores the settings", async () => {
  await using database = await openTestDatabase();
  const name = database.settings.database;
  await database.client.query(
    `alter database ${name} set timezone to 'Asia/Tokyo';
    alter database ${name} set datestyle to 'German';
    alter database ${name} set statement_timeout to '7s';
    alter database ${name} set default_transaction_isolation to serializable`,
  );
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  const { client } = connection;
  const session = () =>
    queryRow(
      client,
      `select current_setting('timezone') as zone,
        current_setting('datestyle') as style,
        current_setting('statement_timeout') as timeout,
        current_setting('work_mem') as memory`,
    );
  const before = await session();

  const rows = await inTransaction(
    client,
    { settings: { work_mem: "77MB" } },
    () =>
      query(
        client,
        `select 0.1::numeric(10,2) as money, 9007199254740993 as big,
          null as none, true as flag, date '2026-03-01' as day,
          timestamptz '2026-03-01 08:09:10.123456+01' as moment,
          $1::text as given, current_setting('application_name') as application,
          current_setting('statement_timeout') as timeout,
          current_setting('work_mem') as memory,
          current_setting('transaction_isolation') as isolation`,
        ["x"],
      ),
  );

  assert.deepEqual(rows.map((row) => ({ ...row })), [{
    money: "0.10",
    big: "9007199254740993",
    none: null,
    flag: "t",
    day: "2026-03-01",
    moment: "2026-03-01 07:09:10.123456+00",
    given: "x",
    application: "totesys test",
    timeout: "0",
    memory: "77MB",
    isolation: "read committed",
  }]);
  assert.deepEqual(await session(), before);
});

Deno.test("inTransaction() rolls back failed work, and leaves the connection usable", async () => {
  await using database = await openTestDatabase();
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  const { client } = connection;

  await assert.rejects(
    inTransaction(client, {}, async () => {
      await client.query("create table gone (n integer)");
      await client.query("select 1 / 0");
    }),
    /division by zero/,
  );
  await assert.rejects(
    inTransaction(
      client,
      { readOnly: true },
      () => client.query("create table gone (n integer)"),
    ),
    /read-only transaction/,
  );

  const row = await queryRow(client, "select to_regclass('gone') as gone");
  assert.equal(row.gone, null);
});

Deno.test("inTransaction() lifts transaction_timeout", async () => {
  await using database = await openTestDatabase();
  const { rows: [server] } = await database.client.query(
    "show server_version_num",
  );
  if (server.server_version_num < 170_000) return;
  await database.client.query(
    `alter database ${database.settings.database}
    set transaction_timeout to '300ms'`,
  );
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  const { client } = connection;

  const row = await inTransaction(
    client,
    {},
    () => queryRow(client, "select 1 as one from pg_sleep(1)"),
  );

  assert.equal(row.one, "1");
});

Deno.test("inTransaction() reads views whatever kinds of relations the role is kept from", async () => {
  await using database = await openTestDatabase();
  const { client: admin, settings } = database;
  await admin.query("create view v as select 1 as one");
  const { rows: [limit] } = await admin.query(
    "select current_setting('restrict_nonsystem_relation_kind', true) as kinds",
  );
  if (limit.kinds === null) return;
  await admin.query(
    `alter database ${settings.database}
    set restrict_nonsystem_relation_kind to 'view, foreign-table'`,
  );
  await using connection = await connect(settings, { purpose: "test" });
  const { client } = connection;
  const read = () => queryRow(client, "select one from v");

  await assert.rejects(read(), /access to non-system view "v" is restricted/);
  const row = await inTransaction(client, { readOnly: true }, read);

  assert.equal(row.one, "1");
});

Deno.test("queryRow() throws when no row comes back", async () => {
  await using database = await openTestDatabase();

  await assert.rejects(queryRow(database.client, "select 1 where false"), {
    message: "No row came back from: select 1 where false",
  });
});

Deno.test("sqlState() is only set for errors that Postgres sent", async () => {
  await using database = await openTestDatabase();

  const error = await query(database.client, "select 1 / 0").catch((e) => e);

  assert.equal(sqlState(error), "22012");
  assert.equal(sqlState(new Error("22012")), undefined);
});
