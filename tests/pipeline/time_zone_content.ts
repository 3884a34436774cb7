/**
 * A process of its own: runs the stages over two companies in the time zone
 * that TZ names, and prints what the warehouse then holds, without the times
 * of the batches.
 */
import { fileURLToPath } from "node:url";
import { query } from "../../lib/postgres/postgres.ts";
import { readProjectSql } from "../../lib/project/project_sql.ts";
import { History, warehouseState } from "../harness/readers/oracle.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

const zone = Deno.env.get("TZ") ?? "UTC";
const OTHER_SQL = readProjectSql(
  fileURLToPath(new URL("../harness/companies/other_company", import.meta.url)),
);
const OTHER_SOURCE = `
  create table stock (warehouse_code text, item_number integer,
    quantity smallint not null, primary key (warehouse_code, item_number));
  create table item (sku text primary key, title text, details jsonb);
  create table reading (reading_id bigint, taken_on date not null,
    taken_at timestamptz not null, amount numeric(10,4),
    primary key (reading_id, taken_on));`;

/** Each server's sessions begin in the zone as well. */
async function settle({ source, warehouse }: Platform): Promise<void> {
  for (const { client, settings } of [source, warehouse]) {
    await execute(
      client,
      `alter database ${settings.database} set timezone to '${zone}'`,
    );
  }
}

async function totesys(): Promise<unknown> {
  await using platform = await openPlatform();
  await settle(platform);
  const { client } = platform.source;
  const history = new History(platform);
  await fillSmall(client);
  await history.step();
  await execute(
    client,
    insertOrder(20).replaceAll("'2023-01-01'", "'2023-01-01 23:59:59.999999'"),
    insertOrder(21).replaceAll("'2023-01-01'", "'2023-03-12 02:30'"),
    "update sales_order set created_at = '2022-12-31 00:00' where sales_order_id = 1",
    "delete from payment where payment_id = 5",
  );
  await history.step();
  await history.compareAll();
  return await warehouseState(platform);
}

async function otherCompany(): Promise<unknown> {
  await using platform = await openPlatform({
    sql: OTHER_SQL,
    sourceSql: OTHER_SOURCE,
  });
  await settle(platform);
  await execute(
    platform.source.client,
    `insert into reading select n, date '2023-03-10' + n,
      timestamptz '2023-03-12 00:30+00' + n * interval '1 hour', n / 7.0
    from generate_series(1, 5) as n`,
    "insert into reading values (6, '2023-03-12', '2023-03-12 07:00+00', 'NaN')",
  );
  await platform.run();
  const { client } = platform.warehouse;
  return [
    await query(
      client,
      "select reading_id, taken_on::text, amount from fact_reading order by 1",
    ),
    await query(client, "select row_key, reason, source_row from quarantine"),
  ];
}

console.log(JSON.stringify([await totesys(), await otherCompany()]));
