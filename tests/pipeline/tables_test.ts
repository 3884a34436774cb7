import assert from "node:assert/strict";
import { StageError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { ingestionManifest, shipped } from "../harness/manifests.ts";
import { History } from "../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  ZONE_KINDS,
} from "../harness/platform.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

/** Versions of facts and dimensions that a batch brought, by table. */
async function broughtBy(
  { warehouse }: Platform,
  batch: number,
): Promise<Record<string, string>> {
  const rows = await query(
    warehouse.client,
    `select 'fact_sales_order' as model, count(*) as versions
    from fact_sales_order where from_batch = $1
    union all select 'fact_payment', count(*) from fact_payment
    where from_batch = $1
    union all select 'dim_staff', count(*) from dim_staff_history
    where from_batch = $1
    union all select 'dim_design', count(*) from dim_design_history
    where from_batch = $1`,
    [batch],
  );
  return Object.fromEntries(
    rows.flatMap(({ model, versions }) =>
      versions === "0" ? [] : [[model ?? "", versions ?? ""]]
    ),
  );
}

for (const zones of ZONE_KINDS) {
  Deno.test(`a table that was replaced is read whole, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const { client } = platform.source;
    const history = new History(platform);
    await fillSmall(client);
    // It keeps ids from before the watermark: no id tells that its rows are new.
    await execute(
      client,
      "create table spare (like payment including all)",
      "insert into spare select * from payment where payment_id <> 2",
      "update spare set payment_amount = 7.77 where payment_id = 3",
      "insert into spare select 6, created_at, last_updated, transaction_id, counterparty_id, 0.01, currency_id, payment_type_id, paid, payment_date, 1, 2 from payment where payment_id = 1",
    );
    await history.step();

    await execute(
      client,
      "begin; alter table payment rename to retired; alter table spare rename to payment; commit",
    );
    const swapped = await history.step();
    assert.deepEqual(await shipped(platform, swapped), { payment: [5, 1] });
    assert.deepEqual(await broughtBy(platform, swapped), { fact_payment: "2" });
    assert.match(
      (await ingestionManifest(platform, swapped)).tables.payment?.fullRead ??
        "",
      /^it was rewritten, or it or a column/,
    );

    await execute(client, "vacuum full payment", "vacuum full staff");
    const rewritten = await history.step();
    assert.deepEqual(await shipped(platform, rewritten), {
      payment: [5, 0],
      staff: [4, 0],
    });
    assert.deepEqual(await broughtBy(platform, rewritten), {});

    await execute(
      client,
      "begin; create temporary table kept on commit drop as select * from payment; truncate payment; insert into payment select * from kept where payment_id <> 6; update payment set paid = true where payment_id = 1; commit",
    );
    const reloaded = await history.step();
    assert.deepEqual(await shipped(platform, reloaded), { payment: [4, 1] });
    assert.deepEqual(await broughtBy(platform, reloaded), {
      fact_payment: "1",
    });

    await execute(
      client,
      "alter table payment add column note text default 'new'",
      "update payment set paid = false where payment_id = 1",
    );
    await history.step();
    assert.equal(
      platform.logged.filter((line) =>
        line ===
          'warning: "payment" has columns that the contract leaves out: note text'
      ).length,
      1,
    );
    await history.compareAll();
  });

  Deno.test(`a truncated table stops the run without --allow-mass-delete, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const { client } = platform.source;
    const history = new History(platform);
    await fillSmall(client);
    await client.query(
      insertOrder(0).replace(
        /values .*/s,
        `select 10 + id, '2023-01-01', '2023-01-01', 1, 1, 1, id, 1.00, 1,
        '2023-01-02', '2023-01-03', 1 from generate_series(1, 20) as id`,
      ),
    );
    await history.step();
    await execute(client, "truncate sales_order");

    await assert.rejects(platform.extract(), (error) => {
      assert(error instanceof StageError);
      assert.equal(error.subject, "sales_order");
      assert.equal(error.dataCheck, true);
      assert.match(error.message, /23 of its 23 rows are gone/);
      return true;
    });
    await platform.transform();
    await platform.load();
    await history.compareNow();

    const batch = await history.extract({ allowMassDelete: true });
    await platform.transform();
    await platform.load();
    await history.compareNow();
    assert.deepEqual(await shipped(platform, batch), { sales_order: [0, 23] });
    await client.query(insertOrder(1));
    await history.step();
    await history.compareAll();
  });

  Deno.test(`a dimension's row remains after its delete in the source, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const { client } = platform.source;
    const history = new History(platform);
    await fillSmall(client);
    await execute(
      client,
      // An order that came before its design, and one of a design that goes.
      insertOrder(7),
      "update sales_order set design_id = 40 where sales_order_id = 7",
    );
    await history.step();
    assert.deepEqual(await designs(platform), [
      "1",
      "2",
      "3",
      "40 placeholder",
    ]);

    await execute(
      client,
      "update sales_order set design_id = 1 where sales_order_id = 3",
      "delete from design where design_id = 3",
      `insert into design values (40, now(), 'Late', '/lib', 'l.json', now())`,
    );
    const deleted = await history.step();
    assert.deepEqual(await designs(platform), ["1", "2", "3 gone", "40"]);
    assert.deepEqual(
      await query(
        platform.warehouse.client,
        `select design_name from fact_sales_order
        inner join dim_design using (design_id)
        where sales_order_id = 3 and fact_sales_order.to_batch = ${deleted}`,
      ),
      [{ design_name: "Wooden" }],
    );

    await execute(
      client,
      "insert into design values (3, now(), 'Again', '/lib', 'a.json', now())",
      "delete from design where design_id = 40",
    );
    await history.step();
    await execute(client, "delete from design where design_id = 3");
    await history.step();
    assert.deepEqual(await designs(platform), ["1", "2", "3 gone", "40 gone"]);
    await history.compareAll();
  });
}

/** The designs in the warehouse's own table. */
async function designs({ warehouse }: Platform): Promise<string[]> {
  const rows = await query(
    warehouse.client,
    `select concat_ws(
      ' ',
      design_id,
      case when is_placeholder then 'placeholder' end,
      case when to_batch is not null then 'gone' end
    ) as design from dim_design order by design_id`,
  );
  return rows.map((row) => row.design ?? "");
}
