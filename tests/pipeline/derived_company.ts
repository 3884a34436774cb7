import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { differences } from "../harness/repair.ts";
import { projectOf } from "../harness/companies/small_project.ts";

export const CONTRACT = `create table shop (
    shop_id integer not null,
    town text,
    primary key (shop_id)
);

create table line (
    order_id integer not null,
    place smallint not null,
    shop_id integer,
    price numeric(10,2),
    sold_at timestamp,
    note text,
    primary key (order_id, place)
);
`;

export const FILES: Readonly<Record<string, string>> = {
  "source.sql": CONTRACT,
  "models/dim_Shop.sql": `-- Shops
--
-- Grain: one row for each shop
-- Key: ShopID.
-- Columns:
--   "Order": where it is,
--     as people say it
-- Why: names in mixed case, and a reserved word.

select shop_id as "ShopID", town as "Order" from changed.shop`,
  // Before dim_Shop by name, and by what it refers to after it.
  "models/fact_line.sql": `-- Lines of orders.
--
-- Grain: one row for each line.
-- Key: "OrderID", place.
-- References: shop_id -> dim_Shop.
-- Not null: price.
-- Times of day: sold_time.
-- Columns:
--   price: what one costs.

select
    order_id as "OrderID",
    place,
    shop_id,
    price,
    cast(cast(sold_at as time) as varchar) as sold_time
from changed.line`,
};

/** A platform whose company has a contract and models, and no more. */
export async function withCompany(
  test: (platform: Platform) => Promise<void>,
): Promise<void> {
  await using platform = await openPlatform({
    sql: await projectOf(FILES),
    sourceSql: CONTRACT,
  });
  await execute(
    platform.source.client,
    "insert into shop values (1, 'Leeds'), (2, 'York')",
    `insert into line select n / 3, n % 3, 1 + n % 2, n / 7.0,
      timestamp '2024-05-01 12:00' + n * interval '1 min', 'note ' || n
    from generate_series(0, 29) as n`,
  );
  await test(platform);
}

export async function rowsOf(
  { warehouse }: Platform,
  from: string,
): Promise<string[]> {
  const rows = await query(
    warehouse.client,
    `select row_text::text as line from (${from}) as row_text order by 1`,
  );
  return rows.map(({ line }) => line ?? "");
}

export async function assertSame(platform: Platform): Promise<void> {
  const verification = await verify(platform.context);
  assert.deepEqual(differences(verification), []);
  assert.equal(verification.same, true);
}
