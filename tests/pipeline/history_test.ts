import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { shipped } from "../harness/manifests.ts";
import { History, zoneKeys } from "../harness/readers/oracle.ts";
import { execute, openPlatform, ZONE_KINDS } from "../harness/platform.ts";
import { openClient } from "../harness/servers/postgres.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

for (const zones of ZONE_KINDS) {
  Deno.test(`the pipeline keeps the history of every row, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const { client } = platform.source;
    const history = new History(platform);
    await fillSmall(client);
    await history.step();

    await execute(
      client,
      "update sales_order set units_sold = 7 where sales_order_id = 1",
      "delete from payment where payment_id = 5",
      insertOrder(4),
    );
    const changed = await history.step();
    assert.deepEqual(await shipped(platform, changed), {
      payment: [0, 1],
      sales_order: [2, 0],
    });

    await execute(
      client,
      `insert into payment values (5, '2023-01-01', '2023-01-01', 5, 1, 5.55, 1,
        1, true, '2023-01-02', 1, 2)`,
      "update department set location = 'Hull' where department_id = 1",
      "update address set phone = 'none' where address_id = 1",
      "delete from design where design_id = 3",
      "delete from staff where staff_id = 4",
    );
    const again = await history.step();
    assert.deepEqual(await shipped(platform, again), {
      address: [1, 0],
      department: [1, 0],
      design: [0, 1],
      payment: [1, 0],
      staff: [0, 1],
    });

    const files = await zoneKeys(platform, "processedUrl");
    const empty = await history.step();
    assert.deepEqual(await shipped(platform, empty), {});
    const added = (await zoneKeys(platform, "processedUrl"))
      .filter((key) => !files.includes(key));
    assert.deepEqual(added, ["_batches/000000004.json"]);

    await execute(
      client,
      "insert into staff values (4, 'New', 'One', 2, 'n@example.com', now(), now())",
      "truncate payment",
      "vacuum full sales_order",
    );
    platform.set({ deleteShareMax: 1 });
    const rewritten = await history.step();
    assert.deepEqual((await shipped(platform, rewritten)).sales_order, [4, 0]);
    assert.deepEqual(
      await query(
        platform.warehouse.client,
        `select sales_order_id from fact_sales_order
        where from_batch = ${rewritten}`,
      ),
      [],
    );
    await history.compareAll();
  });

  Deno.test(`the pipeline loses no row that commits late, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const { client } = platform.source;
    const history = new History(platform);
    await fillSmall(client);
    await history.step();
    const late = await openClient(platform.source.url);
    const nested = await openClient(platform.source.url);
    const early = await openClient(platform.source.url);

    // An id is given early, and writes a row much later.
    await early.query("begin");
    await early.query("select pg_current_xact_id()");
    await late.query("begin");
    await late.query(insertOrder(100));
    await nested.query("begin");
    await nested.query(insertOrder(200));
    await nested.query("savepoint one");
    await nested.query(insertOrder(201));
    await nested.query("release savepoint one");
    await nested.query("savepoint two");
    await nested.query(insertOrder(202));
    await nested.query("rollback to savepoint two");
    const sent: Record<string, [number, number]>[] = [];
    for (const id of [10, 11, 12]) {
      await client.query(insertOrder(id));
      sent.push(await shipped(platform, await history.step()));
    }
    // The watermark stands still for three batches, and nothing is sent twice.
    assert.deepEqual(sent, Array(3).fill({ sales_order: [1, 0] }));

    await late.query("commit");
    assert.deepEqual(await shipped(platform, await history.step()), {
      sales_order: [1, 0],
    });
    await nested.query("commit");
    await early.query(
      "update sales_order set units_sold = 99 where sales_order_id = 10",
    );
    assert.deepEqual(await shipped(platform, await history.step()), {
      sales_order: [2, 0],
    });
    await early.query("commit");
    assert.deepEqual(await shipped(platform, await history.step()), {
      sales_order: [1, 0],
    });
    assert.deepEqual(await shipped(platform, await history.step()), {});
    await Promise.all([late.end(), nested.end(), early.end()]);
    await history.compareAll();
  });

  Deno.test(`the pipeline keeps every text, amount and time, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const { client } = platform.source;
    const history = new History(platform);
    await fillSmall(client);
    await history.step();
    const texts = [
      'quo"te',
      "new\nline",
      "carriage\r\nreturn",
      "com,ma",
      "NULL",
      "\\N",
      "\\.",
      "back\\slash",
      "",
      " ",
      "Ünïcödé 漢字 🧵",
      "'); drop table payment; --",
      "=1+1",
      "t",
      "x".repeat(100_000),
    ];
    for (const [index, text] of texts.entries()) {
      await client.query(
        `insert into design values ($1, '2022-11-03 14:20:49.962123', $2, $2,
          $2, '2022-11-03 14:20:49.000001')`,
        [100 + index, text],
      );
      await client.query(
        `insert into address values ($1, $2, $2, nullif($2, ''), $2, $2, $2,
          $2, now(), now())`,
        [100 + index, text],
      );
    }
    await execute(
      client,
      `insert into sales_order values
        (50, '0001-01-01 00:00:00', '9999-12-31 23:59:59.999999', 1, 1, 1,
          2147483647, 99999999.99, 1, '0001-01-01', '9999-12-31', 1),
        (51, '2022-11-03 14:20:52.123456', '2022-11-03 14:20:52.1', 1, 1, 1,
          -2147483648, -0.01, 1, '2024-02-29', '1900-03-01', 1)`,
      `insert into payment values (60, '2022-11-03 00:00:00.000001',
        '2022-11-03 23:59:59.999999', 1, 1, 9999999999999.99, 1, 1, true,
        '2000-02-29', 1, 2)`,
    );
    await history.step();
    await execute(client, "update design set design_name = design_name || '!'");
    await history.step();
    await history.compareAll();
  });
}

Deno.test("extract() reads a whole table that was renamed to replace another", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  const history = new History(platform);
  await fillSmall(client);
  await execute(
    client,
    "create table spare (like sales_order including all)",
    "insert into spare select * from sales_order where sales_order_id <> 2",
    insertOrder(9).replace("sales_order values", "spare values"),
  );
  await history.step();

  await execute(
    client,
    "alter table sales_order rename to retired",
    "alter table spare rename to sales_order",
  );
  await history.step();

  assert.equal(
    platform.logged.filter((line) => line.includes('"sales_order" is read'))
      .length,
    1,
  );
  await history.compareAll();
});

Deno.test("a prepared transaction is found once it commits", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  const history = new History(platform);
  await fillSmall(client);
  await history.step();
  const name = `prepared_${crypto.randomUUID()}`;
  await execute(client, "begin", insertOrder(70));
  await client.query(`prepare transaction '${name}'`);
  await client.query(insertOrder(71));
  const before = await history.step();
  await client.query(`commit prepared '${name}'`);
  const after = await history.step();

  assert.deepEqual(await shipped(platform, before), { sales_order: [1, 0] });
  assert.deepEqual(await shipped(platform, after), { sales_order: [1, 0] });
  await history.compareAll();
});
