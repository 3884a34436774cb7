import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { copyIn, copyOut } from "../../../lib/postgres/copy.ts";
import {
  openClient,
  openTestDatabase,
} from "../../harness/servers/postgres.ts";

async function textOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of pieces) {
    text += decoder.decode(piece, { stream: true });
  }
  return text;
}

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.test("copyOut() delivers every byte, even to a slow reader", async () => {
  await using database = await openTestDatabase();
  const sql = "copy (select n, repeat('x', n % 2000) from " +
    "generate_series(1, 20000) as n) to stdout";
  let text = "";
  const copied = copyOut(database.client, sql);
  const decoder = new TextDecoder();
  let pieces = 0;
  for await (const piece of copied.pieces) {
    if (++pieces % 10 === 0) await sleep(5);
    text += decoder.decode(piece, { stream: true });
  }

  assert.equal(copied.rowCount(), 20_000);
  const lines = text.slice(0, -1).split("\n");
  assert.equal(lines.length, 20_000);
  assert.equal(
    lines.every((line, index) =>
      line === `${index + 1}\t${"x".repeat((index + 1) % 2000)}`
    ),
    true,
  );
});

Deno.test("copyOut() handles a row larger than a chunk, and can be repeated", async () => {
  await using database = await openTestDatabase();
  for (let round = 0; round < 20; round++) {
    const copied = copyOut(
      database.client,
      `copy (select repeat('y', 400000), ${round}) to stdout`,
    );
    assert.equal(
      await textOf(copied.pieces),
      `${"y".repeat(400_000)}\t${round}\n`,
    );
  }
  const { rows } = await database.client.query("select 1 as one");
  assert.deepEqual(rows, [{ one: 1 }]);
});

Deno.test("copyOut() throws the server's error, at the start or in the middle", async () => {
  await using database = await openTestDatabase();
  const { client } = database;
  await assert.rejects(
    textOf(copyOut(client, "copy nothing to stdout").pieces),
    /relation "nothing" does not exist/,
  );
  await assert.rejects(
    textOf(
      copyOut(
        client,
        "copy (select 1 / (50000 - n) from generate_series(1, 60000) as n) to stdout",
      ).pieces,
    ),
    /division by zero/,
  );
  assert.equal(
    await textOf(copyOut(client, "copy (select 1) to stdout").pieces),
    "1\n",
  );
});

Deno.test("copyOut() ends the connection of a reader that leaves early", async () => {
  await using database = await openTestDatabase();
  const client = await openClient(database.url);
  const copied = copyOut(
    client,
    "copy (select repeat('z', 1000) from generate_series(1, 100000)) to stdout",
  );
  for await (const _piece of copied.pieces) break;

  await assert.rejects(client.query("select 1"));
});

Deno.test("copyIn() sends large content and counts its rows", async () => {
  await using database = await openTestDatabase();
  const { client } = database;
  await client.query("create table numbers (n integer, filler text)");
  async function* content() {
    for (let start = 0; start < 100_000; start += 1000) {
      await Promise.resolve();
      const lines = Array.from(
        { length: 1000 },
        (_, index) => `${start + index},${"f".repeat(100)}\n`,
      );
      yield encoded(lines.join(""));
    }
  }

  const rows = await copyIn(client, "copy numbers from stdin csv", content());

  assert.equal(rows, 100_000);
  const found = await client.query(
    "select count(*)::int as n, sum(n)::text as s from numbers",
  );
  assert.deepEqual(found.rows, [{ n: 100_000, s: "4999950000" }]);
});

Deno.test("copyIn() throws the server's error, and leaves the connection usable", async () => {
  await using database = await openTestDatabase();
  const { client } = database;
  await client.query("create table numbers (n integer)");
  async function* content() {
    for (let line = 0; line < 50_000; line++) {
      await Promise.resolve();
      yield encoded(line === 700 ? "seven\n" : `${line}\n`);
    }
  }

  await assert.rejects(
    copyIn(client, "copy numbers from stdin csv", content()),
    /invalid input syntax for type integer: "seven"/,
  );
  await assert.rejects(
    copyIn(client, "copy nowhere from stdin csv", content()),
    /"nowhere" does not exist/,
  );
  const { rows } = await client.query("select count(*)::int as n from numbers");
  assert.deepEqual(rows, [{ n: 0 }]);
});

Deno.test("copyIn() stores nothing when reading the content fails", async () => {
  await using database = await openTestDatabase();
  const { client } = database;
  await client.query("create table numbers (n integer)");
  async function* content() {
    await Promise.resolve();
    yield encoded("1\n");
    throw new Error("the disk is gone");
  }

  await assert.rejects(
    copyIn(client, "copy numbers from stdin csv", content()),
    /the disk is gone/,
  );
  const { rows } = await client.query("select count(*)::int as n from numbers");
  assert.deepEqual(rows, [{ n: 0 }]);
});

Deno.test("copyOut() leaves the connection usable", async () => {
  await using database = await openTestDatabase();
  const { client } = database;
  // Sizes at which the end of the data comes with the piece that fills up.
  for (let rows = 2560; rows <= 2700; rows += 8) {
    const copied = copyOut(
      client,
      `copy (select repeat('r', 1000) from generate_series(1, ${rows})) to stdout`,
    );
    let first = true;
    for await (const _piece of copied.pieces) {
      if (first) await sleep(40);
      first = false;
    }
    assert.equal((await client.query("select 1 as one")).rows.length, 1);
  }
});
