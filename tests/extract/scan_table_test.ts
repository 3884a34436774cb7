import assert from "node:assert/strict";
import { scanTable } from "../../extract/scan_table.ts";
import type { KeyIndex } from "../../lib/batches/manifest.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { execute } from "../harness/platform.ts";
import { insertIds, INTEGER, TEXT, withTable } from "./one_table.ts";

Deno.test("scanTable() counts all rows and changed rows of each bucket", () =>
  withTable(INTEGER, async ({ client }, table) => {
    await execute(client, insertIds(10, 19), insertIds(16_384, 16_390, 2));

    const scan = await scanTable(client, {
      table,
      previous: undefined,
      unshippedSql: "id % 10 in (4, 6)",
    });

    assert.equal(scan.rows, 14);
    assert.equal(scan.unshipped, 4);
    assert.deepEqual(
      scan.buckets.map(({ id, rows, run }) => [id, rows, run]),
      [["0", 10, "{[10,19]}"], ["1", 4, undefined]],
    );
  }));

Deno.test("scanTable() finds the bucket of the newest changed row", () =>
  withTable(INTEGER, async ({ client }, table) => {
    await execute(
      client,
      insertIds(16_384, 16_390),
      insertIds(1, 9),
      insertIds(20_000, 20_001),
      insertIds(40_000, 40_001),
    );
    const newest = async (unshippedSql: string) => {
      const options = { table, previous: undefined, unshippedSql };
      const { newestSql } = await scanTable(client, options);
      const rows = await query(
        client,
        `select id::text as id from ${table.from}
        where ${newestSql} order by id`,
      );
      return rows.map(({ id }) => id);
    };

    assert.deepEqual(await newest("true"), ["40000", "40001"]);
    assert.deepEqual((await newest("id < 30000")).slice(-2), [
      "20000",
      "20001",
    ]);
    assert.equal((await newest("id < 20000")).length, 9);
    // Of several with a row of one transaction, the first in the keys' order.
    await execute(client, "update t set note = 'x' where id in (9, 40000)");
    assert.equal((await newest("true")).length, 9);
  }));

Deno.test("scanTable() names the buckets of the changed rows, if they are few", () =>
  withTable(INTEGER, async ({ client }, table) => {
    await execute(client, insertIds(1, 200_000, 1000));
    const places = async (unshippedSql: string) => {
      const { unshippedIn } = await scanTable(client, {
        table,
        previous: undefined,
        unshippedSql,
      });
      const rows = await query(
        client,
        `select id::text as id from ${table.from}
        where ${unshippedIn} and ${unshippedSql} order by id`,
      );
      return { isAll: unshippedIn === "true", ids: rows.map(({ id }) => id) };
    };

    assert.deepEqual(await places("id in (1, 2001, 150001)"), {
      isAll: false,
      ids: ["1", "150001", "2001"],
    });
    assert.equal((await places("id % 7000 = 1")).isAll, true);
    assert.deepEqual(await places("false"), { isAll: true, ids: [] });
  }));

Deno.test("scanTable() hashes keys independently of their order", () =>
  withTable(TEXT, async ({ client }, table) => {
    const scan = async () =>
      (await scanTable(client, {
        table,
        previous: undefined,
        unshippedSql: "true",
      })).buckets;
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

for (
  const [contract, fill] of [
    [INTEGER, insertIds(1, 5000, 3)],
    [INTEGER, insertIds(-70_000, 70_000, 7001)],
    [INTEGER, insertIds(9_990, 10_020, 2)],
    [TEXT, "insert into t select 'k''\"' || n from generate_series(1, 3000) n"],
  ] as const
) {
  Deno.test(`scanTable() limits the bytes of a bucket's keys: ${fill}`, () =>
    withTable(contract, async ({ client }, table) => {
      await execute(client, fill);

      const { buckets, keySql } = await scanTable(client, {
        table,
        previous: undefined,
        unshippedSql: "true",
      });

      const lists = await query(
        client,
        `select id, octet_length(list)::text as bytes
        from (${keySql.lists}) as lists`,
        [buckets.map(({ id }) => id)],
      );
      assert.deepEqual(
        lists.map(({ id }) => id),
        buckets.map(({ id }) => id),
      );
      for (const [index, { bytes }] of buckets.entries()) {
        const found = Number(lists[index]?.bytes);
        assert(found <= bytes && found * 2 + 40 > bytes, `${found} ${bytes}`);
      }
    }));
}

Deno.test("scanTable() puts sparse integers into buckets by hash", () =>
  withTable(INTEGER, async ({ client }, table) => {
    const scan = (previous?: KeyIndex) =>
      scanTable(client, { table, previous, unshippedSql: "true" });
    const empty = await scan();
    assert.equal(empty.keySql.signature, "id bigint");
    await execute(
      client,
      "insert into t select n * 1000003 from generate_series(1, 1025) as n",
    );

    const sparse = await scan({ key: "id bigint", files: [], buckets: [] });
    assert.equal(sparse.keySql.signature, "id bigint by hash");
    assert(sparse.buckets.length < 1024);
    assert.equal(sparse.rows, 1025);

    const digest = (key: string): KeyIndex => ({
      key,
      files: [],
      buckets: [["0", 1, "", 0, 0, 1, ""]],
    });
    const known = await scan(digest("id bigint"));
    assert.equal(known.keySql.signature, "id bigint");
    assert.equal(known.buckets.length, 1025);
    await execute(client, "truncate t", insertIds(1, 10));
    const still = await scan(digest("id bigint by hash"));
    assert.equal(still.keySql.signature, "id bigint by hash");
    const dense = await scan();
    assert.equal(dense.keySql.signature, "id bigint");
  }));
