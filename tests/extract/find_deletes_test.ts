import assert from "node:assert/strict";
import { findDeletes } from "../../extract/find_deletes.ts";
import { integerKeySql } from "../../extract/key_index_sql.ts";
import type { LiveTable } from "../../extract/live_table.ts";
import { scanTable } from "../../extract/scan_table.ts";
import type { DataFile, KeyIndex } from "../../lib/batches/manifest.ts";
import { SILENT } from "../../lib/cli/progress.ts";
import { checkFiles } from "../../lib/batches/check_files.ts";
import { StageError } from "../../lib/errors.ts";
import { copyIn } from "../../lib/postgres/copy.ts";
import { type Connection, query } from "../../lib/postgres/postgres.ts";
import { openZone, type Zone } from "../../lib/zone/zone.ts";
import { inFolder } from "../harness/in_folder.ts";
import { execute } from "../harness/platform.ts";
import { insertIds, INTEGER, TEXT, withTable } from "./one_table.ts";

const COMPOSITE = `create table t (
    code text not null,
    day date not null,
    amount numeric(10,2) not null,
    primary key (code, day, amount)
);`;

/** What a comparison of keys found. */
interface Compared {
  deleted: string[];
  /** Files of deletes: one for each group of buckets that has some. */
  groups: number;
  /** The buckets whose keys were read again. */
  moved: string[];
  keyIndex: KeyIndex;
}

/** A table whose keys are compared again and again, as batches do. */
class Compare {
  #keyIndex: KeyIndex | undefined;
  #batch = 0;
  groupBytesMax: number | undefined;

  constructor(
    readonly connection: Connection,
    readonly table: LiveTable,
    readonly zone: Zone,
  ) {}

