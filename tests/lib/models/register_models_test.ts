import assert from "node:assert/strict";
import { PROJECT_SQL } from "../../harness/platform.ts";
import { RETIRED_MIGRATIONS } from "../../harness/companies/retired_migrations.ts";
import { assertRefused, lots, prepareAll } from "./lots.ts";

Deno.test("registerModels() takes models whose tables migrations declare, and finds the sources of their keys", async () => {
  const columns = await prepareAll({
    ...PROJECT_SQL,
    migrations: RETIRED_MIGRATIONS,
  });

  const location = columns.get("dim_location");
  assert.deepEqual(
    location?.find(({ name }) => name === "location_id"),
    {
      name: "location_id",
      type: "INTEGER",
      source: "address_id",
      notNull: true,
      declared: "integer",
    },
  );
  const orders = columns.get("fact_sales_order") ?? [];
  assert.ok(orders.every(({ notNull }) => notNull === true));
});

const JOINS_REFUSED: [string, RegExp][] = [
  ["select place_id from changed.place", /reads current\.<table> only/],
  [
    "select place_id from current.place join changed.lot on lot_id = place_id",
    /reads changed\.lot/,
  ],
  ["select place_id, now() as at from current.place", /now\(\)/],
];
for (const [sql, message] of JOINS_REFUSED) {
  Deno.test(`a join model must not be: ${sql}`, () =>
    assertRefused(
      lots(sql, { key: ["place_id"], derivation: "join" }),
      message,
    ));
}

const SETS_REFUSED: [string, RegExp][] = [
  ["select city from current.place", /reads changed\.<table> only/],
  [
    "select city, count(*) as n from changed.place group by city",
    /count_star\(\)/,
  ],
  [
    "select city, row_number() over (order by city) as n from changed.place",
    /window function/,
  ],
  ["select city from changed.place order by 1 limit 1", /limit/],
  [
    "select city from changed.place except select note as city from changed.lot",
    /except/,
  ],
  [
    "select city from changed.place intersect select note as city from changed.lot",
    /intersect/,
  ],
  [
    "select city from changed.place join changed.lot on place_id = lot_id",
    /a join of changed rows with others/,
  ],
  [
    "with a as (from changed.place) select one.city from a as one, a as other where one.city < other.city",
    /a join of changed rows with others/,
  ],
  [
    "select city from changed.place where place_id in (select lot_id from changed.lot)",
    /a subquery of changed rows/,
  ],
  [
    "select city from changed.place where not exists (select 1 from changed.lot where lot_id = place_id)",
    /a subquery of changed rows/,
  ],
];
for (const [sql, message] of SETS_REFUSED) {
  Deno.test(`a set must not be: ${sql}`, () =>
    assertRefused(lots(sql, { key: ["city"], derivation: "set" }), message));
}

Deno.test("a set may join its rows with constants of the query", async () => {
  await prepareAll(
    await lots(
      "select coalesce(name, city) as city from changed.place left join (values ('L', 'Leeds')) as names (code, name) on code = city union select note from changed.lot where note is not null",
      { key: ["city"], derivation: "set" },
    ),
  );
});

const COLLATED = [
  "select lot_id, part, note collate nocase as note from current.lot",
  "select distinct lot_id, part, note collate noaccent.nocase as note from current.lot",
  "select lot_id, part, max(note collate nocase) as note from current.lot group by lot_id, part",
];
for (const sql of COLLATED) {
  Deno.test(`a model must not have: ${sql}`, () =>
    assertRefused(
      lots(sql, { derivation: "join" }),
      /it has collate \S+, which makes different texts equal/,
    ));
}

const NOT_KEPT: [expression: string, instead: string][] = [
  ["sum(part)", "cast(sum(units) as bigint)"],
  ["cast(max(part) as uhugeint)", "decimal(38, 0)"],
  ["[sum(part)]", "decimal(38, 0)"],
  ["cast('10:00+02' as timetz)", "cast it to text"],
  ["union_value(a := max(part))", "cast it to text"],
];
for (const [expression, instead] of NOT_KEPT) {
  Deno.test(`a model must not select ${expression}, which Parquet can't store`, () =>
    assertRefused(
      lots(
        `select lot_id, part, ${expression} as x from current.lot group by lot_id, part`,
        { derivation: "join" },
      ),
      new RegExp(`which Parquet does not keep: .*${RegExp.escape(instead)}`),
    ));
}

/** Each in a model of its own, as an expression or after `from`. */

Deno.test("a query that DuckDB can't bind is refused by its file's name", () =>
  assertRefused(
    lots("select lot_id, part, missing from changed.lot"),
    /sql\/models\/dim_lot\.sql: Binder Error: .*"missing"/,
  ));
