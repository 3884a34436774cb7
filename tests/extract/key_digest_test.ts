import assert from "node:assert/strict";
import {
  compareKeys,
  keysContent,
  scanTable,
} from "../../extract/key_digest.ts";
import { type LiveTable, readLiveTables } from "../../extract/live_table.ts";
import { parseContract } from "../../lib/contract.ts";
import { checkFiles } from "../../lib/data_files.ts";
import { StageError } from "../../lib/errors.ts";
import type { KeyDigest } from "../../lib/manifest.ts";
import { connect, type Connection, query } from "../../lib/postgres.ts";
import { openZone, type Zone } from "../../lib/zone.ts";
import { inFolder } from "../harness/in_folder.ts";
import { execute } from "../harness/platform.ts";
import { openTestDatabase } from "../harness/postgres.ts";

const INTEGER = `create table t (
    id bigint not null,
    note text,
    primary key (id)
);`;
const TEXT = `create table t (
    code text not null,
    note text,
    primary key (code)
);`;
const COMPOSITE = `create table t (
    code text not null,
    day date not null,
    amount numeric(10,2) not null,
    primary key (code, day, amount)
);`;

/** What a comparison of keys found. */
interface Compared {
  deleted: string[];
  /** The buckets whose keys were read anew. */
  moved: string[];
  digest: KeyDigest;
}

/** A table whose keys are compared again and again, as batches do. */
class Compare {
  #digest: KeyDigest | undefined;
  #batch = 0;

  constructor(
    readonly connection: Connection,
    readonly table: LiveTable,
    readonly zone: Zone,
  ) {}

