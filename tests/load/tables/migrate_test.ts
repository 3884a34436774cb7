import assert from "node:assert/strict";
import { query } from "../../../lib/postgres/postgres.ts";
import { sha256Hex } from "../../../lib/zone/checksum.ts";
import { migrate } from "../../../load/tables/migrate.ts";
import {
  openTestDatabase,
  type TestDatabase,
} from "../../harness/servers/postgres.ts";

const FIRST = { name: "0001_first", text: "create table first (n integer)" };
const SECOND = { name: "0002_second", text: "create table second (n integer)" };
const FAULTY = {
  name: "0003_third",
  text: "create table third (n integer); select 1 / 0",
};

Deno.test("migrate() applies pending migrations in order, once", async () => {
  await using database = await openTestDatabase();
  const { client } = database;

  assert.deepEqual(await migrate(client, [FIRST]), ["0001_first"]);
  assert.deepEqual(await migrate(client, [FIRST, SECOND]), ["0002_second"]);
  assert.deepEqual(await migrate(client, [FIRST, SECOND]), []);

  assert.deepEqual(await tables(database), ["first", "second"]);
});

Deno.test("migrate() rolls back a failed migration, and keeps those before it", async () => {
  await using database = await openTestDatabase();
  const { client } = database;

  await assert.rejects(migrate(client, [FIRST, SECOND, FAULTY]), {
    name: "StageError",
    message: "Cannot apply the migration 0003_third: division by zero",
    subject: "0003_third",
    hint: /^Nothing of it was kept/,
  });

  assert.deepEqual(await tables(database), ["first", "second"]);
  const repaired = { ...FAULTY, text: "create table third (n integer)" };
  assert.deepEqual(await migrate(client, [FIRST, SECOND, repaired]), [
    "0003_third",
  ]);
});

Deno.test("migrate() rolls back a migration that can't be recorded", async () => {
  await using database = await openTestDatabase();
  const { client } = database;
  const text = `${SECOND.text};
    insert into pipeline.migration values ('0002_second', 'another')`;

  await assert.rejects(migrate(client, [FIRST, { ...SECOND, text }]), {
    name: "StageError",
    message: /^Cannot apply the migration 0002_second: duplicate key/,
    subject: "0002_second",
  });

  assert.deepEqual(await tables(database), ["first"]);
  assert.deepEqual(await migrate(client, [FIRST, SECOND]), ["0002_second"]);
});

Deno.test("migrate() refuses a migration that was edited after it was applied", async () => {
  await using database = await openTestDatabase();
  await migrate(database.client, [FIRST]);
  const edited = { ...FIRST, text: `${FIRST.text} -- edited` };

  await assert.rejects(migrate(database.client, [edited, SECOND]), {
    name: "StageError",
    message:
      "Cannot load into this warehouse: sql/warehouse/0001_first.sql was edited after it was applied",
    subject: "0001_first",
    hint: /^Take the edit back/,
  });

  assert.deepEqual(await tables(database), ["first"]);
});

Deno.test("migrate() ignores blanks at the end of lines and files", async () => {
  await using database = await openTestDatabase();
  const { client } = database;
  const text = "create table first (\n  n integer\n)\n";
  const blank = "create table first (  \r\n  n integer\t\n)\n\n";
  const forms = [text, text.trimEnd(), blank];
  await migrate(client, [{ ...FIRST, text: blank }]);

  for (const form of forms) {
    assert.deepEqual(await migrate(client, [{ ...FIRST, text: form }]), []);
  }

  // As the versions before wrote it down.
  for (const applied of [text, text.trimEnd()]) {
    await client.query("update pipeline.migration set sha256 = $1", [
      sha256Hex(applied),
    ]);
    for (const form of forms) {
      assert.deepEqual(await migrate(client, [{ ...FIRST, text: form }]), []);
    }
  }
  const edited = { ...FIRST, text: text.replace("  n", " n") };
  await assert.rejects(migrate(client, [edited]), /was edited after it was/);
});

Deno.test("migrate() refuses a warehouse of a newer version", async () => {
  await using database = await openTestDatabase();
  await migrate(database.client, [FIRST, SECOND]);

  await assert.rejects(migrate(database.client, [FIRST]), {
    name: "StageError",
    message:
      "Cannot load into this warehouse: its migration 0002_second is not in sql/warehouse",
    subject: "0002_second",
    hint: /newer/,
  });
});

async function tables({ client }: TestDatabase): Promise<string[]> {
  const rows = await query(
    client,
    "select tablename from pg_tables where schemaname = 'public' order by 1",
  );
  return rows.map((row) => row.tablename ?? "");
}
