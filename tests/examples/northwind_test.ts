import assert from "node:assert/strict";
import { join } from "node:path";
import { exampleOf } from "../../demo/examples.ts";
import { Random } from "../../demo/random.ts";
import { act, prepareActions } from "../../demo/traffic_actions.ts";
import { makeCompanyFolder } from "../../init/main.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { parseContract } from "../../lib/project/contract.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { main as check } from "../../operate/check.ts";
import { runForever } from "../../operate/run_stages.ts";
import { smoke } from "../../operate/smoke.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { verify } from "../../verify/verify.ts";
import { inFolder } from "../harness/in_folder.ts";
import {
  lakeState,
  openLake,
  sourceState,
  warehouseState,
} from "../harness/readers/oracle.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { openTestDatabase, settingsOf } from "../harness/servers/postgres.ts";
import { differences } from "../harness/repair.ts";
import { fillNorthwind, NORTHWIND } from "./northwind.ts";
import { testIo } from "../harness/process_io.ts";

const { sqlDirectory, traffic } = exampleOf("northwind");
const ACTIONS = 300;
const CHANGES = [
  "update northwind.order_details set quantity = 7 where order_id < 10010",
  `update northwind.employees set reports_to = 2, last_name = 'Ek "II"'
    where employee_id = 3`,
  "update northwind.categories set category_name = 'Fish' where category_id = 8",
  "update northwind.region set region_description = 'Far North' where region_id = 3",
  `delete from northwind.order_details
    where (order_id, product_id) in (select order_id, min(product_id)
      from northwind.order_details group by order_id limit 5)`,
  // Its lines go with it.
  "delete from northwind.orders where order_id between 10020 and 10023",
  `delete from northwind.employee_territories where territory_id = '01017'`,
  `insert into northwind.customers (customer_id, company_name)
    values ('NEW', 'New, short "code"')`,
  `insert into northwind.orders (order_id, customer_id, order_date)
    values (20000, 'NEW', '2026-02-28')`,
  "insert into northwind.order_details values (20000, 1, 9.99, 3, 0.15)",
];

async function openNorthwind(): Promise<Platform> {
  const platform = await openPlatform({ sql: NORTHWIND.sql, sourceSql: "" });
  await fillNorthwind(platform.source.client);
  return platform;
}

/** Fails unless lake and warehouse hold what the source has, and verify agrees. */
async function assertMirrored(platform: Platform): Promise<void> {
  const source = await sourceState(platform, NORTHWIND);
  assert.deepEqual(
    await warehouseState(platform, { company: NORTHWIND }),
    source,
  );
  {
    await using lake = await openLake(platform);
    assert.deepEqual(await lakeState(lake, { company: NORTHWIND }), source);
  }
  const verification = await verify(platform.context);
  assert.deepEqual(differences(verification), []);
  assert.deepEqual(verification.brokenRules, []);
  assert.equal(verification.same, true);
}

Deno.test("Northwind goes through the pipeline, with changes, deletes and a rebuild", async () => {
  await using platform = await openNorthwind();
  const { source, context, warehouse } = platform;
  await platform.run();
  await assertMirrored(platform);
  const before = await warehouseState(platform, { company: NORTHWIND });

  await execute(source.client, ...CHANGES);
  await platform.run();
  await assertMirrored(platform);

  await prepareActions(source.client, traffic);
  const random = new Random(7);
  const changed = new Set<string>();
  for (let count = 0; count < ACTIONS; count++) {
    for (
      const { kind, table } of await act(source.client, {
        random,
        script: traffic,
      })
    ) changed.add(`${kind} ${table}`);
  }
  await platform.run();
  await assertMirrored(platform);

  assert.deepEqual(
    [...changed].toSorted(),
    [
      "delete order_details",
      "delete orders",
      "insert order_details",
      "insert orders",
      "update customers",
      "update employee_territories",
      "update order_details",
      "update orders",
      "update products",
    ],
  );
  assert.deepEqual(
    await warehouseState(platform, { company: NORTHWIND, batch: 1 }),
    before,
  );
  await rebuildProcessed(context);
  await rebuildWarehouse(context);
  await assertMirrored(platform);
  const checks = await query(
    warehouse.client,
    "select check_name, findings from pipeline.check_result order by 1",
  );
  assert.deepEqual(
    checks.map(({ check_name, findings }) => `${check_name} ${findings}`),
    [
      "dim_customer__version_ends_after_it_starts 0",
      "dim_customer__versions_do_not_overlap 0",
      "dim_date__version_ends_after_it_starts 0",
      "dim_date__versions_do_not_overlap 0",
      "dim_employee__references_are_known 0",
      "dim_employee__reports_to_somebody_else 0",
      "dim_employee__version_ends_after_it_starts 0",
      "dim_employee__versions_do_not_overlap 0",
      "dim_product__version_ends_after_it_starts 0",
      "dim_product__versions_do_not_overlap 0",
      "dim_shipper__version_ends_after_it_starts 0",
      "dim_shipper__versions_do_not_overlap 0",
      "dim_territory__version_ends_after_it_starts 0",
      "dim_territory__versions_do_not_overlap 0",
      "fact_order__is_not_shipped_before_it_is_ordered 0",
      "fact_order__references_are_known 0",
      "fact_order__version_ends_after_it_starts 0",
      "fact_order__versions_do_not_overlap 0",
      "fact_order_line__quantity_is_positive 0",
      "fact_order_line__references_are_known 0",
      "fact_order_line__version_ends_after_it_starts 0",
      "fact_order_line__versions_do_not_overlap 0",
      "fact_territory_cover__references_are_known 0",
      "fact_territory_cover__version_ends_after_it_starts 0",
      "fact_territory_cover__versions_do_not_overlap 0",
    ],
  );
});

