import assert from "node:assert/strict";
import { connect } from "../../../lib/postgres/connect.ts";
import { query, queryRow } from "../../../lib/postgres/postgres.ts";
import { ConnectionPool } from "../../../lib/postgres/connection_pool.ts";
import { openTestDatabase } from "../../harness/servers/postgres.ts";

const PURPOSE = { purpose: "test" };
const PID = "select pg_backend_pid() as pid";

Deno.test("a kept connection is handed out again, as if it were new", async () => {
  await using database = await openTestDatabase();
  await using pool = new ConnectionPool(connect);
  const first = await pool.connect(database.settings, PURPOSE);
  const { pid } = await queryRow(first.client, PID);
  await first.client.query("set work_mem = '1MB'");
  await first.client.query("create temporary table left_behind (a int)");
  await first.client.query("select pg_advisory_lock(1)");
  await first.client.query("begin");
  await first[Symbol.asyncDispose]();

  await using second = await pool.connect(database.settings, PURPOSE);

  assert.equal((await queryRow(second.client, PID)).pid, pid);
  assert.deepEqual(
    await query(
      second.client,
      `select to_regclass('left_behind') as "table",
      current_setting('work_mem') = '1MB' as set, pg_current_xact_id_if_assigned() as xact,
      (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks`,
    ),
    [{ table: null, set: "f", xact: null, locks: "0" }],
  );
});

Deno.test("the server soon notices that a process with kept connections has died", async () => {
  await using database = await openTestDatabase();
  await using pool = new ConnectionPool(connect);
  const found = async () => {
    await using connection = await pool.connect(database.settings, PURPOSE);
    return await query(
      connection.client,
      `select name, setting from pg_settings
      where name like 'tcp_keepalives_%' or name = 'idle_session_timeout'
      order by name`,
    );
  };
  const expected = [
    { name: "idle_session_timeout", setting: "1200000" },
    { name: "tcp_keepalives_count", setting: "3" },
    { name: "tcp_keepalives_idle", setting: "60" },
    { name: "tcp_keepalives_interval", setting: "10" },
  ];

  assert.deepEqual(await found(), expected);
  assert.deepEqual(await found(), expected, "handed out again");
});

Deno.test("a connection that died or was aborted is not kept", async () => {
  await using database = await openTestDatabase();
  await using pool = new ConnectionPool(connect);
  const kill = (pid: string | null | undefined) =>
    database.client.query("select pg_terminate_backend($1)", [pid]);
  const first = await pool.connect(database.settings, PURPOSE);
  const { pid } = await queryRow(first.client, PID);
  await first[Symbol.asyncDispose]();
  await kill(pid);

  const second = await pool.connect(database.settings, PURPOSE);
  const { pid: next } = await queryRow(second.client, PID);
  await kill(next);
  await second[Symbol.asyncDispose]();
  const stopping = new AbortController();
  const third = await pool.connect(database.settings, {
    ...PURPOSE,
    signal: stopping.signal,
  });
  stopping.abort();
  await assert.rejects(third.client.query("select 1"));
  await third[Symbol.asyncDispose]();

  assert.notEqual(next, pid);
  await using fourth = await pool.connect(database.settings, PURPOSE);
  assert.notEqual((await queryRow(fourth.client, PID)).pid, next);
});

Deno.test("only a few connections are kept, and none after close()", async () => {
  await using database = await openTestDatabase();
  const pool = new ConnectionPool(connect);
  const open = () => pool.connect(database.settings, PURPOSE);
  const all = await Promise.all([1, 2, 3, 4, 5, 6].map(open));
  for (const one of all) await one[Symbol.asyncDispose]();
  const sessions = () =>
    queryRow(
      database.client,
      `select count(*) as count from pg_stat_activity
      where datname = current_database() and application_name = 'totesys test'`,
    );
  const kept = await sessions();

  await pool[Symbol.asyncDispose]();

  assert.equal(kept.count, "4");
  assert.equal((await sessions()).count, "0");
});
