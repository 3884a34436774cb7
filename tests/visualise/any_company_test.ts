import assert from "node:assert/strict";
import { join } from "node:path";
import { makeCompanyFolder } from "../../init/main.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { readProjectSql } from "../../lib/project/project_sql.ts";
import { fillNorthwind, NORTHWIND } from "../examples/northwind.ts";
import { assertAccessibleEverywhere } from "../harness/browser/accessible.ts";
import {
  batchShown,
  card,
  open,
  openWarehouse,
  plain,
  Served,
  tableRows,
  testPage,
  toggleTable,
  withoutStream,
} from "../harness/browser/dashboard.ts";
import { inFolder } from "../harness/in_folder.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";

const CHANGES = [
  "update northwind.order_details set quantity = 7 where order_id < 10010",
  `update northwind.customers set company_name = 'Renamed, "Ltd"'
    where customer_id in (select customer_id from northwind.orders limit 1)`,
  "delete from northwind.orders where order_id between 10020 and 10023",
];

async function loadedTwice(sql = NORTHWIND.sql): Promise<Platform> {
  const platform = await openPlatform({ sql, sourceSql: "" });
  await fillNorthwind(platform.source.client);
  await platform.run();
  await execute(platform.source.client, ...CHANGES);
  await platform.run();
  return platform;
}

testPage("Northwind has a dashboard of its own, as exact as SQL", async () => {
  await using platform = await loadedTwice();
  await using served = new Served(platform);
  const { page, errors } = await open(await served.address);
  await batchShown(page, 2);
  const byHand = async (batch: number) =>
    (await query(
      platform.warehouse.client,
      `select company_name, count(*), sum(quantity), sum(net_amount) as revenue
      from fact_order_line_as_of_batch(${batch})
      inner join fact_order_as_of_batch(${batch}) using (order_id)
      inner join dim_customer_as_of_batch(${batch}) using (customer_id)
      group by company_name order by revenue desc limit 12`,
    )).map((row) => Object.values(row).map(plain)).sort();
  const shown = async () =>
    (await tableRows(page, "customer")).map((row) => row.map(plain)).sort();
  await toggleTable(page, "customer");
  const now = await shown();
  const title = await page.title();
  const total = await card(page, "sales");
  await page.locator("[data-chart=customer] tbody tr").first()
    .getByRole("button", { name: "Rows" }).click();
  await page.waitForSelector("#rows[open] table");
  await page.locator("#rows").getByRole("button", { name: "History" }).first()
    .click();
  await page.waitForSelector("#history li");
  const record = await page.locator("#record-title").innerText();
  await page.goto(`${await served.address}?at=1`);
  await batchShown(page, 1);
  await toggleTable(page, "customer");
  const before = await shown();
  await page.locator("[data-card=deliveries]").click();
  await page.waitForSelector("[data-chart=late]");
  await toggleTable(page, "ageing");
  const late = (await tableRows(page, "ageing")).map((row) => row.map(plain));
  const [lateByHand] = await query(
    platform.warehouse.client,
    `select count(*), sum(freight) as freight from fact_order_as_of_batch(1)
    where shipped_date is null and required_date < current_date - 90`,
  );
  await page.goto(`${await served.address}?view=changes`);
  await page.waitForSelector("#changes-list table");
  const changes = await page.locator("#changes-list").innerText();
  // Lines have no day of their own: the server is asked for what is passed by.
  await page.goto(await served.address);
  await batchShown(page, 2);
  const box = await page.locator("#track").boundingBox();
  await page.mouse.move((box?.x ?? 0) + 1, (box?.y ?? 0) + 10);
  await page.mouse.down();
  await batchShown(page, 1);
  const passed = page.url();
  await page.mouse.up();
  await page.waitForSelector("#main[aria-busy=false]");
  await page.goBack();
  await batchShown(page, 2);

  assert.match(passed, /\?at=1$/);
  assert.deepEqual(now, await byHand(2));
  assert.deepEqual(before, await byHand(1));
  assert.notDeepEqual(now, before);
  assert.deepEqual(late, [[
    "over 90 days",
    "late",
    ...Object.values(lateByHand ?? {}).map(plain),
  ]]);
  assert.equal(title, "Overview · Northwind");
  assert.match(total, /^US\$[\d,]+$/);
  // A key of two columns.
  assert.match(record, /^History of order line \d+\/\d+$/);
  assert.match(changes, /order line \d+\/\d+\s+updated\s+quantity/);
  assert.match(changes, /customer \w+\s+updated\s+company name[^]*Renamed, "L/);
  assert.deepEqual(errors, []);
});

testPage(
  "a company that wrote no dashboard has one by its models",
  async () => {
    await using platform = await loadedTwice({
      ...NORTHWIND.sql,
      dashboard: [],
      dashboardSettings: undefined,
    });
    await using served = new Served(platform);
    const { page, errors } = await open(`${await served.address}?period=all`);
    await batchShown(page, 2);
    await toggleTable(page, "customer");
    const shown = (await tableRows(page, "customer"))
      .map((row) => row.map(plain)).sort();
    const byHand = (await query(
      platform.warehouse.client,
      `select company_name, count(*) as records, sum(freight) as freight
    from fact_order_current
    inner join dim_customer_current using (customer_id)
    group by company_name order by records desc, company_name limit 12`,
    )).map((row) => Object.values(row).map(plain)).sort();
    const cards = await page.locator("#cards .card-name").allInnerTexts();
    const boards = await page.locator("#boards h3").allInnerTexts();
    const meaning = async (address: string, column: string) => {
      await page.goto(`${await served.address}?view=${address}`);
      return await page.locator("dt", { hasText: column }).first()
        .getAttribute("title");
    };
    const meanings = [
      await meaning("record&record=product/1", "list price"),
      await meaning("record&record=product/1", "product name"),
      await meaning("changes&since=0&of=product", "list price"),
    ];
    // Lines without a day are all of today: the orders say which period it is.
    await page.goto(await served.address);
    await batchShown(page, 2);
    await page.waitForSelector("[data-chart=customer] .row");
    await assertAccessibleEverywhere(page, "a dashboard by its models");

    assert.deepEqual(shown, byHand);
    assert.deepEqual(cards, ["Order", "Order line", "Territory cover"]);
    assert.deepEqual(boards, ["By customer", "By employee", "By shipper"]);
    const price = "What it costs now; fact_order_line has what was agreed.";
    assert.deepEqual(meanings, [price, null, price]);
    assert.equal(
      await page.locator("#period [aria-pressed=true]").innerText(),
      "All time",
    );
    assert.equal(await page.title(), "Overview · Dashboard");
    assert.deepEqual(errors, []);
  },
);

Deno.test("names with blanks lead from figures to rows, and from there to a record", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({
      sourceSql:
        `create table part ("Part No." text primary key, "Full Name" text);
        create table "Order Line" ("Order No" integer, line integer, placed date,
          "Part No." text references part, primary key ("Order No", line));
        insert into part values ('a', 'Axle'), ('b', 'Bolt');
        insert into "Order Line" values (1, 1, '2024-05-06', 'a'),
          (1, 2, '2024-05-06', 'b')`,
      warehouse: "empty",
    });
    const into = join(folder, "sql");
    await makeCompanyFolder(platform.context, { into });
    platform.context.sql = readProjectSql(into);
    await platform.run();
    await using warehouse = openWarehouse(platform);
    const app = withoutStream(platform, warehouse);
    const ask = async (path: string) =>
      await (await app.request(`http://localhost/api/${path}`)).json();

    const { figures } = await ask("overview/1?period=all");
    const { rows } = await ask("rows/order_line/1?Part_No=Bolt");
    const { moments } = await ask("history/order-line/1/2");

    assert.deepEqual(
      figures.order_line.Part_No.map((row: { Part_No: string }) => row.Part_No),
      ["Axle", "Bolt"],
    );
    assert.deepEqual(rows, [{
      "Order No": "1",
      line: "2",
      placed: "2024-05-06",
      Part_No: "Bolt",
    }]);
    assert.equal(moments.length, 1);
  }));