  /** Changes the table, and compares its keys with those before. */
  async after(...statements: string[]): Promise<Compared> {
    const { connection: { client }, table, zone } = this;
    await execute(client, ...statements);
    const scan = await scanTable(client, { table, unshippedSql: "true" });
    const keysFile = `t/${++this.#batch}-keys.txt`;
    const namesOf = (digest: KeyDigest | undefined) =>
      digest?.files.map((file) => file.key) ?? [];
    const before = new Set(namesOf(this.#digest));
    const { digest, lines, deletedSql } = await compareKeys(client, {
      table,
      scan,
      previous: this.#digest,
      zone,
      keysFile,
    });
    const names = namesOf(digest);
    assert.equal(names.includes(keysFile), lines.length > 0);
    assert(names.every((name) => name === keysFile || before.has(name)));
    if (lines.length > 0) await zone.create(keysFile, keysContent(lines));
    await checkFiles(zone, digest.files);
    this.#digest = digest;
    const deleted = deletedSql === undefined
      ? []
      : await query(client, deletedSql);
    return {
      deleted: deleted.map((row) => Object.values(row).join("|")),
      moved: digest.buckets.filter(([, , , file]) => names[file] === keysFile)
        .map(([id]) => id),
      digest,
    };
  }
}

/** Runs a test on an empty table of a contract. */
async function comparing(
  contract: string,
  test: (compare: Compare) => Promise<void>,
): Promise<void> {
  await using database = await openTestDatabase();
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  await execute(connection.client, contract);
  const [table] = await readLiveTables(connection.client, {
    tables: parseContract(contract),
    schema: "public",
  });
  assert(table !== undefined);
  await inFolder((folder) =>
    test(
      new Compare(connection, table, openZone(folder, { s3: undefined })),
    )
  );
}

const insertIds = (from: number, to: number, step = 1) =>
  `insert into t select n from generate_series(${from}, ${to}, ${step}) as n`;

Deno.test("compareKeys() finds integer keys that are gone, dense or with gaps", () =>
  comparing(INTEGER, async (compare) => {
    const first = await compare.after(
      insertIds(1, 100),
      insertIds(200, 300, 7),
    );
    assert.deepEqual(first.deleted, []);
    assert.deepEqual(first.moved, ["0"]);

    const found = await compare.after(
      "delete from t where id in (1, 50, 51, 100, 207, 298)",
    );
    assert.deepEqual(found.deleted, ["1", "50", "51", "100", "207", "298"]);

    const none = await compare.after("update t set note = 'x' where id = 2");
    assert.deepEqual(none.deleted, []);
    assert.deepEqual(none.moved, []);
  }));

Deno.test("compareKeys() tells deletes from inserts and from keys that came back", () =>
  comparing(INTEGER, async (compare) => {
    await compare.after(insertIds(1, 10));

    const moved = await compare.after("update t set id = 11 where id = 5");
    assert.deepEqual(moved.deleted, ["5"]);

    const back = await compare.after("insert into t values (5)");
    assert.deepEqual(back.deleted, []);
    assert.deepEqual(back.moved, ["0"]);

    const again = await compare.after("delete from t where id = 5");
    assert.deepEqual(again.deleted, ["5"]);
  }));

Deno.test("compareKeys() divides integer keys at multiples of 16384, also below 0", () =>
  comparing(INTEGER, async (compare) => {
    const edges = [-32769, -32768, -16385, -16384, -1, 0, 16383, 16384, 32767];
    const first = await compare.after(
      ...edges.map((id) => `insert into t values (${id})`),
    );
    assert.deepEqual(
      first.digest.buckets.map(([id, rows]) => [id, rows]),
      [["-3", 1], ["-2", 2], ["-1", 2], ["0", 2], ["1", 2]],
    );

    const last = await compare.after("delete from t where id = 16383");
    assert.deepEqual([last.deleted, last.moved], [["16383"], ["0"]]);
    const next = await compare.after("delete from t where id = 16384");
    assert.deepEqual([next.deleted, next.moved], [["16384"], ["1"]]);
    const below = await compare.after(
      "delete from t where id in (-1, -16384, -16385)",
    );
    assert.deepEqual(below.deleted, ["-16385", "-16384", "-1"]);
    assert.deepEqual(below.moved, ["-2"]);
    assert.deepEqual(
      below.digest.buckets.map(([id, rows]) => [id, rows]),
      [["-3", 1], ["-2", 1], ["0", 1], ["1", 1]],
    );
  }));

Deno.test("compareKeys() finds the keys of the type's ends", () =>
  comparing(INTEGER, async (compare) => {
    await compare.after(
      "insert into t values (-9223372036854775808), (0), (9223372036854775806)",
    );

    const found = await compare.after("delete from t where id <> 0");

    assert.deepEqual(found.deleted, [
      "-9223372036854775808",
      "9223372036854775806",
    ]);
  }));

Deno.test("compareKeys() reads the keys of the buckets that differ only", () =>
  comparing(INTEGER, async (compare) => {
    const first = await compare.after(insertIds(0, 65_535));
    assert.deepEqual(first.moved, ["0", "1", "2", "3"]);

    const second = await compare.after("delete from t where id = 20000");
    assert.deepEqual(second.moved, ["1"]);
    assert.deepEqual(second.digest.files.map(({ key, rows }) => [key, rows]), [
      ["t/1-keys.txt", 4],
      ["t/2-keys.txt", 1],
    ]);

    const third = await compare.after(
      "delete from t where id in (40000, 60000)",
    );
    assert.deepEqual(third.deleted, ["40000", "60000"]);
    const fourth = await compare.after(
      "delete from t where id in (5, 20001, 40001)",
    );
    assert.deepEqual(fourth.deleted, ["5", "20001", "40001"]);
    // What no bucket's keys are in any more is not named any more.
    assert.deepEqual(fourth.digest.files.map(({ key, rows }) => [key, rows]), [
      ["t/3-keys.txt", 2],
      ["t/4-keys.txt", 3],
    ]);
  }));

Deno.test("compareKeys() finds every key of a table that was emptied", () =>
  comparing(INTEGER, async (compare) => {
    await compare.after(insertIds(16_380, 16_390));

    const emptied = await compare.after("truncate t");
    assert.equal(emptied.deleted.length, 11);
    assert.deepEqual(emptied.digest.files, []);
    assert.deepEqual(emptied.digest.buckets, []);

    const still = await compare.after();
    assert.deepEqual(still.deleted, []);
    const filled = await compare.after(insertIds(16_380, 16_390));
    assert.deepEqual([filled.deleted, filled.moved], [[], ["0", "1"]]);
  }));

Deno.test("compareKeys() finds text keys that are gone, whatever they hold", () =>
  comparing(TEXT, async (compare) => {
    const odd = [
      "plain",
      "it's",
      'say "hi"',
      "two\nlines",
      "back\\slash",
      "[1,2]",
      "{}",
      "",
      "NULL",
      "ключ 🔑",
      "a,b",
    ];
    const { client } = compare.connection;
    for (const code of odd) {
      await client.query("insert into t values ($1)", [code]);
    }
    await compare.after(
      "insert into t select 'k' || n from generate_series(1, 3000) as n",
    );

    const none = await compare.after("update t set note = 'y'");
    assert.deepEqual([none.deleted, none.moved], [[], []]);
    const found = await compare.after("delete from t where code !~ '^k[0-9]'");
    assert.deepEqual(found.deleted.sort(), [...odd].sort());
    const one = await compare.after("delete from t where code = 'k77'");
    assert.deepEqual(one.deleted, ["k77"]);
    assert.equal(one.moved.length, 1);
  }));

Deno.test("compareKeys() keeps the columns of a composite key apart", () =>
  comparing(COMPOSITE, async (compare) => {
    await compare.after(
      `insert into t values ('a', '2024-02-29', 1.10), ('a', '2024-02-29', 1),
        ('a', '2024-03-01', 1.10), ('a,', '2024-02-29', 99999999.99),
        ('"a"', '2024-02-29', -0.01)`,
    );

    const first = await compare.after(
      "delete from t where code = 'a' and amount = 1.10 and day < '2024-03-01'",
    );
    assert.deepEqual(first.deleted, ["a|2024-02-29|1.10"]);

    const rest = await compare.after("delete from t where code <> 'a'");
    assert.deepEqual(rest.deleted.sort(), [
      '"a"|2024-02-29|-0.01',
      "a,|2024-02-29|99999999.99",
    ]);
  }));

Deno.test("compareKeys() refuses a key that is another one by now", () =>
  comparing(INTEGER, async (compare) => {
    const { digest } = await compare.after(insertIds(1, 10));
    assert.equal(digest.key, "id bigint");
    const { connection: { client }, table, zone } = compare;
    const { contract } = table;
    const scan = await scanTable(client, { table, unshippedSql: "true" });
    const columns = contract.columns.map((column) => ({
      ...column,
      type: { name: "integer" as const },
    }));

    for (
      const [other, key] of [
        [{ ...contract, key: ["id", "note"] }, "id bigint, note text"],
        [{ ...contract, columns }, "id integer"],
      ] as const
    ) {
      await assert.rejects(
        compareKeys(client, {
          table: { ...table, contract: other },
          scan,
          previous: digest,
          zone,
          keysFile: "t/9-keys.txt",
        }),
        (error) => {
          assert(error instanceof StageError);
          assert.equal(
            error.message,
            `Cannot compare the keys of "t": its key is now ${key}, it was id bigint`,
          );
          assert.equal(error.subject, "t");
          assert.match(error.hint ?? "", /key can't change within a lake/);
          return true;
        },
      );
    }
  }));

for (
  const [how, edit] of [
    ["emptied", () => ""],
    ["cut short", (text: string) => text.slice(0, 5)],
    ["edited", (text: string) => text.replace("[1,10)", "[1,13)")],
    ["exchanged", (text: string) => text.split("\n").reverse().join("\n")],
  ] as const
) {
  Deno.test(`compareKeys() refuses a keys file that was ${how}`, () =>
    comparing(INTEGER, async (compare) => {
      const { zone } = compare;
      await compare.after(
        insertIds(1, 9),
        "insert into t values (12), (20000)",
      );
      const path = zone.locate("t/1-keys.txt");
      const whole = await Deno.readTextFile(path);
      assert.notEqual(edit(whole), whole);
      await Deno.writeTextFile(path, edit(whole));

      await assert.rejects(
        compare.after("delete from t where id = 9"),
        (error) => {
          assert(error instanceof StageError);
          assert.match(
            error.message,
            /^Cannot read .*t\/1-keys.txt: its keys of bucket 0 do not match/,
          );
          assert.equal(error.subject, path);
          assert.match(error.hint ?? "", /bucket's versions/);
          return true;
        },
      );
      await Deno.writeTextFile(path, whole);
      const { deleted } = await compare.after("select 1");
      assert.deepEqual(deleted, ["9"]);
    }));
}

Deno.test("scanTable() counts rows and those to ship, by buckets", () =>
  comparing(INTEGER, async ({ connection: { client }, table }) => {
    await execute(client, insertIds(10, 19), insertIds(16_384, 16_390, 2));

    const scan = await scanTable(client, {
      table,
      unshippedSql: "id % 10 in (4, 6)",
    });

    assert.equal(scan.rows, 14);
    assert.equal(scan.unshipped, 4);
    assert.deepEqual(
      scan.buckets.map(({ id, rows, run }) => ({ id, rows, run })),
      [
        { id: "0", rows: 10, run: "{[10,19]}" },
        { id: "1", rows: 4, run: undefined },
      ],
    );
  }));

Deno.test("scanTable() hashes a set of keys, in whatever order it lies", () =>
  comparing(TEXT, async ({ connection: { client }, table }) => {
    const scan = async () =>
      (await scanTable(client, { table, unshippedSql: "true" })).buckets;
    await execute(
      client,
      "insert into t select n::text from generate_series(1, 500) as n",
    );
    const first = await scan();
    await execute(
      client,
      "truncate t",
      "insert into t select n::text from generate_series(500, 1, -1) as n",
    );
    assert.deepEqual(await scan(), first);

    await execute(client, "update t set code = '501' where code = '7'");
    assert.notDeepEqual(await scan(), first);
  }));