  /** Changes the table, and compares its keys with those before. */
  async after(...statements: string[]): Promise<Compared> {
    const { connection: { client }, table, zone } = this;
    const previous = this.#keyIndex;
    await client.query("commit");
    await execute(client, ...statements, "begin");
    const run = ++this.#batch;
    const key = (part: string) => `t/${run}-${part}`;
    const { keyIndex, deletes } = await findDeletes(client, {
      table,
      scan: await scanTable(client, { table, previous, unshippedSql: "true" }),
      previous,
      zone,
      key,
      progress: SILENT,
      signal: new AbortController().signal,
      ...(this.groupBytesMax === undefined
        ? {}
        : { groupBytesMax: this.groupBytesMax }),
    });
    const names = keyIndex.files.map((file) => file.key);
    const earlier = new Set(previous?.files.map((file) => file.key));
    assert(
      names.every((name) => name === key("keys.txt") || earlier.has(name)),
    );
    await checkFiles(zone, [...keyIndex.files, ...deletes]);
    this.#keyIndex = keyIndex;
    const deleted: string[] = [];
    for (const file of deletes) deleted.push(...await this.#read(file));
    return {
      deleted,
      groups: deletes.length,
      moved: keyIndex.buckets.filter(([, , , file]) =>
        names[file] === key("keys.txt")
      ).map(([id]) => id),
      keyIndex,
    };
  }

  /** The keys in a file of deletes, their columns divided by `|`. */
  async #read(file: DataFile): Promise<string[]> {
    const { connection: { client }, table, zone } = this;
    const columns = table.contract.key;
    await client.query(
      `create temp table gone (${
        columns.map((name) => `${name} text`).join(", ")
      }) on commit drop`,
    );
    const stored = await zone.read(file.key);
    assert(stored !== undefined);
    await copyIn(client, "copy gone from stdin csv header", once(stored.bytes));
    const rows = await query(
      client,
      `select concat_ws('|', ${columns.join(", ")}) as key from gone`,
    );
    assert.equal(rows.length, file.rows);
    await client.query("drop table gone");
    return rows.map((row) => row.key ?? "");
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

/** Runs a test on an empty table of a contract. */
const comparing = (
  contract: string,
  test: (compare: Compare) => Promise<void>,
) =>
  withTable(contract, (connection, table) =>
    inFolder((folder) =>
      test(
        new Compare(connection, table, openZone(folder, { s3: undefined })),
      )
    ));

Deno.test("findDeletes() finds deleted integer keys, dense or with gaps", () =>
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

Deno.test("findDeletes() tells deleted keys from inserted and reinserted ones", () =>
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

Deno.test("findDeletes() divides integer keys at multiples of 16384, also below 0", () =>
  comparing(INTEGER, async (compare) => {
    const edges = [-32769, -32768, -16385, -16384, -1, 0, 16383, 16384, 32767];
    const first = await compare.after(
      ...edges.map((id) => `insert into t values (${id})`),
    );
    assert.deepEqual(
      first.keyIndex.buckets.map(([id, rows]) => [id, rows]),
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
      below.keyIndex.buckets.map(([id, rows]) => [id, rows]),
      [["-3", 1], ["-2", 1], ["0", 1], ["1", 1]],
    );
  }));

for (
  const [type, bits] of [["bigint", 64n], ["integer", 32n], [
    "smallint",
    16n,
  ]] as const
) {
  Deno.test(`findDeletes() finds the smallest and largest keys of ${type}`, () =>
    comparing(INTEGER.replace("bigint", type), async (compare) => {
      const last = 2n ** (bits - 1n) - 1n;
      const first = -last - 1n;
      await compare.after(
        `insert into t values (${first}), (${first + 1n}), (${first + 2n}), (0),
          (${last - 2n}), (${last - 1n}), (${last})`,
      );
      const gaps = await compare.after(
        `delete from t where id in (${first + 1n}, ${last - 1n})`,
      );
      assert.deepEqual(gaps.deleted, [`${first + 1n}`, `${last - 1n}`]);

      const found = await compare.after("delete from t where id <> 0");

      assert.deepEqual(
        found.deleted,
        [first, first + 2n, last - 2n, last].map(String),
      );
      const back = await compare.after(`insert into t values (${last})`);
      assert.deepEqual(back.deleted, []);
    }));
}

Deno.test("missingKeysSql() finds keys whether ranges include their ends or not", () =>
  withTable(INTEGER, async ({ client }, table) => {
    const { missing } = integerKeySql(table, "id");
    for (
      const [before, now, keys] of [
        ["[1,5]", "[1,3)", "3,4,5"],
        ["[1,6)", "[1,3]", "4,5"],
        ["[1,5]", "[1,6)", ""],
        ["[1,6)", "[1,5]", ""],
        ["[1,2),[4,6)", "[1,1],[5,5]", "4"],
        ["[9223372036854775800,9223372036854775807]", "", null],
      ] as const
    ) {
      const rows = await query(
        client,
        missing({ before: `'${before}'`, now: `'${now}'` }),
      );
      const found = rows.map(({ id }) => id).join();
      if (keys === null) assert.match(found, /^(9223372036854775\d{3},?){8}$/);
      else assert.equal(found, keys);
    }
  }));

Deno.test("findDeletes() reads the keys of only the buckets that differ", () =>
  comparing(INTEGER, async (compare) => {
    const first = await compare.after(insertIds(0, 65_535));
    assert.deepEqual(first.moved, ["0", "1", "2", "3"]);

    const second = await compare.after("delete from t where id = 20000");
    assert.deepEqual(second.moved, ["1"]);
    assert.deepEqual(
      second.keyIndex.files.map(({ key, rows }) => [key, rows]),
      [
        ["t/1-keys.txt", 4],
        ["t/2-keys.txt", 1],
      ],
    );

    const third = await compare.after(
      "delete from t where id in (40000, 60000)",
    );
    assert.deepEqual(third.deleted, ["40000", "60000"]);
    const fourth = await compare.after(
      "delete from t where id in (5, 20001, 40001)",
    );
    assert.deepEqual(fourth.deleted, ["5", "20001", "40001"]);
    // What no bucket's keys are in any more is not named any more.
    assert.deepEqual(
      fourth.keyIndex.files.map(({ key, rows }) => [key, rows]),
      [
        ["t/3-keys.txt", 2],
        ["t/4-keys.txt", 3],
      ],
    );
  }));

Deno.test("findDeletes() finds every key of a table that was emptied", () =>
  comparing(INTEGER, async (compare) => {
    await compare.after(insertIds(16_380, 16_390));

    const emptied = await compare.after("truncate t");
    assert.equal(emptied.deleted.length, 11);
    assert.deepEqual(emptied.keyIndex.files, []);
    assert.deepEqual(emptied.keyIndex.buckets, []);

    const still = await compare.after();
    assert.deepEqual(still.deleted, []);
    const filled = await compare.after(insertIds(16_380, 16_390));
    assert.deepEqual([filled.deleted, filled.moved], [[], ["0", "1"]]);
  }));

Deno.test("findDeletes() finds deleted text keys, whatever characters they hold", () =>
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

Deno.test("findDeletes() keeps the columns of a composite key apart", () =>
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

Deno.test("findDeletes() starts over when the key is declared differently", () =>
  comparing(INTEGER, async (compare) => {
    const { keyIndex } = await compare.after(insertIds(1, 10));
    assert.equal(keyIndex.key, "id bigint");
    const { connection: { client }, table, zone } = compare;
    const { contract } = table;
    const columns = contract.columns.map((column) => ({
      ...column,
      type: { name: "integer" as const },
    }));
    const other = { ...table, contract: { ...contract, columns } };

    const change = await findDeletes(client, {
      table: other,
      scan: await scanTable(client, {
        table: other,
        previous: keyIndex,
        unshippedSql: "true",
      }),
      previous: keyIndex,
      zone,
      key: (part) => `t/9-${part}`,
      progress: SILENT,
      signal: new AbortController().signal,
    });

    assert.equal(change.keyIndex.key, "id integer");
    assert.deepEqual(change.deletes, []);
    const keys = (buckets: KeyIndex["buckets"]) =>
      buckets.map(([id, rows, hash]) => [id, rows, hash]);
    assert.deepEqual(keys(change.keyIndex.buckets), keys(keyIndex.buckets));
    assert.deepEqual(
      change.keyIndex.files.map((file) => file.key),
      ["t/9-keys.txt"],
    );
  }));

for (
  const [kind, contract, key] of [
    ["integer", INTEGER, "n * 15"],
    ["sparse integer", INTEGER, "n * 1000003::bigint"],
    ["text", TEXT, "'k' || n"],
  ] as const
) {
  Deno.test(`findDeletes() finds the same keys with buckets read in groups of any size: ${kind} keys`, () =>
    comparing(contract, async (compare) => {
      const insert = (from: number, to: number) =>
        `insert into t select ${key} from generate_series(${from}, ${to}) as n`;
      const gone = async (from: number, to: number) =>
        (await query(
          compare.connection.client,
          `select (${key})::text as key from generate_series(${from}, ${to}) as n`,
        )).map((row) => row.key).sort();
      const column = contract === TEXT ? "code" : "id";
      const remove = (from: number, to: number) =>
        `delete from t where ${column} in
          (select ${key} from generate_series(${from}, ${to}) as n)`;
      const first = await compare.after(insert(1, 4000));
      assert.equal(first.keyIndex.files[0]?.rows, first.moved.length);

      compare.groupBytesMax = 1000;
      const single = await compare.after(remove(1001, 1800), insert(0, 0));
      assert.deepEqual(single.deleted.sort(), await gone(1001, 1800));
      assert(single.groups > 1);
      compare.groupBytesMax = 10_000;
      const several = await compare.after(remove(1801, 2400));
      assert.deepEqual(several.deleted.sort(), await gone(1801, 2400));
      compare.groupBytesMax = undefined;
      const one = await compare.after(
        remove(2401, 3000),
        insert(1801, 1801),
      );
      assert.deepEqual(one.deleted.sort(), await gone(2401, 3000));
      assert.equal(one.groups, 1);
      const none = await compare.after(insert(4001, 4100));
      assert.deepEqual([none.deleted, none.groups], [[], 0]);
      assert(none.moved.length > 0);
    }));
}

Deno.test("findDeletes() leaves the connection ready for the next table", () =>
  comparing(INTEGER, async (compare) => {
    await compare.after(insertIds(1, 100, 2));
    const { client } = compare.connection;

    const open = await query(client, "select name from pg_cursors");

    assert.deepEqual(open, []);
  }));

for (
  const [how, edit] of [
    ["emptied", () => ""],
    ["cut short", (text: string) => text.slice(0, 5)],
    ["edited", (text: string) => text.replace("[1,10)", "[1,13)")],
    ["exchanged", (text: string) => text.split("\n").reverse().join("\n")],
  ] as const
) {
  Deno.test(`findDeletes() refuses a keys file that was ${how}`, () =>
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
