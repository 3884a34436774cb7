import assert from "node:assert/strict";
import { readDashboard } from "../../../lib/project/dashboard.ts";
import { Figures } from "../../../visualise/figures/figures.ts";
import { Warehouse } from "../../../visualise/warehouse.ts";
import { loaded } from "../../harness/browser/dashboard.ts";
import { execute, PROJECT_SQL } from "../../harness/platform.ts";
import { insertOrder } from "../../harness/companies/small_source.ts";

const DAY = "2023-06-01";
const ALL = { from: null, to: null };
const { subjects } = readDashboard(PROJECT_SQL);

/** A dashboard of orders alone, by this file. */
function ordersOf(text: string) {
  return readDashboard({
    ...PROJECT_SQL,
    dashboardSettings: undefined,
    dashboard: [{ name: "orders", text }],
  }).subjects;
}

/** Remembers from which batch's totals each figure was made. */
class Watched extends Warehouse {
  readonly bases: unknown[] = [];
  readonly ofPayments: unknown[] = [];

  override ask(...given: Parameters<Warehouse["ask"]>) {
    const [query, values] = given;
    const name = typeof query === "string" ? query : query.name;
    if (name === "sales") this.bases.push(values?.[5]);
    if (name === "payments") this.ofPayments.push(values?.[5]);
    return super.ask(...given);
  }
}

Deno.test("Figures makes the figures of any batch from those of any other", async () => {
  await using platform = await loaded();
  const batches = [
    [
      insertOrder(50),
      "update sales_order set units_sold = 777 where sales_order_id = 1",
      "update payment set paid = true where payment_id = 2",
    ],
    [
      "delete from sales_order where sales_order_id = 2",
      "update sales_order set currency_id = 2 where sales_order_id = 50",
      "update counterparty set counterparty_legal_name = 'Company 2' where counterparty_id = 1",
      "delete from payment where payment_id = 5",
    ],
    [
      insertOrder(51, 7).replace("1.00, 1,", "1.00, 77,"),
      "update staff set department_id = 3",
      "update design set design_name = 'Renamed' where design_id = 1",
      "update sales_order set design_id = 77 where sales_order_id = 3",
      "update purchase_order set item_quantity = 1 where purchase_order_id = 1",
    ],
    // A design that came after its order, and one that went before it.
    [
      `insert into design select 77, created_at, 'Late', file_location,
        file_name, last_updated from design where design_id = 1`,
      "delete from design where design_id = 1",
      "update payment set payment_date = '2024-01-01' where payment_id = 1",
    ],
    ["delete from purchase_order", "delete from sales_order"],
    [insertOrder(2), insertOrder(52, 3)],
  ];
  for (const changes of batches) {
    platform.set({ deleteShareMax: 1 });
    await execute(platform.source.client, ...changes);
    await platform.run();
  }
  const { settings } = platform.warehouse;
  const { connect } = platform.context.resources;
  await using warehouse = new Watched(settings, connect);
  for (
    const filters of [
      ALL,
      { ...ALL, from: "2022-12-01" },
      { ...ALL, to: "2022-12-01" },
      { ...ALL, names: { counterparty: ["Company 2"] } },
    ]
  ) {
    const figures = new Figures(warehouse);
    // Forth, back, far, near, and the same again.
    for (const batch of [1, 2, 7, 5, 1, 4, 5, 3, 3, 6, 1]) {
      const made = await figures.read({ batch, day: DAY }, filters, subjects);
      const again = await new Figures(warehouse)
        .read({ batch, day: DAY }, filters, subjects);

      assert.deepEqual(made, again, `${batch}, ${JSON.stringify(filters)}`);
    }
  }

  // Each second one is made again, to compare with. Looking back goes on from
  // where the last one did who looked back; now goes on from now.
  assert.deepEqual(
    warehouse.bases.slice(0, 22).filter((_, index) => index % 2 === 0),
    [null, 1, 2, 7, 5, 1, 4, 5, 3, 3, 6],
  );
});

Deno.test("Figures of interdependent records are made from all records", async () => {
  await using platform = await loaded();
  const subjects = ordersOf(`-- Record: fact_sales_order.
-- Time: created_date.
-- Dimensions:
--   buyer

select *, case row_number() over (
    partition by counterparty_id order by sales_order_id
  ) when 1 then 'new' else 'known' end as buyer
from fact_sales_order`);
  const { settings } = platform.warehouse;
  const { connect } = platform.context.resources;
  await using warehouse = new Warehouse(settings, connect);
  const figures = new Figures(warehouse);
  await figures.read({ batch: 1, day: DAY }, ALL, subjects);
  await execute(platform.source.client, insertOrder(50), insertOrder(51));
  await platform.run();

  const { orders } = await figures.read({ batch: 2, day: DAY }, ALL, subjects);

  const found = orders?.buyer?.map(({ buyer, records }) => [buyer, records]);
  const { rows } = await platform.warehouse.client.query(
    `select count(*) as orders, count(distinct counterparty_id) as buyers
    from fact_sales_order_current`,
  );
  const [{ orders: all, buyers }] = rows;
  assert.deepEqual(Object.fromEntries(found ?? []), {
    known: String(all - buyers),
    new: String(buyers),
  });
});

