import assert from "node:assert/strict";
import {
  sinceSql,
  toRanges,
  unshippedSql,
  writerSql,
} from "../../extract/watermark_sql.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { companyOf } from "../harness/companies/company_of.ts";
import { openPlatform } from "../harness/platform.ts";
import { openClient, openTestDatabase } from "../harness/servers/postgres.ts";
import { INTEGER } from "./one_table.ts";

Deno.test("toRanges() joins consecutive ids, in order, each once", () => {
  assert.deepEqual(toRanges([7n, 3n, 5n, 4n, 3n, 9n]), [
    ["3", "5"],
    ["7", "7"],
    ["9", "9"],
  ]);
  assert.deepEqual(toRanges([]), []);
});

Deno.test("writerSql() gives 32-bit ids their 64 bits, also past a wrap", async () => {
  await using database = await openTestDatabase();
  const wrap = 2n ** 32n;
  const cases: [nextId: bigint, xmin: bigint, writer: bigint][] = [
    [1000n, 999n, 999n],
    [1000n, 3n, 3n],
    [wrap + 10n, 5n, wrap + 5n],
    [wrap + 10n, wrap - 7n, wrap - 7n],
    [5n * wrap + 100n, 101n, 4n * wrap + 101n],
    [5n * wrap + 100n, 100n, 4n * wrap + 100n],
  ];
  for (const [nextId, xmin, writer] of cases) {
    const { rows } = await database.client.query(
      `select ${writerSql(nextId)}::text as writer
      from (select '${xmin}'::xid as xmin) as one`,
    );
    assert.deepEqual(rows, [{ writer: String(writer) }], `${nextId} ${xmin}`);
  }
});

Deno.test("sinceSql() and unshippedSql() select rows by their writer", async () => {
  await using database = await openTestDatabase();
  const { client } = database;
  await client.query("create table t (n integer)");
  const ids: bigint[] = [];
  for (let n = 1; n <= 4; n++) {
    await client.query("begin");
    await client.query("insert into t values ($1)", [n]);
    const { rows } = await client.query(
      "select pg_current_xact_id()::text as id",
    );
    ids.push(BigInt(rows[0].id));
    await client.query("commit");
  }
  const [, second = 0n, third = 0n, fourth = 0n] = ids;
  const chosen = async (where: string) =>
    (await client.query(`select n from t where ${where} order by n`)).rows
      .map((row) => row.n);

  assert.deepEqual(await chosen(sinceSql(second)), [2, 3, 4]);
  assert.deepEqual(
    await chosen(
      unshippedSql({
        watermark: second,
        shipped: [[String(third), String(third)]],
        nextId: fourth + 1n,
      }),
    ),
    [2, 4],
  );
  // Frozen rows keep their ids; those of the system are older than any.
  await client.query("vacuum freeze t");
  assert.deepEqual(await chosen(sinceSql(third)), [3, 4]);
  const { rows } = await client.query(
    `select ${sinceSql(second)} as since from (select '2'::xid as xmin) as one`,
  );
  assert.deepEqual(rows, [{ since: false }]);
});

Deno.test("extract() tracks any number of writers during a long transaction", async () => {
  await using platform = await openPlatform({
    sql: companyOf(INTEGER),
    sourceSql: INTEGER,
  });
  const { source: { client, url }, warehouse } = platform;
  await platform.run();
  const long = await openClient(url);
  await long.query("begin; insert into t values (0, 'late')");
  // A savepoint gives each row a writer of its own.
  await client.query(`do $$ begin
    for n in 1 .. 150000 loop
      begin
        insert into t values (n, 'early');
      exception when unique_violation then raise;
      end;
    end loop;
  end $$`);

  await platform.run();
  await long.query("commit");
  await platform.run();

  const rows = await query(
    warehouse.client,
    "select count(*), count(distinct id) as ids from fact_t",
  );
  assert.deepEqual(rows, [{ count: "150001", ids: "150001" }]);
  await long.end();
});
