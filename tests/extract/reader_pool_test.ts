import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import {
  beginSql,
  type LockedTable,
  lockSql,
} from "../../extract/guest_transaction.ts";
import { ReaderPool } from "../../extract/reader_pool.ts";
import { execute } from "../harness/platform.ts";
import { openClient, openTestDatabase } from "../harness/servers/postgres.ts";
import { somebodyWaits } from "./waiting_sessions.ts";

const GUEST = { version: 14, schema: "public", lockTimeoutMs: 500 };

/** Creates tables with a key, for a pool to read. */
async function createTables(
  client: pg.Client,
  names: readonly string[],
): Promise<LockedTable[]> {
  for (const name of names) {
    await execute(client, `create table ${name} (n integer primary key)`);
  }
  return names.map((name) => ({
    name,
    source: { schema: "public", name },
    partitioned: false,
  }));
}

/** Two connections to read with; the first has locked the tables. */
async function openReaders(url: string, tables: readonly LockedTable[]) {
  const first = await openClient(url);
  const other = await openClient(url);
  await execute(
    first,
    beginSql(GUEST, "repeatable read"),
    lockSql(GUEST, tables),
  );
  await execute(other, beginSql(GUEST, "repeatable read"));
  return { first, other };
}

Deno.test("ReaderPool keeps its first connection free to release tables", async () => {
  await using database = await openTestDatabase();
  const { client } = database;
  const tables = await createTables(database.client, [
    "large",
    "small",
    "tiny",
  ]);
  const { first, other } = await openReaders(database.url, tables);
  const pool = new ReaderPool(GUEST, tables, [first, other]);
  const read = (name: string) =>
    pool.use(async (reader) => {
      await reader.query(`select from ${name}`);
      return reader;
    }, name);
  const large = Promise.withResolvers<void>();

  const smallReader = await read("tiny");
  let largeReader: pg.Client | undefined;
  const reading = pool.use(async (reader) => {
    largeReader = reader;
    await large.promise;
  }, "large");
  for (const name of ["tiny", "small"]) {
    await read(name);
    await pool.release(name);
  }
  await execute(
    client,
    "set lock_timeout = '5s'",
    "truncate tiny",
    "alter table small add m integer",
  );
  large.resolve();
  await reading;

  assert.equal(smallReader, first);
  assert.equal(largeReader, other);
  for (const one of [first, other]) await one.end();
});

Deno.test("ReaderPool releases a table that was read while it released another", async () => {
  await using database = await openTestDatabase();
  const { client } = database;
  const tables = await createTables(database.client, [
    "large",
    "small",
    "tiny",
  ]);
  const { first, other } = await openReaders(database.url, tables);
  const pool = new ReaderPool(GUEST, tables, [first, other]);

  await Promise.all(["tiny", "small"].map((name) => pool.release(name)));

  await execute(
    client,
    "set lock_timeout = '5s'",
    "truncate tiny",
    "truncate small",
  );
  for (const one of [first, other]) await one.end();
});

Deno.test("ReaderPool reads tables in order, as many at once as it has connections", async () => {
  await using database = await openTestDatabase();
  const tables = await createTables(database.client, [
    "large",
    "middle",
    "small",
    "tiny",
  ]);
  const { first, other } = await openReaders(database.url, tables);
  const third = await openClient(database.url);
  await execute(third, beginSql(GUEST, "repeatable read"));
  const clients = [first, other, third];
  const pool = new ReaderPool(GUEST, tables, clients, { atOnce: 2 });
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const read = (name: string) =>
    pool.use(async () => {
      begun.push(name);
      const { promise, resolve } = Promise.withResolvers<void>();
      ends.set(name, resolve);
      await promise;
    }, name).then(() => pool.release(name));
  const until = async (count: number) => {
    for (let tries = 0; tries < 400 && begun.length < count; tries++) {
      await sleep(5);
    }
    assert.equal(begun.length, count);
  };

  const reads = tables.toReversed().map(({ name }) => read(name));
  await until(2);
  // The first of the two is not released, and another begins all the same.
  ends.get("small")?.();
  await until(3);
  ends.get("middle")?.();
  await until(4);
  for (const name of ["tiny", "large"]) ends.get(name)?.();
  await Promise.all(reads);
  for (const one of clients) await one.end();

  assert.deepEqual(begun, ["tiny", "small", "middle", "large"]);
});

Deno.test("ReaderPool fails all reads that wait for a connection that died", async () => {
  await using database = await openTestDatabase();
  const tables = await createTables(database.client, [
    "large",
    "small",
    "tiny",
  ]);
  const { first, other } = await openReaders(database.url, tables);
  const pool = new ReaderPool(GUEST, tables, [first, other]);
  await other.end();

  // The first connection has to release another table before these.
  const reads = await Promise.allSettled(
    ["large", "large", "small"].map((name) =>
      pool.use((reader) => reader.query(`select from ${name}`), name)
    ),
  );

  assert.deepEqual(
    reads.map(({ status }) => status),
    Array(3).fill("rejected"),
  );
  await first.end();
});

Deno.test("ReaderPool fails later reads with the error that ended the transaction", async () => {
  await using database = await openTestDatabase();
  const tables = await createTables(database.client, ["broken", "sound"]);
  const { first, other } = await openReaders(database.url, tables);
  await other.end();
  const pool = new ReaderPool(GUEST, tables, [first], { keepsLocks: true });
  const read = (table: string, sql: string) =>
    pool.use((reader) => reader.query(sql), table);
  const later = {
    name: "StageError",
    message: 'Cannot read "broken": division by zero',
    subject: "broken",
    retryable: false,
  };

  await assert.rejects(read("broken", "select 1 / 0"), /division by zero/);

  await assert.rejects(read("sound", "select from sound"), later);
  await first.query("rollback; begin");
  await assert.rejects(
    read("sound", "rollback to savepoint locked_1"),
    later,
  );
  await first.end();
});

Deno.test("ReaderPool reads a table that a session waits for over its first connection", async () => {
  await using database = await openTestDatabase();
  const { client } = database;
  await execute(client, "create table t (n integer primary key)");
  const tables = [{
    name: "t",
    source: { schema: "public", name: "t" },
    partitioned: false,
  }];
  const migrating = await openClient(database.url);
  const { first, other } = await openReaders(database.url, tables);
  const pool = new ReaderPool(GUEST, tables, [first, other]);
  const pids = (readers: ReaderPool) =>
    Promise.all([0, 1].map(() =>
      readers.use(async (reader) => {
        const { rows } = await reader.query(
          "select pg_backend_pid() as pid from t right join pg_sleep(0.1) on true",
        );
        return rows[0].pid;
      }, "t")
    ));

  const before = await pids(pool);
  const altering = migrating.query("alter table t add m integer");
  await somebodyWaits(client);
  // The other one still has its lock, until it reads something else.
  const second = await pids(pool);
  const lone = new ReaderPool(GUEST, tables, [first, other]);
  await other.query("rollback to savepoint locked_0");
  const alone = await pids(lone);
  await lone.release("t");
  await other.query("rollback");
  await altering;

  assert.equal(new Set(before).size, 2);
  assert.equal(new Set(second).size, 2);
  assert.equal(new Set(alone).size, 1);
  for (const one of [first, other, migrating]) await one.end();
});
