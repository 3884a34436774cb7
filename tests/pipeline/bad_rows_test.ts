import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { History, openLake } from "../harness/readers/oracle.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

/** A value that no model can read, in one row. */
interface BadRow {
  name: string;
  table: "sales_order" | "purchase_order" | "payment";
  set: string;
  reason: RegExp;
  /** What makes it good again. */
  repair: string;
}

const date = (name: string, text: string, shown = text): BadRow => ({
  name,
  table: "sales_order",
  set: `agreed_delivery_date = '${text}'`,
  reason: new RegExp(
    `^agreed_delivery_date is no date \\(YYYY-MM-DD\\): "${shown}`,
  ),
  repair: "agreed_delivery_date = '2023-02-28'",
});

const BAD_ROWS: BadRow[] = [
  date("a date that no calendar has", "2023-02-30"),
  date("an empty date", ""),
  date("a date of another form", "31/12/2022"),
  date("a date with the month's name", "7 November 2022"),
  date("a date without leading zeros", "2023-1-5"),
  date("a date without dashes", "20230105"),
  date("a date with a time", "2023-01-05 10:00:00"),
  date("a date with a blank", "2023-01-05 "),
  date("a date in the year 0", "0000-01-01"),
  date("a date before Christ", "0044-03-15 (BC)", "0044-03-15 \\(BC\\)"),
  date("a date in five digits", "10000-01-01"),
  date("an infinite date", "infinity"),
  date("the word null", "null"),
  date("a special word of Postgres", "today"),
  date("SQL in a date's place", "''); drop table x; --", "'\\); drop table x"),
  date("a very long text in a date's place", "9".repeat(100_000), "9{40}"),
  {
    name: "a row that is too long",
    table: "purchase_order",
    set: "item_code = repeat('x', 17000000)",
    reason: /^the row is longer than 16 MiB as CSV$/,
    repair: "item_code = 'short'",
  },
  {
    name: "money that is no number",
    table: "payment",
    set: "payment_amount = 'NaN'",
    reason: /^payment_amount is no numeric\(15,2\): "NaN"/,
    repair: "payment_amount = 1.01",
  },
  {
    name: "a price that is no number",
    table: "purchase_order",
    set: "item_unit_price = 'NaN'",
    reason: /^item_unit_price is no numeric\(10,2\): "NaN"/,
    repair: "item_unit_price = 1.01",
  },
  {
    name: "a time without end",
    table: "payment",
    set: "last_updated = 'infinity'",
    reason: /last_updated is no timestamp: "infinity"/,
    repair: "last_updated = '2023-01-01'",
  },
  {
    name: "a time without beginning",
    table: "payment",
    set: "created_at = '-infinity'",
    reason: /created_at is no timestamp: "-infinity"/,
    repair: "created_at = '2023-01-01'",
  },
  {
    name: "a time before Christ",
    table: "purchase_order",
    set: "created_at = '0044-03-15 12:00 BC'",
    reason: /created_at is no timestamp: "0044-03-15 12:00:00 BC"/,
    repair: "created_at = '2023-01-01'",
  },
  {
    name: "a time after the year 9999",
    table: "sales_order",
    set: "last_updated = '294276-12-31 23:59:59.999999'",
    reason: /last_updated is /,
    repair: "last_updated = '2023-01-01'",
  },
];

/** What the quarantine says, by a row's table and key. */
async function quarantined(
  { warehouse }: Platform,
): Promise<Map<string, string>> {
  const rows = await query(
    warehouse.client,
    "select table_name, row_key, reason from quarantine_current",
  );
  return new Map(
    rows.map((row) => [`${row.table_name} ${row.row_key}`, row.reason ?? ""]),
  );
}

/** Another row of the table, like its first. */
function copyOfFirst(table: string, id: number): string[] {
  return [
    `create temp table copied as select * from ${table} where ${table}_id = 1`,
    `update copied set ${table}_id = ${id}`,
    `insert into ${table} table copied`,
    "drop table copied",
  ];
}

