import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  type ProjectSql,
  readProjectSql,
} from "../../lib/project/project_sql.ts";
import { verify } from "../../verify/verify.ts";
import { companyOf } from "../harness/companies/company_of.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { differences } from "../harness/repair.ts";

const OTHER_SQL = readProjectSql(
  fileURLToPath(new URL("../harness/companies/other_company", import.meta.url)),
);
const OTHER_SOURCE = `
  create table stock (warehouse_code varchar(20), item_number integer,
    quantity smallint not null, primary key (warehouse_code, item_number));
  create table item (sku varchar primary key, title text, details jsonb);
  create table reading (reading_id bigint, taken_on date not null,
    taken_at timestamptz not null, amount numeric(10,4),
    primary key (reading_id, taken_on));`;

async function openOther(sql: ProjectSql): Promise<Platform> {
  const platform = await openPlatform({ sql, sourceSql: OTHER_SOURCE });
  await execute(
    platform.source.client,
    `insert into stock select 'w|' || n % 7, n, n % 100
    from generate_series(-300, 3000) as n`,
    `insert into item select 'sku "' || n || ''', \\', 'title ' || n,
      jsonb_build_object('n', n) from generate_series(1, 300) as n`,
    `insert into reading select n, date '2023-01-01' + n, now(), n / 7.0
    from generate_series(1, 700) as n`,
    "insert into reading values (-5, '0044-03-15 BC', now(), null)",
    "insert into reading values (-6, '20000-01-01', now(), 0)",
  );
  return platform;
}

Deno.test("verify() serves another company by its SQL alone", async () => {
  await using platform = await openOther(OTHER_SQL);
  const { source, warehouse, context } = platform;
  assert.equal((await verify(context)).same, true);
  await execute(
    source.client,
    "delete from stock where item_number = 5",
    "update item set title = null where sku like '%33%'",
  );
  assert.equal((await verify(context)).same, true);

  await execute(
    warehouse.client,
    "update fact_stock set quantity = 3 where item_number = 17",
    "update dim_item set details = details || ' ' where sku = 'sku \"9'', \\'",
    "delete from fact_reading where reading_id = 700",
    "update fact_reading set amount = amount + 0.0001 where reading_id = 6",
  );

  assert.deepEqual(differences(await verify(context)), [
    "dim_item warehouse: sku \"9', \\ different",
    "fact_stock warehouse: [w|3, 17] different",
    "fact_reading warehouse: [6, 2023-01-07] different, [700, 2024-12-01] missing",
  ]);
});

Deno.test("verify() takes a byte order mark for the text that it is", async () => {
  const contract =
    "create table code (code text not null, primary key (code));";
  await using platform = await openPlatform({
    sql: companyOf(contract),
    sourceSql: contract,
  });
  const { source, warehouse, context } = platform;
  await source.client.query(String.raw`insert into code values (E'\ufeffa')`);

  assert.deepEqual(differences(await verify(context)), []);

  // In the warehouse's file, too, it is the first text.
  await warehouse.client.query("update fact_code set code = 'a'");
  assert.match(differences(await verify(context)).join(), /a extra, .*missing/);
});