Deno.test("Figures drops a sum that was NaN", async () => {
  await using platform = await loaded();
  const subjects = ordersOf(`-- Record: fact_sales_order.
-- Time: created_date.
-- Measures:
--   units: number

select *,
  case units_sold when 666 then 'NaN'::numeric else units_sold end as units
from fact_sales_order`);
  const { settings } = platform.warehouse;
  const { connect } = platform.context.resources;
  await using warehouse = new Warehouse(settings, connect);
  const figures = new Figures(warehouse);
  const found = [];
  for (const [batch, units] of [[1, 7], [2, 666], [3, 8]] as const) {
    if (batch > 1) {
      await execute(
        platform.source.client,
        `update sales_order set units_sold = ${units} where sales_order_id = 1`,
      );
      await platform.run();
    }
    const { orders } = await figures.read({ batch, day: DAY }, ALL, subjects);
    found.push(orders?.month?.map(({ units }) => String(units)).join());
  }

  const { rows } = await platform.warehouse.client.query(
    "select sum(units_sold)::text as units from fact_sales_order_current",
  );
  assert.match(found[1] ?? "", /NaN/);
  assert.equal(found[2], rows[0].units);
});

Deno.test("Figures continues from figures of the same day, and starts over after forget()", async () => {
  await using platform = await loaded();
  await execute(platform.source.client, insertOrder(50));
  await platform.run();
  const { settings } = platform.warehouse;
  const { connect } = platform.context.resources;
  await using warehouse = new Watched(settings, connect);
  const figures = new Figures(warehouse);
  // What is overdue on one day may not be on another.
  await figures.read({ batch: 1, day: "2022-11-07" }, ALL, subjects);
  await figures.read({ batch: 2, day: "2022-11-08" }, ALL, subjects);
  figures.forget();
  await figures.read({ batch: 2, day: "2022-11-08" }, ALL, subjects);
  await execute(
    platform.warehouse.client,
    "alter table fact_payment rename to away",
  );
  await assert.rejects(
    figures.read({ batch: 2, day: "2022-11-08" }, ALL, subjects),
  );
  await execute(
    platform.warehouse.client,
    "alter table away rename to fact_payment",
  );
  // What was known before the failure is known still.
  await figures.read({ batch: 2, day: "2022-11-08" }, ALL, subjects);

  assert.deepEqual(warehouse.bases, [null, 1, null, 2, 2]);
  assert.deepEqual(warehouse.ofPayments, [null, null, null, 2, 2]);
});

Deno.test("Figures has the top names by each measure, and the same names for another period", async () => {
  await using platform = await loaded();
  const at = "'2022-11-03', '2022-11-03'";
  await execute(
    platform.source.client,
    `insert into counterparty select id, 'Company ' || id, 1, null, null, ${at}
    from generate_series(10, 30) as id`,
    // Worth the more, the higher the id; but company 10 orders most often.
    `insert into sales_order select id, ${at}, 1, 1, id, 1000 * id, 5.00, 1,
      '2022-11-10', '2022-11-07', 1 from generate_series(11, 30) as id`,
    `insert into sales_order select id, ${at}, 1, 1, 10, 1, 0.01, 1,
      '2022-11-10', '2022-11-07', 1 from generate_series(100, 140) as id`,
    `insert into sales_order select id, '2021-11-03', '2021-11-03', 1, 1,
      id - 200, 230 - id, 9999.00, 1, '2022-11-10', '2022-11-07', 1
    from generate_series(210, 229) as id`,
  );
  await platform.run();
  const { settings } = platform.warehouse;
  const { connect } = platform.context.resources;
  await using warehouse = new Warehouse(settings, connect);
  const figures = new Figures(warehouse);
  const time = { batch: 2, day: DAY };
  const now = await figures.read(
    time,
    { from: "2022-01-01", to: null },
    subjects,
  );
  const before = await figures.read(
    time,
    { from: null, to: "2021-12-31" },
    subjects,
    now,
  );
  const names = (made: typeof now) =>
    made.sales?.counterparty?.map(({ counterparty }) => counterparty) ?? [];
  const often = now.sales?.counterparty?.find(({ counterparty }) =>
    counterparty === "Company 10"
  );

  assert.equal(often?.orders, "41");
  assert.equal(names(now)[0], "Company 30");
  // Of twenty in that year, those that the other year has.
  assert.deepEqual(
    names(before).toSorted(),
    names(now).filter((name) => name !== "Company 30" && name !== "Company 1")
      .toSorted(),
  );
});