Deno.test("Northwind's rules quarantine a discount that isn't a share, and its checks find wrong rows", async () => {
  await using platform = await openNorthwind();
  const { source, warehouse } = platform;
  await platform.run();
  const lines = () =>
    query(
      warehouse.client,
      `select net_amount from fact_order_line_current where order_id = 10001
      order by 1`,
    );
  const before = await lines();

  await execute(
    source.client,
    "update northwind.order_details set discount = 15 where order_id = 10001",
    "update northwind.orders set shipped_date = '2001-01-01' where order_id = 10002",
    "update northwind.order_details set quantity = 0 where order_id = 10003",
  );
  await platform.run();

  assert.deepEqual(await lines(), before);
  const reasons = await query(
    warehouse.client,
    "select distinct table_name, reason from quarantine_current",
  );
  assert.deepEqual(reasons.map((row) => ({ ...row })), [{
    table_name: "order_details",
    reason: "discount is not between 0 and 1: 15",
  }]);
  const findings = await query(
    warehouse.client,
    "select distinct check_name from pipeline.finding order by 1",
  );
  assert.deepEqual(findings.map(({ check_name }) => check_name), [
    "fact_order__is_not_shipped_before_it_is_ordered",
    "fact_order_line__quantity_is_positive",
  ]);

  await execute(
    source.client,
    "update northwind.employees set reports_to = 4 where employee_id = 4",
  );
  await assert.rejects(platform.run(), {
    message: /dim_employee__reports_to_somebody_else/,
  });
  await execute(
    source.client,
    "update northwind.employees set reports_to = 2 where employee_id = 4",
    "update northwind.order_details set discount = 0.15 where order_id = 10001",
    "update northwind.orders set shipped_date = null where order_id = 10002",
    "update northwind.order_details set quantity = 1 where order_id = 10003",
  );
  await platform.run();
  await assertMirrored(platform);
});

Deno.test("Northwind's grants suffice for its pipeline to read the source", async () => {
  await using platform = await openNorthwind();
  const { client, url } = platform.source;
  const role = "northwind_extract";
  await execute(
    client,
    await Deno.readTextFile(join(sqlDirectory, "grants.sql")),
    `alter role ${role} password 'of a test'`,
    "create table northwind.salaries (employee_id smallint primary key)",
  );
  try {
    const asRole = new URL(url);
    asRole.username = role;
    asRole.password = "of a test";
    platform.set({ source: settingsOf(asRole.href) });

    await platform.run();

    await assertMirrored(platform);
    const { rows } = await client.query(
      `select count(*)::integer as tables from pg_class
      where relnamespace = 'northwind'::regnamespace and relkind = 'r'
        and has_table_privilege($1, oid, 'select')`,
      [role],
    );
    assert.deepEqual(rows, [{ tables: NORTHWIND.sql.tables.length }]);
  } finally {
    await execute(client, `drop owned by ${role}`, `drop role ${role}`);
  }
});

Deno.test("smoke() follows an order of Northwind's, and removes it", async () => {
  await using platform = await openNorthwind();
  platform.set({ sqlDirectory });
  await platform.run();
  const stopping = new AbortController();
  const running = runForever(
    { ...platform.context, signal: stopping.signal },
    { everyMs: 300 },
  );

  await smoke(platform.context, { waitMs: 60_000, pollMs: 100 });

  stopping.abort();
  await running;
  const { rows } = await platform.source.client.query(
    "select order_id from northwind.orders where order_id < 0",
  );
  assert.deepEqual(rows, []);
});