Deno.test('a filter takes names with commas, and finds unnamed rows by "unknown"', async () => {
  await using platform = await loadedTwice();
  await execute(
    platform.source.client,
    "update northwind.orders set customer_id = null where order_id = 10001",
  );
  await platform.run();
  await using warehouse = openWarehouse(platform);
  const app = withoutStream(platform, warehouse);
  const matching = async (customer: string) => {
    const answer = await app.request(
      `http://localhost/api/rows/orders/3?${new URLSearchParams({ customer })}`,
    );
    return (await answer.json()).matching;
  };
  const lines = async (customer: string) => {
    const answer = await app.request(
      `http://localhost/api/overview/3?${new URLSearchParams({
        customer,
        period: "all",
      })}`,
    );
    const { figures } = await answer.json();
    return figures.orders.customer.map((row: { customer: string }) =>
      row.customer
    );
  };

  assert.ok(await matching('Renamed, "Ltd"') > 0);
  assert.equal(await matching("unknown"), 1);
  assert.equal(await matching("Renamed"), 0);
  assert.deepEqual([...new Set(await lines("unknown"))], ["unknown"]);
});

Deno.test("a fact of many numbers and references, with the least of integers, has figures of each batch", () =>
  inFolder(async (folder) => {
    const names = (start: string, most: number) =>
      Array.from({ length: most }, (_, index) => `${start}${index}`);
    const [sums, references] = [names("n", 60), names("part", 32)];
    await using platform = await openPlatform({
      sourceSql: `create table part (id integer primary key, name text);
        create table reading (id integer primary key, taken date,
          least integer, lowest bigint,
          ${sums.map((name) => `${name} integer`)},
          ${references.map((name) => `${name} integer references part`)});
        insert into part values (1, 'Axle');
        insert into reading (id, taken, least, lowest, n59, part0) values
          (1, '2024-05-06', -2147483648, -9223372036854775808, 7, 1),
          (2, '2024-05-06', null, null, null, 1),
          (3, '2024-05-06', 3, 3, 3, 1)`,
      warehouse: "empty",
    });
    const into = join(folder, "sql");
    await makeCompanyFolder(platform.context, { into });
    platform.context.sql = readProjectSql(into);
    platform.set({ deleteShareMax: 1 });
    await platform.run();
    await execute(
      platform.source.client,
      "delete from reading where id = 1",
    );
    await platform.run();
    await using warehouse = openWarehouse(platform);
    const app = withoutStream(platform, warehouse);
    const ask = async (path: string) =>
      await (await app.request(`http://localhost/api/${path}`)).json();
    const month = async (batch: number) => {
      const { figures } = await ask(`overview/${batch}?period=all`);
      const [{ records, least, lowest, n0, n59 }] = figures.reading.month;
      return [records, least, lowest, n0, n59];
    };

    // Back and forth, from what is known of the other batch.
    const before = await month(1);
    const after = await month(2);
    const again = await month(1);
    const trail = await ask("trail/reading/2");

    assert.deepEqual(before, [
      "3",
      "-2147483645",
      "-9223372036854775805",
      null,
      "10",
    ]);
    assert.deepEqual(after, ["2", "3", "3", null, "3"]);
    assert.deepEqual(again, before);
    assert.equal(trail.rows.length, 2);
    assert.ok(trail.rows[1].includes("9223372036854775808"));
  }));
