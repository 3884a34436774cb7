import { assertRefused, lots, prepareAll } from "./lots.ts";

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
