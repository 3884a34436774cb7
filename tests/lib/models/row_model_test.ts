import assert from "node:assert/strict";
import { openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import { readConfig } from "../../../lib/settings/config.ts";
import { UNNESTING } from "../../../lib/models/sql_tree.ts";
import { assertRefused, KEY, lots, prepareAll } from "./lots.ts";

const ROWS_ALLOWED = [
  "select lot_id, part, note from changed.lot",
  "select * exclude (batch) from changed.lot where note is null",
  "select l.* exclude (batch, seen) from changed.lot as l",
  "with kept as (select * from changed.lot), named as (select part, lot_id as id from kept where seen is null) select id as lot_id, part from named",
  "select lot_id, part, places.name from changed.lot left join (values ('a', 'A')) as places (code, name) on places.code = note",
  "select lot_id, part, name from changed.lot join (values ('a', 'A')) as places (note, name) using (note)",
  "select a as lot_id, b as part from changed.lot as q (a, b)",
  "select cast(lot_id as bigint) as lot_id, cast(part as varchar) as part from changed.lot",
  "select lot_id, part, (select x from (select 1 as x) as one) as y from changed.lot",
  "select lot_id, part from (select * from changed.lot order by seen) as sorted",
  'select "LOT_ID" as lot_id, "part" from "changed"."lot"',
  "select lot_id, part from changed.lot semi join (values ('a')) as codes (code) on code = note",
  "select lot_id, part, cast(list_sum([lot_id, part]) as bigint) as total from changed.lot",
  'with a as (select lot_id, part, note as "user" from changed.lot) select lot_id, part, a.user from a',
];

for (const sql of ROWS_ALLOWED) {
  Deno.test(`a row model may be: ${sql}`, async () => {
    const columns = await prepareAll(await lots(sql));

    assert.deepEqual(
      KEY.map((name) =>
        columns.get("dim_lot")?.find((column) => column.name === name)?.source
      ),
      KEY,
    );
  });
}

const ROWS_REFUSED: [string, RegExp][] = [
  [
    'with a as (select lot_id, part, note as "user" from changed.lot) select lot_id, part, user from a',
    /it has user \(write table\.user if it is a column\)/,
  ],
  ["select lot_id, part from changed.lot limit 3", /limit/],
  ["select lot_id, part from changed.lot order by 1 offset 3", /offset/],
  ["select distinct lot_id, part from changed.lot", /distinct/],
  [
    "select lot_id, part, count(*) as n from changed.lot group by all",
    /count_star\(\), .*group by/,
  ],
  ["select lot_id, part from changed.lot group by lot_id, part", /group by/],
  ["select lot_id, max(part) as part from changed.lot group by 1", /max\(\)/],
  [
    "select lot_id, part, row_number() over (order by seen) as n from changed.lot",
    /window function/,
  ],
  [
    "select lot_id, part from changed.lot qualify rank() over (order by seen) = 1",
    /qualify/,
  ],
  ["select lot_id, part, unnest([1, 2]) as n from changed.lot", /unnest\(\)/],
  [
    "select lot_id, part, regexp_split_to_table(note, ',') as n from changed.lot",
    /has regexp_split_to_table\(\)/,
  ],
  [
    "select lot_id, part, generate_subscripts([lot_id], 1) as n from changed.lot",
    /has generate_subscripts\(\)/,
  ],
  ["select lot_id, part, n from changed.lot, range(3) as r (n)", /range\(\)/],
  [
    "select lot_id, part, n from changed.lot cross join generate_series(1, 2) as g (n)",
    /generate_series\(\)/,
  ],
  [
    "select lot_id, part from changed.lot union all select lot_id, part from changed.lot",
    /has union[^]* and it reads changed\.lot 2 times$/,
  ],
  [
    "select lot_id, part from changed.lot except select 1, 2",
    /maintained by row, and it has except$/,
  ],
  [
    "select one.lot_id, one.part from changed.lot as one join changed.lot as other using (lot_id)",
    /2 times/,
  ],
  [
    "with a as (select * from changed.lot) select one.lot_id, one.part from a as one, a as other",
    /2 times/,
  ],
  [
    "select lot_id, part from changed.lot where lot_id in (select lot_id from changed.lot)",
    /in an expression/,
  ],
  [
    "select lot_id, part, (select count(*) from changed.lot) as n from changed.lot",
    /in an expression/,
  ],
  [
    "with a as (select * from changed.lot) select lot_id, part from a where exists (select 1 from a)",
    /in an expression/,
  ],
  [
    "select lot_id, part from changed.lot join (values (1)) v (x) on exists (select 1 from changed.lot)",
    /in an expression/,
  ],
  [
    "select lot_id, part from changed.lot full join (values (1)) v (x) on x = lot_id",
    /full join/,
  ],
  [
    "select lot_id, part from (values (1)) v (x) left join changed.lot on x = lot_id",
    /left join/,
  ],
  [
    "select lot_id, part from changed.lot natural join (values (1)) v (lot_id)",
    /natural join/,
  ],
  [
    "select lot_id, part from current.lot",
    /reads changed\.<table> only, and reads current\.lot/,
  ],
  [
    "select lot_id, part from changed.lot join current.place on place_id = lot_id",
    /reads current\.place/,
  ],
  [
    "select lot_id, part from changed.lot join changed.place on place_id = lot_id",
    /lot and place/,
  ],
  ["select 1 as lot_id, 2 as part", /no table/],
  [
    "select lot_id, part + 0 as part from changed.lot",
    /"part" is not an unchanged column of the key of "lot"/,
  ],
  [
    "select part as lot_id, place_id as part from changed.lot, (values (1)) v (place_id)",
    /"part" is not an unchanged column/,
  ],
  [
    "select lot_id, note as part from changed.lot",
    /"part" is not an unchanged column/,
  ],
  [
    "select coalesce(lot_id, 0) as lot_id, part from changed.lot",
    /"lot_id" is not an unchanged column/,
  ],
  [
    "select cast(lot_id as smallint) as lot_id, part from changed.lot",
    /"lot_id" is not an unchanged column/,
  ],
  [
    "select try_cast(lot_id as varchar) as lot_id, part from changed.lot",
    /"lot_id" is not an unchanged column/,
  ],
  [
    "select * replace (1 as part) from changed.lot",
    /"part" is not an unchanged column/,
  ],
  [
    "select q.note as lot_id, part from (select #4, lot_id as note, part from changed.lot) as q",
    /"lot_id" is not an unchanged column/,
  ],
  [
    "select k_1 as lot_id, part from (select note as k, part as k, lot_id as k_1, part from changed.lot) as q",
    /"lot_id" is not an unchanged column/,
  ],
  [
    "with recursive r as (select lot_id, part from changed.lot union all select lot_id, part from r where false) select * from r",
    /maintained by row, and it has a recursive query$/,
  ],
];

for (const [sql, message] of ROWS_REFUSED) {
  Deno.test(`a row model must not be: ${sql}`, () =>
    assertRefused(lots(sql), message));
}

Deno.test("UNNESTING has all macros of DuckDB that unnest", async () => {
  await using duckdb = await openDuckDb(readConfig(() => undefined, []), {
    zones: [],
  });
  const macros = await duckdb.rows(
    `select distinct function_name as name from duckdb_functions()
    where function_type = 'macro'
      and regexp_matches(macro_definition, '\\bunnest\\(', 'i')`,
  );

  assert.deepEqual(
    new Set([...macros.map(({ name }) => name), "unnest"]),
    new Set(UNNESTING),
  );
});

Deno.test("a row model's key must be its table's whole key", () =>
  assertRefused(
    lots("select lot_id, part from changed.lot", { key: ["lot_id"] }),
    /its key lacks "part" of the key of "lot" \(lot_id, part\)/,
  ));

Deno.test("a row model's key may have another order and other names", async () => {
  const columns = await prepareAll(
    await lots("select part as p, lot_id as q from changed.lot", {
      key: ["q", "p"],
    }),
  );

  assert.deepEqual(columns.get("dim_lot"), [
    { name: "p", type: "INTEGER", source: "part" },
    { name: "q", type: "INTEGER", source: "lot_id" },
  ]);
});
