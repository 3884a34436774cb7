import assert from "node:assert/strict";
import { openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import type { ProjectSql } from "../../../lib/project/project_sql.ts";
import { readConfig } from "../../../lib/settings/config.ts";
import { changedParts } from "../../../transform/checks/changed_parts.ts";
import { splitQueries } from "../../../transform/checks/split_queries.ts";
import { registerModels } from "../../../lib/models/register_models.ts";
import { projectOf } from "../../harness/companies/small_project.ts";

type Files = Readonly<Record<string, string>>;

/** Two tables; `more` are columns that the first gains. */
function source(more = "", declared = "weight bigint"): Files {
  return {
    "source.sql": `create table item (
    item_id integer primary key, ${more} title text not null, place_id integer,
    ${declared}
);
create table place (
    place_id integer not null primary key, city text
);
`,
  };
}

function model(sql: string, header = "Key: item_id."): Files {
  return { "models/dim_item.sql": `-- ${header}\n\n${sql}\n` };
}

function byRow(columns: string): Files {
  return model(`select ${columns} from changed.item`);
}

async function split(sql: ProjectSql) {
  await using duckdb = await openDuckDb(readConfig(() => undefined, []), {
    zones: [],
  });
  await registerModels(duckdb, sql);
  return await splitQueries(duckdb, sql);
}

async function changes(before: Files, after: Files): Promise<string[]> {
  const [was, is] = await Promise.all([projectOf(before), projectOf(after)]);
  const { parts } = await split(was);
  // As a manifest keeps it.
  const kept: typeof parts = JSON.parse(JSON.stringify(parts));
  return changedParts(kept, { sql: is, now: await split(is) });
}

const JOINED = `with items as (
    select item_id, title, place_id from current.item
),

places as (
    select place_id, city from current.place
)

select items.item_id, items.title, places.city
from items
left join places on places.place_id = items.place_id`;

const COUNTED = `select place_id as item_id, count(*) as items
from current.item where place_id is not null group by place_id`;

/** Each only adds. */
const ADDITIONS: Readonly<Record<string, [before: Files, after: Files]>> = {
  "a column, between others, with comments and blanks": [
    { ...source(), ...byRow("item_id, title") },
    { ...source(), ...byRow("item_id, -- New.\n weight,\n   title") },
  ],
  "a column of the contract and the model": [
    { ...source(), ...byRow("item_id, title") },
    { ...source("colour text,"), ...byRow("item_id, title, colour") },
  ],
  "a column of the contract that `*` takes": [
    { ...source(), ...byRow("*, upper(title) as loud") },
    { ...source("colour text,"), ...byRow("*, upper(title) as loud") },
  ],
  "a column of the contract that a CTE's `*` takes": [
    {
      ...source(),
      ...model(
        "with i as (select * from changed.item) select i.item_id from i",
      ),
    },
    {
      ...source("colour text,"),
      ...model(
        "with i as (select * from changed.item) select i.item_id, colour from i",
      ),
    },
  ],
  "a column of the contract with the name of another table's": [
    { ...source(), ...model(JOINED) },
    { ...source("city text,"), ...model(JOINED) },
  ],
  "a column through a CTE": [
    { ...source(), ...model(JOINED) },
    {
      ...source(),
      ...model(
        JOINED.replace("title, place_id", "title, weight, place_id")
          .replace("items.title", "items.title, items.weight"),
      ),
    },
  ],
  "a column that the query has under where": [
    { ...source(), ...model(`${COUNTED}`) },
    {
      ...source(),
      ...model(COUNTED.replace("count(*)", "place_id, count(*)")),
    },
  ],
  "a sum beside another": [
    { ...source(), ...model(COUNTED) },
    {
      ...source(),
      ...model(COUNTED.replace("items", "items, max(weight) as weight")),
    },
  ],
  "a time of day": [
    { ...source(), ...model("select item_id from changed.item") },
    {
      ...source("seen timestamp,"),
      ...model(
        "select item_id, cast(cast(seen as time) as varchar) as hour from changed.item",
        "Key: item_id.\n-- Times of day: hour.",
      ),
    },
  ],
  "a table with its model and its rule": [
    { ...source(), ...byRow("item_id") },
    {
      "source.sql": `${
        source()["source.sql"]
      }create table lot (lot_id integer primary key);\n`,
      ...byRow("item_id"),
      "models/dim_lot.sql": "-- Key: lot_id.\nselect lot_id from changed.lot",
      "quarantine/lot.sql":
        "select lot_id, 'odd' as reason from arrived.lot where lot_id < 0",
    },
  ],
};

for (const [name, [before, after]] of Object.entries(ADDITIONS)) {
  Deno.test(`changedParts() finds nothing where SQL only adds: ${name}`, async () => {
    assert.deepEqual(await changes(before, after), []);
  });
}

const RULE =
  "select item_id, 'heavy' as reason from arrived.item where weight > 10";

const BESIDE_STAR =
  "select i.* from (select *, coalesce(weight, 0) as net from changed.item) as i";
const PAIRED = `with pair as (
  select * from current.item as i
  left join current.place as p using (place_id)
) select * from pair`;
const BEFORE_STAR =
  "with a as (select * from current.item) select a.item_id, a.weight from a";
const IN_ORDER = `with a as (
  select place_id, city from current.place
), b as (
  select item_id, place_id from current.item
) select max(place_id) as item_id, city as k from (
  from a union all select place_id, cast(item_id as varchar) from b
) as everything group by city`;
const BY_POSITION = "select x as item_id, y as a from current.item as i(x, y)";
const OF_A_SUBQUERY =
  "select 1 as item_id, (select max(place_id) from current.place) as m from current.item where item_id = 9";

/** Each may change what is there, and as which line. */
const CHANGES: Readonly<
  Record<string, [before: Files, after: Files, ...lines: string[]]>
> = {
  "an expression": [
    { ...source(), ...byRow("item_id, title") },
    { ...source(), ...byRow("item_id, upper(title) as title") },
    "dim_item: title is computed differently",
  ],
  "a number that JavaScript would round": [
    { ...source(), ...byRow("item_id, 9007199254740992 as n") },
    { ...source(), ...byRow("item_id, 9007199254740993 as n") },
    "dim_item: n is computed differently",
  ],
  "a where": [
    { ...source(), ...byRow("item_id") },
    {
      ...source(),
      ...model("select item_id from changed.item where weight > 1"),
    },
    "dim_item: its header changes, or its query besides what it selects by name",
  ],
  "how it is maintained": [
    { ...source(), ...model("select item_id from current.item") },
    { ...source(), ...byRow("item_id") },
    "dim_item: its header changes, or its query besides what it selects by name",
  ],
  "the columns of a distinct": [
    { ...source(), ...model("select distinct item_id from current.item") },
    {
      ...source(),
      ...model("select distinct item_id, weight from current.item"),
    },
    "dim_item: its header changes, or its query besides what it selects by name",
  ],
  "a group that is all": [
    {
      ...source(),
      ...model("select item_id, count(*) as n from current.item group by all"),
    },
    {
      ...source(),
      ...model(
        "select item_id, title, count(*) as n from current.item group by all",
      ),
    },
    "dim_item: its header changes, or its query besides what it selects by name",
  ],
  "groups by position": [
    {
      ...source(),
      ...model(
        "select place_id as item_id, count(*) as n from current.item group by 1",
      ),
    },
    {
      ...source(),
      ...model(
        "select place_id as item_id, count(*) as n, max(weight) as w from current.item group by 1",
      ),
    },
    "dim_item: its header changes, or its query besides what it selects by name",
  ],
  "an aggregate where there was none": [
    {
      ...source(),
      ...model("select 1 as item_id from current.item where item_id = 1"),
    },
    {
      ...source(),
      ...model(
        "select 1 as item_id, count(*) as n from current.item where item_id = 1",
      ),
    },
    "dim_item: its header changes, or its query besides what it selects by name",
  ],
  "a column that multiplies rows": [
    { ...source(), ...model("select item_id from current.item") },
    {
      ...source(),
      ...model("select item_id, unnest([1, 2]) as part from current.item"),
    },
    "dim_item: part may give more rows or columns",
  ],
  "an alias that another part uses": [
    {
      ...source(),
      ...model("select item_id from current.item where weight > 1"),
    },
    {
      ...source(),
      ...model(
        "select item_id, place_id as weight from current.item where weight > 1",
      ),
    },
    "dim_item: its query uses the name weight, which a new column has now",
  ],
  "a column of the contract with the name of an alias": [
    { ...source(), ...byRow("item_id, title as name, upper(name) as loud") },
    {
      ...source("name text,"),
      ...byRow("item_id, title as name, upper(name) as loud"),
    },
    "dim_item: its query uses the name name, which a new column has now",
  ],
  "a column of the contract with another's name, where `*` takes both": [
    {
      ...source(),
      ...model(`with pair as (
        select * from current.item as i
        left join current.place as p using (place_id)
      ) select pair.item_id, pair.city from pair`),
    },
    {
      ...source("city text,"),
      ...model(`with pair as (
        select * from current.item as i
        left join current.place as p using (place_id)
      ) select pair.item_id, pair.city from pair`),
    },
    "dim_item: new columns may change its rows, since it has * other than in a plain select",
    "dim_item: its query uses the name city, which a new column has now",
  ],
  "a column of the contract with the name that is computed beside a `*`": [
    { ...source(), ...model(BESIDE_STAR) },
    { ...source("net bigint,"), ...model(BESIDE_STAR) },
    "dim_item: its query uses the name net, which a new column has now",
  ],
  "a column of the contract with another's name, where a `*` passes both on": [
    { ...source(), ...model(PAIRED) },
    { ...source("city text,"), ...model(PAIRED) },
    "dim_item: new columns may change its rows, since it has * other than in a plain select",
  ],
  "a CTE's column before its `*`, which may have the same": [
    { ...source(), ...model(BEFORE_STAR) },
    {
      ...source(),
      ...model(
        BEFORE_STAR.replace("(select *", "(select place_id as weight, *"),
      ),
    },
    "dim_item: a.weight comes before *, which may have a column of this name",
    "dim_item: its query uses the name weight, which a new column has now",
  ],
  "the order of a CTE's columns": [
    { ...source(), ...model(IN_ORDER) },
    {
      ...source(),
      ...model(IN_ORDER.replace("item_id, place_id", "place_id, item_id")),
    },
    "dim_item: its query has the columns of b in another order",
  ],
  "the order of a CTE's columns, one without a name": [
    {
      ...source(),
      ...model(
        "with a as (select item_id, upper(title), lower(title) as k from current.item) select item_id from a where hash(a) > 0",
      ),
    },
    {
      ...source(),
      ...model(
        "with a as (select item_id, lower(title) as k, upper(title) from current.item) select item_id from a where hash(a) > 0",
      ),
    },
    "dim_item: a.k is computed differently",
  ],
  "the order of the contract's columns": [
    { ...source("a text, b text,"), ...model(BY_POSITION) },
    { ...source("b text, a text,"), ...model(BY_POSITION) },
    "the contract has the columns of item in another order",
  ],
  "a row as a whole, by its schema": [
    { ...source(), ...byRow("item_id, to_json(changed.item)::text as j") },
    {
      ...source("colour text,"),
      ...byRow("item_id, to_json(changed.item)::text as j"),
    },
    "dim_item: new columns may change its rows, since it has item as a whole row",
  ],
  "an aggregate where only a subquery had one": [
    { ...source(), ...model(OF_A_SUBQUERY) },
    {
      ...source(),
      ...model(OF_A_SUBQUERY.replace(" as m", " as m, count(*) as n")),
    },
    "dim_item: its header changes, or its query besides what it selects by name",
  ],
  "a natural join": [
    {
      ...source(),
      ...model(
        "select item_id, city from current.item natural join current.place",
      ),
    },
    {
      ...source("colour text,"),
      ...model(
        "select item_id, city from current.item natural join current.place",
      ),
    },
    "dim_item: new columns may change its rows, since it has a natural join",
  ],
  "a row as a whole": [
    { ...source(), ...byRow("item_id, to_json(item)::text as all_of_it") },
    {
      ...source("colour text,"),
      ...byRow("item_id, to_json(item)::text as all_of_it"),
    },
    "dim_item: new columns may change its rows, since it has item as a whole row",
  ],
  "a distinct of all columns": [
    {
      ...source(),
      ...model(
        "with d as (select distinct * from current.item) select item_id from d",
      ),
    },
    {
      ...source("colour text,"),
      ...model(
        "with d as (select distinct * from current.item) select item_id from d",
      ),
    },
    "dim_item: new columns may change its rows, since it has * other than in a plain select",
  ],
  "names by position": [
    { ...source(), ...model("select x as item_id from current.item as i(x)") },
    {
      "source.sql": source()["source.sql"]?.replace(
        "item_id integer primary key,",
        "code integer, item_id integer primary key,",
      ) ?? "",
      ...model("select x as item_id from current.item as i(x)"),
    },
    "dim_item: new columns may change its rows, since it has names for the columns of a relation",
  ],
  "a column of a CTE that is gone": [
    {
      ...source(),
      ...model(JOINED.replace("title, place", "title, weight, place")),
    },
    { ...source(), ...model(JOINED) },
    "dim_item: its query no longer has items.weight",
  ],
  "a type of the contract": [
    { ...source(), ...byRow("item_id") },
    { ...source("", "weight integer"), ...byRow("item_id") },
    "the contract's item.weight is integer, it was bigint",
  ],
  "a column of the contract that is gone": [
    { ...source(), ...byRow("item_id") },
    { ...source("", "primary key (item_id)"), ...byRow("item_id") },
    "the contract no longer has item.weight",
  ],
  "the columns that a key of the contract has": [
    { ...source(), ...model("select item_id from current.item") },
    {
      "source.sql": source()["source.sql"]?.replace(
        "integer not null primary key, city text",
        "integer not null, city text not null, primary key (place_id, city)",
      ) ?? "",
      ...model("select item_id from current.item"),
    },
    "the contract's key of place is place_id, city, it was place_id",
    "the contract's place.city is text not null, it was text",
  ],
  "a rule for a table that was there": [
    { ...source(), ...byRow("item_id") },
    { ...source(), ...byRow("item_id"), "quarantine/item.sql": RULE },
    "sql/quarantine/item.sql is new",
  ],
  "a rule that is another one": [
    { ...source(), ...byRow("item_id"), "quarantine/item.sql": RULE },
    {
      ...source(),
      ...byRow("item_id"),
      "quarantine/item.sql": RULE.replace("10", "9"),
    },
    "sql/quarantine/item.sql has changed",
  ],
  "a rule that looks at all columns": [
    {
      ...source(),
      ...byRow("item_id"),
      "quarantine/item.sql":
        "select item_id, 'empty' as reason from arrived.item where to_json(item)::text = ''",
    },
    {
      ...source("colour text,"),
      ...byRow("item_id"),
      "quarantine/item.sql":
        "select item_id, 'empty' as reason from arrived.item where to_json(item)::text = ''",
    },
    "sql/quarantine/item.sql: new columns may change its rows, since it has item as a whole row",
  ],
};

for (const [name, [before, after, ...lines]] of Object.entries(CHANGES)) {
  Deno.test(`changedParts() finds what may change rows that are there: ${name}`, async () => {
    assert.deepEqual(await changes(before, after), lines);
  });
}