Deno.test("each bad row is quarantined with its reason until it is repaired", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  const rows = BAD_ROWS.map((bad, index) => ({
    ...bad,
    id: 100 + index,
    where: `where ${bad.table}_id = ${100 + index}`,
  }));
  for (const { table, id } of rows) {
    await execute(client, ...copyOfFirst(table, id));
  }
  await platform.run();
  const versions = async () => {
    const found: Record<string, unknown> = {};
    for (const { name, table, where } of rows) {
      found[name] = await query(
        platform.warehouse.client,
        `select row(fact.*)::text as row from fact_${table}_current as fact
        ${where}`,
      );
    }
    return found;
  };
  const good = await versions();

  for (const { table, set, where } of rows) {
    await execute(client, `update ${table} set ${set} ${where}`);
  }
  await execute(client, insertOrder(40));
  await platform.run();

  const reasons = await quarantined(platform);
  for (const { name, table, id, reason } of rows) {
    assert.match(reasons.get(`${table} ${id}`) ?? "", reason, name);
  }
  assert.equal(reasons.size, rows.length);
  assert.deepEqual(await versions(), good);
  assert.match(
    platform.logged.join("\n"),
    new RegExp(`error: ${rows.length} rows are in quarantine`),
  );
  const arrived = await query(
    platform.warehouse.client,
    "select from fact_sales_order_current where sales_order_id = 40",
  );
  assert.equal(arrived.length, 1);

  for (const { table, repair, where } of rows) {
    await execute(client, `update ${table} set ${repair} ${where}`);
  }
  await platform.run();
  assert.deepEqual(await quarantined(platform), new Map());
  await assertMirrored(platform);
});

Deno.test("values at the limits of their types arrive exactly", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  const history = new History(platform);
  await fillSmall(client);
  await history.step();
  await execute(
    client,
    `update sales_order set unit_price = 99999999.99, units_sold = 2147483647,
      agreed_delivery_date = '0001-01-01', agreed_payment_date = '9999-12-31'
      where sales_order_id = 1`,
    `update sales_order set unit_price = -99999999.99, units_sold = -2147483648,
      created_at = '0001-01-01', last_updated = '9999-12-31 23:59:59.999999'
      where sales_order_id = 2`,
    `update payment set payment_amount = 9999999999999.99 where payment_id = 1`,
    `update payment set payment_amount = -9999999999999.99,
      last_updated = '2023-01-01 00:00:00.000001' where payment_id = 2`,
    `update design set design_name = repeat(e'é"\\n,''\\\\', 150000)
      where design_id = 1`,
    "update design set design_name = '' where design_id = 2",
    "insert into design values (2147483647, now(), 'last', '', '', now())",
    "insert into design values (-2147483648, now(), 'first', '', '', now())",
    "insert into design values (0, now(), 'zero', '', '', now())",
  );
  await history.step();
  await execute(
    client,
    "delete from design where design_id in (2147483647, -2147483648)",
    "update design set design_id = -1 where design_id = 0",
  );
  await history.step();

  await history.compareAll();
  assert.deepEqual(await quarantined(platform), new Map());
});

Deno.test("extra columns and another order of columns are accepted", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  const history = new History(platform);
  await fillSmall(client);
  await history.step();
  await execute(
    client,
    "alter table design add colour text default 'red'",
    "update design set design_name = 'Renamed' where design_id = 1",
  );
  await history.step();
  assert.match(
    platform.logged.join("\n"),
    /"design" has columns that the contract leaves out: colour text/,
  );

  await execute(
    client,
    "alter table design rename to design_before",
    `create table design as select last_updated, file_name, design_name,
      colour, file_location, created_at, design_id from design_before`,
    "drop table design_before",
    ...["design_id", "created_at", "design_name", "file_location", "file_name"]
      .map((name) => `alter table design alter ${name} set not null`),
    "alter table design alter last_updated set not null",
    "alter table design add primary key (design_id)",
    "update design set file_name = 'moved' where design_id = 2",
  );
  await history.step();

  await history.compareAll();
});

Deno.test("the quarantine is the same in the lake and the warehouse", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await platform.run();
  await execute(
    client,
    `update sales_order set agreed_delivery_date = '', agreed_payment_date = ''
      where sales_order_id = 2`,
    "update payment set payment_amount = 'NaN' where payment_id = 4",
  );
  await platform.run();

  const sql = "select table_name, row_key, reason, source_row from";
  await using lake = await openLake(platform);
  const inLake = await lake.rows(
    `${sql} totes.quarantine_current order by all`,
  );
  const inWarehouse = await query(
    platform.warehouse.client,
    `${sql} quarantine_current order by 1, 2`,
  );
  assert.equal(inLake.length, 2);
  assert.deepEqual(inLake, inWarehouse);
});