Deno.test("`./totesys check` takes Northwind's folder, and derives its tables", async () => {
  const io = testIo({ SQL_DIRECTORY: sqlDirectory }, { isTerminal: true });
  const code = await check([], io);

  const { said: out } = io;
  assert.equal(code, 0, out);
  assert.match(
    out,
    /fact_order_line: fact, by row of order_details\n {2}its table is derived from it; order_line_record_id/,
  );
  assert.match(out, /reports_to +SMALLINT +smallint {2}-> dim_employee/);
  assert.match(
    out,
    /11 tables, 9 models, 1 quarantine rule, 3 checks: all can be used/,
  );
  assert.doesNotMatch(out, /sql\/warehouse declares/);
});

Deno.test("Northwind's contract is a part of what init finds", () =>
  inFolder(async (folder) => {
    await using platform = await openNorthwind();
    const into = join(folder, "new");
    await makeCompanyFolder(platform.context, { into });

    const found = parseContract(
      await Deno.readTextFile(join(into, "source.sql")),
    );

    for (const table of NORTHWIND.sql.tables) {
      const same = found.find(({ name }) => name === table.name);
      const columns = same?.columns.map(({ name }) => name) ?? [];
      const { leftOut = [], ...part } = table;
      assert.deepEqual(
        [...part.columns.map(({ name }) => name), ...leftOut].toSorted(),
        columns.toSorted(),
        table.name,
      );
      assert.deepEqual(part, {
        ...same,
        columns: same?.columns.filter(({ name }) => !leftOut.includes(name)),
      });
    }
    assert.deepEqual(
      found.map(({ name }) => name),
      NORTHWIND.sql.tables.map(({ name }) => name),
    );
  }));

Deno.test("Northwind's traffic removes nothing from the trade before the last four weeks", async () => {
  await using source = await openTestDatabase();
  const { client } = source;
  const weeks = (Date.now() - Date.parse("2024-11-04")) / (7 * 86_400_000);
  await fillNorthwind(client, 830, Math.floor(weeks));
  await prepareActions(client, traffic);
  const lines = async () => {
    const [row] = await query(
      client,
      `select count(*) as lines, count(distinct order_id) as orders
      from northwind.order_details inner join northwind.orders using (order_id)
      where order_date < current_date - 28`,
    );
    return row;
  };
  const before = await lines();
  const random = new Random(7);
  const removed = new Set<string>();
  const script = {
    ...traffic,
    actions: traffic.actions.filter(({ kind }) => kind !== "update"),
  };
  for (let count = 0; count < ACTIONS; count++) {
    for (const { kind, table } of await act(client, { random, script })) {
      if (kind === "delete") removed.add(table);
    }
  }

  assert.deepEqual([...removed].toSorted(), ["order_details", "orders"]);
  assert.deepEqual(await lines(), before);
});

for (const weeksLater of [0, 134]) {
  Deno.test(`Northwind's orders follow seasons and weekdays, ${weeksLater} weeks later`, async () => {
    await using source = await openTestDatabase();
    await fillNorthwind(source.client, 8_000, weeksLater);

    const [row = {}] = await query(
      source.client,
      `with orders as (
        select *, extract(month from order_date) as month,
          extract(isodow from order_date) as weekday,
          order_date - min(order_date) over () as day
        from northwind.orders
      )
      select
        100 * count(*) filter (where month = 11)
          * count(distinct order_date) filter (where month = 8)
          / count(*) filter (where month = 8)
          / count(distinct order_date) filter (where month = 11) as november,
        100 * count(*) filter (where month = 1)
          / count(*) filter (where month = 10) as january,
        100 * count(*) filter (where weekday = 6)
          / count(*) filter (where weekday = 3) as saturday,
        count(*) filter (where weekday = 7) as sunday,
        100 * count(*) filter (where day > 364)
          / count(*) filter (where day < 364) as year,
        100 * count(*) filter (where ship_country = 'Germany')
          / count(*) filter (where ship_country = 'Denmark') as germany,
        max(order_date) = date '2024-11-02' + 7 * ${weeksLater} as is_recent
      from orders`,
    );

    const { november, january, saturday, sunday, year, germany } = row;
    assert.ok(
      Number(november) > 112,
      `a day of November is ${november} % of one of August`,
    );
    assert.ok(Number(january) < 80, `January is ${january} % of October`);
    assert.ok(
      Number(saturday) > 20 && Number(saturday) < 40,
      `Saturday is ${saturday} % of Wednesday`,
    );
    assert.equal(Number(sunday), 0);
    assert.ok(
      Number(year) > 105 && Number(year) < 118,
      `${year} % a year later`,
    );
    assert.ok(Number(germany) > 200, `Germany is ${germany} % of Denmark`);
    assert.equal(row.is_recent, true);
  });
}
