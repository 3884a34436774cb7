import assert from "node:assert/strict";
import { openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import { StageError } from "../../../lib/errors.ts";
import type { ProjectSql } from "../../../lib/project/project_sql.ts";
import { readConfig } from "../../../lib/settings/config.ts";
import { registerModels } from "../../../lib/models/register_models.ts";
import { UNNESTING } from "../../../lib/models/sql_tree.ts";
import { PROJECT_SQL } from "../../harness/platform.ts";
import { RETIRED_MIGRATIONS } from "../../harness/retired_migrations.ts";
import {
  HISTORY_SQL,
  type SmallProject,
  smallProject,
} from "../../harness/small_project.ts";

const SOURCE = `create table lot (
    lot_id integer not null,
    part integer not null,
    batch text,
    note text,
    price numeric(10,2),
    seen timestamp,
    primary key (lot_id, part)
);
create table place (
    place_id integer not null,
    city text,
    primary key (place_id)
);
`;
const KEY = ["lot_id", "part"];

async function prepareAll(sql: ProjectSql) {
  await using duckdb = await openDuckDb(readConfig(() => undefined, []), {
    zones: [],
  });
  return await registerModels(duckdb, sql);
}

function lots(sql: string, more: Partial<SmallProject["models"][0]> = {}) {
  return smallProject({
    source: SOURCE,
    models: [{ name: "dim_lot", key: KEY, sql, ...more }],
  });
}

async function assertRefused(
  sql: Promise<ProjectSql>,
  message: RegExp,
): Promise<void> {
  const project = await sql;
  const text = project.models[0]?.sql ?? "";
  try {
    await prepareAll(project);
  } catch (error) {
    assert.ok(error instanceof StageError, String(error));
    assert.match(error.message, /^Cannot use sql\/(models|quarantine)\//);
    assert.match(error.message, message, text);
    assert.ok(error.hint !== undefined);
    return;
  }
  assert.fail(`not refused: ${text}`);
}

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
const VOLATILE = [
  "now()",
  "current_timestamp",
  "current_date",
  "current_time",
  "localtimestamp",
  "localtime",
  "CURRENT_DATE",
  "get_current_timestamp()",
  "main.now()",
  "today()",
  "transaction_timestamp()",
  "current_localtimestamp()",
  "age(seen)",
  "ago(interval 1 day)",
  "pg_conf_load_time()",
  "random()",
  "uuid()",
  "gen_random_uuid()",
  "uuidv7()",
  "txid_current()",
  "version()",
  "current_setting('timezone')",
  "getvariable('x')",
  "current_user",
  "session_user",
  "current_schema()",
  "current_schema",
  "current_database()",
  "current_query()",
  "vector_type(note)",
  "pg_get_viewdef(lot_id)",
  "cast(now() as date)",
  "case when note is null then random() end",
  "date_diff('day', seen, current_timestamp)",
  "list_transform([1], x -> x + random())",
];
for (const expression of VOLATILE) {
  Deno.test(`a model must not have ${expression}`, () =>
    assertRefused(
      lots(`select lot_id, part, ${expression} as x from changed.lot`),
      /result may differ each time/,
    ));
}

const UNSTEADY_JOINS = [
  "first(note)",
  "last(note)",
  "any_value(note)",
  "arbitrary(note)",
  "list(note)",
  "array_agg(distinct note)",
  "string_agg(note, ',')",
  "group_concat(note)",
  "arg_max(note, seen)",
  "max_by(note, seen)",
  "min_by(note, seen)",
  "mode(note)",
  "approx_quantile(price, 0.5)",
  "json_group_array(note)",
];
for (const expression of UNSTEADY_JOINS) {
  Deno.test(`a join must not have ${expression} without order`, () =>
    assertRefused(
      lots(
        `select lot_id, ${expression} as x from current.lot group by lot_id`,
        { key: ["lot_id"], derivation: "join" },
      ),
      /result may differ each time/,
    ));
}

const UNSTEADY_QUERIES = [
  "select lot_id, row_number() over () as n from current.lot",
  "select lot_id, row_number() over (partition by part) as n from current.lot",
  "select lot_id, rank() over () as n from current.lot",
  "select lot_id, lag(note) over () as n from current.lot",
  "select lot_id, ntile(4) over () as n from current.lot",
  "select lot_id, string_agg(note, ',') over (partition by part) as n from current.lot",
  "select lot_id from current.lot limit 5",
  "select lot_id from (select * from current.lot offset 1) as others",
  "select lot_id from current.lot using sample 3",
  "select lot_id from current.lot tablesample 10%",
  "select distinct on (lot_id) lot_id, note from current.lot",
  "select a.lot_id, b.note from current.lot a asof join current.lot b on a.part = b.part and a.lot_id >= b.lot_id",
  "with recursive r (lot_id, n) using key (lot_id) as (select lot_id, part from current.lot union all select lot_id, n + 1 from r where n < 9) select lot_id, n from r",
  "select lot_id from current.lot positional join (values (1)) v (x)",
  "select lot_id, (select note from current.lot limit 1) as n from current.lot",
  "select lot_id, sum(price) over (rows unbounded preceding) as n from current.lot",
  "select lot_id, count(*) over (partition by part rows between 1 preceding and 1 following) as n from current.lot",
  "select lot_id, max(price) over w as n from current.lot window w as (rows between current row and unbounded following exclude ties)",
  "select lot_id, sum(price) over (order by null rows unbounded preceding) as n from current.lot",
  "select lot_id, row_number() over (order by (select null)) as n from current.lot",
  "select lot_id, row_number() over (partition by part order by 1) as n from current.lot",
  "select lot_id, first(note order by 'x') as n from current.lot group by lot_id",
  "select lot_id from current.lot order by (select null) limit 5",
];
for (const sql of UNSTEADY_QUERIES) {
  Deno.test(`a join must not be: ${sql}`, () =>
    assertRefused(
      lots(sql, { key: ["lot_id"], derivation: "join" }),
      /result may differ each time/,
    ));
}

/** Each of floats: their sum in another order has other last digits. */
const FLOAT_SUMS = [
  "sum(cast(price as double))",
  "sum(price / 2)",
  "avg(sqrt(lot_id))",
  "sum(cast(price as real))",
  "stddev(price)",
  "var_pop(lot_id)",
  "corr(lot_id, part)",
  "regr_slope(price, part)",
  "product(lot_id)",
  "entropy(note)",
  "skewness(price)",
  "fsum(price)",
  "geomean(price)",
  "max(price) + sum(1e0 * price) filter (where part > 1)",
];
for (const expression of FLOAT_SUMS) {
  Deno.test(`a join must not have ${expression}`, () =>
    assertRefused(
      lots(
        `select lot_id, cast(${expression} as decimal(10, 2)) as x from current.lot group by lot_id`,
        { key: ["lot_id"], derivation: "join" },
      ),
      /\(\) of floats, whose last digits depend on the order of the rows/,
    ));
}

Deno.test("a join must not have a sum of floats over a window", () =>
  assertRefused(
    lots(
      "select lot_id, part, sum(price / 2) over (partition by lot_id) as x from current.lot",
      { derivation: "join" },
    ),
    /sum\(\) of floats/,
  ));

const STEADY = [
  "select lot_id, part, list(note order by note)[1] as first, cast(list(price order by price desc) as varchar) as x, list_sort(list(seen))[1] as y from current.lot group by lot_id, part",
  "select lot_id, part, avg(price) as x, avg(lot_id) as y, max(price / 2) as z, sum(price) / 2 as s, list_sum(list(price / 2 order by seen)) as l from current.lot group by lot_id, part",
  "select lot_id, part, sum(price / 2) over (order by lot_id, part rows unbounded preceding) as x, sum(price) over (rows between unbounded preceding and unbounded following exclude current row) as y from current.lot",
  "select lot_id, part, sum(price) over (order by null) as x, max(seen) over (range between current row and unbounded following) as y from current.lot",
  "select lot_id, part from current.lot order by 2, 1 limit 3",
  "select lot_id, part from current.lot order by all limit 3",
  "select lot_id, part, first(note order by seen) as x, string_agg(note, ',' order by note) as y, sum(price) as z, count(distinct note) as n, max(seen) as seen from current.lot group by lot_id, part",
  "select lot_id, part, row_number() over (partition by lot_id order by part) as n, sum(price) over (partition by lot_id) as total from current.lot",
  "select lot_id, part from current.lot order by lot_id, part limit 10",
  "select distinct on (lot_id, part) lot_id, part, note from current.lot order by lot_id, part",
  "select distinct lot_id, part from current.lot",
  "select lot_id, part, cast(age(seen, timestamp '2020-01-01') as varchar) as x, date_part('year', seen) as y, md5(note) as z, cast(error('x') as varchar) as e from current.lot",
];
for (const sql of STEADY) {
  Deno.test(`a join may be: ${sql}`, async () => {
    await prepareAll(await lots(sql, { derivation: "join" }));
  });
}

Deno.test("a column may be named like a value function of DuckDB", async () => {
  await prepareAll(
    await smallProject({
      source: SOURCE.replace("note text", "user text,\n    current_date text"),
      models: [{
        name: "dim_lot",
        key: KEY,
        sql: "select lot_id, part, user, current_date from changed.lot",
      }],
    }),
  );
});

const OWN_NAMES = [
  "batch",
  "BATCH",
  "is_delete",
  "snapshot_time",
  "valid_from",
  "Valid_To",
  "from_batch",
  "to_batch",
  "is_placeholder",
  "is_first",
  "has_version",
  "is_last_version",
  "event_flags",
  "row_hash",
  "xmin",
  "ctid",
  "lot_record",
];
for (const name of OWN_NAMES) {
  Deno.test(`a model's column must not be named ${name}`, () =>
    assertRefused(
      lots(`select lot_id, part, note as "${name}" from changed.lot`, {
        kind: "fact",
        recordId: "lot_record",
      }),
      new RegExp(
        `its column "${name}" has a name that the pipeline uses itself`,
      ),
    ));
}

for (
  const [sql, message] of [
    ["select lot_id, part, note, note from changed.lot", /"note" twice/],
    [
      'select lot_id, part, note as x, seen as "X" from changed.lot',
      /"X" twice/,
    ],
    ["select *, note from changed.lot", /gives the column "note" twice/],
    [
      `select lot_id, part, note as ${"x".repeat(64)} from changed.lot`,
      /over 63 bytes/,
    ],
  ] as const
) {
  Deno.test(`a model's columns must not be: ${sql}`, () =>
    assertRefused(lots(sql.replace("*,", "lot_id, part, note,")), message));
}

for (
  const [first, second, message] of [
    [
      "dim_lot",
      "dim_lot_current",
      /"dim_lot_current" is a name of the model "dim_lot", too/,
    ],
    ["dim_lot", "DIM_LOT", /"dim_lot" is a name of the model "dim_lot"/i],
    ["dim_lot", "dim_lot_closed", /dim_lot_closed/],
    ["dim_lot", "staged_dim_lot", /staged_dim_lot/],
    [
      "dim_lot",
      "quarantine",
      /"quarantine" is a name of the model "quarantine"/,
    ],
    ["dim_lot", "quarantine_history", /quarantine_history/],
    ["dim_lot", "x".repeat(52), /has over 63 bytes/],
    ["dim_lot", "_state", /starts like those of the pipeline's own folders/],
    ["dim_lot", "pg_class", /starts like those of PostgreSQL's own tables/],
  ] as const
) {
  Deno.test(`models must not be named ${first} and ${second}`, () =>
    assertRefused(
      smallProject({
        source: SOURCE,
        models: [first, second].map((name) => ({
          name,
          key: KEY,
          sql: "select lot_id, part from changed.lot",
        })),
      }),
      message,
    ));
}

Deno.test("a model may have as many columns as a table of the warehouse", async () => {
  const wide = (columns: number) =>
    lots(
      `select lot_id, part, ${
        Array.from({ length: columns - 2 }, (_, index) => `note as c${index}`)
          .join(", ")
      } from changed.lot`,
    );

  await prepareAll(await wide(1595));
  await assertRefused(wide(1596), /has 1596 columns, .* holds 1595 beside/);
});

Deno.test("a key may have as many columns as an index of the warehouse, less one for the batch", async () => {
  const wide = (columns: number) => {
    const key = Array.from({ length: columns }, (_, index) => `c${index}`);
    const types = key.map((name) => `${name} integer not null`).join(", ");
    return smallProject({
      source: `create table wide (${types}, primary key (${key.join(", ")}));`,
      models: [{ name: "dim_wide", key, sql: "select * from changed.wide" }],
    });
  };

  await prepareAll(await wide(31));
  await assertRefused(
    wide(32),
    /its key has 32 columns, and an index of the warehouse holds 31/,
  );
});

Deno.test("the columns named in a header must be among the model's columns", async () => {
  const sql = "select lot_id, part from changed.lot";
  await assertRefused(
    lots("select lot_id from current.lot", { derivation: "join" }),
    /no column "part", which belongs to its key or is a time of day/,
  );
  await assertRefused(lots(sql, { times: ["seen"] }), /no column "seen"/);
});

Deno.test("a fact whose table is declared must have a record id", () =>
  assertRefused(
    smallProject({
      source: SOURCE,
      models: [{
        name: "fact_lot",
        kind: "fact",
        key: KEY,
        sql: "select lot_id, part from changed.lot",
      }],
      warehouse: "create table fact_lot (lot_id integer, part integer);",
    }),
    /neither `-- Serial number:` .* says what numbers the fact's versions/,
  ));

Deno.test("a query that DuckDB can't bind is refused by its file's name", () =>
  assertRefused(
    lots("select lot_id, part, missing from changed.lot"),
    /sql\/models\/dim_lot\.sql: Binder Error: .*"missing"/,
  ));

const QUARANTINE_ALLOWED = [
  "select distinct on (lot_id, part) lot_id, part, 'x' as reason from arrived.lot order by lot_id, part",
  "select lot_id, part, 'x' as reason from arrived.lot where price < 0",
  "with a as (select lot_id, part, 'x' as fault from arrived.lot union all select lot_id, part, 'y' from arrived.lot) select lot_id, part, string_agg(fault, ';' order by fault) as reason from a group by lot_id, part",
  "select one.lot_id, one.part, 'x' as reason from arrived.lot as one join arrived.lot as other using (lot_id, part)",
  "select lot.*, 'x' as reason from arrived.lot where price < 0",
  "select cast(lot.lot_id as text) as lot_id, Part, price || ' is bad' as reason from arrived.lot",
  "select lot_id::text as lot_id, part, 'x' as reason from arrived.lot union all select lot_id::text, part, 'y' from arrived.lot",
  "with bad(lot_id, part, reason) as (select lot_id, part, 'x' from arrived.lot) select lot_id, part, reason from bad",
  "select lot_id, part, reason from (select lot_id, part, 'x' from arrived.lot) as bad(lot_id, part, reason)",
  "select * from (select lot_id, part, 'x' as reason from arrived.lot) union all select lot_id, part, 'y' from arrived.lot",
  "select lot_id, part, 'x' as reason from arrived.lot join (values (1, 2)) as bad (lot_id, part) using (lot_id, part)",
  "with bad(lot_id, part) as (values (1, 2)) select lot_id, part, 'x' as reason from arrived.lot join bad using (lot_id, part)",
  "select lot_id, part, 'x' as reason from arrived.lot where lot_id in (select v.lot_id from (values (1)) as v (lot_id))",
  "with lots as (select * from arrived.lot) select Lots.lot_id, arrived.lot.part, unnest(['x', 'y']) as reason from lots join arrived.lot using (lot_id, part)",
];
const QUARANTINE_REFUSED: [string, RegExp][] = [
  [
    "select lot_id, part, 'x' as reason from current.lot",
    /reads current\.lot, not arrived\.lot/,
  ],
  ["select lot_id, part, 'x' as reason from changed.lot", /reads changed\.lot/],
  [
    "select lot_id, part, 'x' as reason from arrived.lot, arrived.place",
    /reads arrived\.place/,
  ],
  [
    "select 1 as lot_id, 2 as part, 'x' as reason",
    /does not read arrived\.lot/,
  ],
  [
    "select lot_id, part, 'x' as reason from arrived.lot where seen > now()",
    /now\(\)/,
  ],
  [
    "select lot_id, part, 'x' as reason from arrived.lot where seen > current_date",
    /current_date/,
  ],
  [
    "select lot_id, part, 'x' as reason from arrived.lot qualify count(*) over (partition by note) > 1",
    /window function/,
  ],
  [
    "select min(lot_id) as lot_id, min(part) as part, 'x' as reason from arrived.lot group by note having count(*) > 1",
    /groups rows by something other than the key/,
  ],
  [
    "select lot_id, part, 'x' as reason from arrived.lot where price < (select avg(price) from arrived.lot)",
    /in an expression/,
  ],
  [
    "select one.lot_id, one.part, 'x' as reason from arrived.lot as one join arrived.lot as other on one.note = other.note",
    /joins rows by something other than the key/,
  ],
  [
    "select lot_id, part, 'x' as reason from arrived.lot order by 1 limit 1",
    /limit/,
  ],
  [
    "select distinct on (note) lot_id, part, 'x' as reason from arrived.lot order by note, lot_id, part",
    /distinct on without the key \(lot_id, part\)/,
  ],
  [
    "select distinct on (lot_id) lot_id, part, 'x' as reason from arrived.lot order by lot_id, part",
    /distinct on without the key/,
  ],
  [
    "select lot_id, part, 'x' as reason from (from arrived.lot select lot_id, part, price) pivot (count(*) for price in (1, 2))",
    /pivot or unpivot/,
  ],
  [
    "select lot_id, part, 'x' as reason from arrived.lot unpivot (v for n in (lot_id as 'a', part as 'b'))"
      .replace("select lot_id, part", "select 1 as lot_id, 2 as part"),
    /pivot or unpivot/,
  ],
  [
    "select lot_id, 'x' as reason from arrived.lot",
    /does not give the column "part" once/,
  ],
  ["select lot_id, part, 'x' as why from arrived.lot", /"reason" once/],
  ...[
    "select lot_id + 1 as lot_id, part, 'x' as reason from arrived.lot",
    "select cast(price as integer) as lot_id, part, 'x' as reason from arrived.lot",
    "select lot_id, part, 'x' as reason from (select part as lot_id, part, note from arrived.lot)",
    "select lot_id, part, 'x' as reason from (select * replace (part as lot_id) from arrived.lot)",
    "select lot_id, part, 'x' as reason from (select * exclude (lot_id) rename (price as lot_id) from arrived.lot)",
    "select lot_id, part, 'x' as reason from (select price, part from arrived.lot) as own(lot_id, part)",
    "with own(lot_id, part) as (select price, part from arrived.lot) select lot_id, part, 'x' as reason from own",
    "select lot_id, part, 'x' as reason from arrived.lot union all select part, lot_id, 'y' from arrived.lot",
    "select bad.lot_id, part, 'x' as reason from arrived.lot join (values (5)) as bad (lot_id) on true",
    "with bad(lot_id) as (values (5)) select bad.lot_id, part, 'x' as reason from arrived.lot cross join bad",
    "select one.lot_id, one.part, 'x' as reason from arrived.lot as one join (select part, price as lot_id from arrived.lot) as other using (lot_id, part)",
    "select * exclude (lot_id), columns('(lot)_seen') as '\\1_id', 'x' as reason from (select *, lot_id + 1 as lot_seen from arrived.lot)",
  ].map((sql): [string, RegExp] => [
    sql,
    /what it calls "lot_id" is not that column of the key, unchanged/,
  ]),
  ...[
    "select own.*, 'x' as reason from (select {'lot_id': part, 'part': part} as own from arrived.lot)",
    "select columns(own.*), 'x' as reason from (select {'lot_id': part, 'part': part} as own from arrived.lot)",
    "select own.lot_id, part, 'x' as reason from (select {'lot_id': part} as own, part from arrived.lot)",
    "select own.lot_id, part, 'x' as reason from (select {'lot_id': part} as own, part from arrived.lot) as own",
    "select unnest({'lot_id': part}) as own, part, 'x' as reason from arrived.lot",
    "select unnest(own), part, 'x' as reason from (select [{'lot_id': part}] as own, part from arrived.lot)",
    "select lot_id, part, 'x' as reason from (select unnest(own), part from (select {'lot_id': part} as own, part from arrived.lot))",
  ].map((sql): [string, RegExp] => [sql, /it takes columns out of a struct/]),
];

function quarantined(sql: string): Promise<ProjectSql> {
  return smallProject({
    source: SOURCE,
    models: [{
      name: "dim_lot",
      key: KEY,
      sql: "select lot_id, part from changed.lot",
    }],
    quarantine: { lot: sql },
  });
}
for (const sql of QUARANTINE_ALLOWED) {
  Deno.test(`a quarantine query may be: ${sql}`, async () => {
    await prepareAll(await quarantined(sql));
  });
}
for (const [sql, message] of QUARANTINE_REFUSED) {
  Deno.test(`a quarantine query must not be: ${sql}`, () =>
    assertRefused(quarantined(sql), message));
}

for (
  const [declared, expression, fits] of [
    ["bigint", "lot_id", true],
    ["smallint", "cast(lot_id as bigint)", true],
    ["text", "price", true],
    ["jsonb", "note", true],
    ["numeric(8,1)", "price", true],
    ["date", "cast(seen as date)", true],
    ["timestamptz", "seen", true],
    ["integer", "note", false],
    ["integer", "price", false],
    ["date", "seen", false],
    ["date", "note", false],
    ["boolean", "lot_id", false],
    ["numeric(10,2)", "note", false],
    ["uuid", "note", false],
    ["text", "interval 1 day", false],
    ["interval", "seen - seen", false],
    ["integer[]", "[lot_id]", false],
    ["jsonb", "{'a': lot_id}", false],
    ["jsonb", "to_json({'a': lot_id})", true],
    ["jsonb", "map {'a': lot_id}", false],
    ["text", "[lot_id]", true],
    ["bytea", "encode(note)", false],
    ["bytea", "note", false],
    ["money", "price", false],
    ["numeric(10,2)", "cast(price as double)", false],
    ["numeric", "cast(price as double)", true],
    ["double precision", "cast(price as double)", true],
    ["double precision", "price", true],
    ["double precision", "cast(lot_id as bigint)", false],
    ["real", "price", false],
    ["real", "lot_id", false],
    ["real", "cast(price as double)", false],
    ["real", "cast(price as real)", true],
    ["float8", "note", false],
    ["timestamp(3)", "seen", false],
    ["timestamp(0) with time zone", "seen", false],
    ["timestamp(3)", "cast(seen as timestamp_ms)", true],
    ["timestamp(6)", "seen", true],
    ["timestamp", "cast(seen as timestamp_ns)", false],
    ["time(3)", "cast(seen as time)", false],
    ["time", "cast(seen as time)", true],
    ["varchar(20)", "note", true],
    ["character varying (20)", "lot_id", true],
    ["char(3)", "note", true],
    ["name", "note", true],
    ["text[]", "note", true],
    ["varchar(20)[]", "note", true],
    ["text array", "note", true],
    ["text[]", "lot_id", false],
    ["text[]", "[note]", false],
    ["varchar(20) [3]", "price", false],
    ["numeric(10,2)[]", "price", false],
    ["numeric", "[price]", false],
    ["numeric(10,2)", "[price]", false],
    ["double precision[]", "price", false],
    ["timestamp[]", "seen", false],
    ["timestamp(3) with time zone[]", "cast(seen as date)", false],
    ["time[]", "cast(seen as time)", false],
    ["jsonb[]", "to_json(note)", false],
  ] as const
) {
  Deno.test(`the warehouse's ${declared} ${fits ? "holds" : "can't hold"} ${expression}`, async () => {
    const project = smallProject({
      source: SOURCE,
      models: [{
        name: "fact_lot",
        kind: "fact",
        key: KEY,
        recordId: "record_id",
        sql: `select lot_id, part, ${expression} as x from changed.lot`,
      }],
      warehouse: `create table fact_lot (record_id bigint primary key,
        lot_id integer not null, part integer not null, x ${declared},
        ${HISTORY_SQL});`,
    });
    if (fits) await prepareAll(await project);
    else {
      await assertRefused(
        project,
        /its column "x" is .*, and .* in the warehouse/,
      );
    }
  });
}

for (
  const [column, message] of [
    [
      'price as "Unit_Price"',
      /its column "Unit_Price" is named "unit_price" in the warehouse/,
    ],
    ['note as "note"', /its column "note" is named "NOTE" in the warehouse/],
    ["interval 1 day as x", /its column "x" is INTERVAL, which/],
    ["[lot_id] as x", /its column "x" is INTEGER\[\], which/],
    ["cast('a' as enum ('a', 'b')) as x", /its column "x" is ENUM/],
  ] as const
) {
  Deno.test(`the warehouse has no column type for: ${column}`, () =>
    assertRefused(
      smallProject({
        source: SOURCE,
        models: [{
          name: "dim_lot",
          key: KEY,
          sql: `select lot_id, part, ${column} from changed.lot`,
        }],
        warehouse: `create table public.dim_lot (lot_id integer, part integer,
          unit_price numeric(10,2), "NOTE" text, ${HISTORY_SQL});`,
      }),
      message,
    ));
}
