import assert from "node:assert/strict";
import { Random } from "../../../demo/random.ts";
import { type DuckDb, openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import { quoteNames } from "../../../lib/sql/quote.ts";
import { parseContract } from "../../../lib/project/contract.ts";
import { readConfig } from "../../../lib/settings/config.ts";
import { findAffectedRows } from "../../../transform/models/affected_rows.ts";
import { currentViews } from "../../../transform/tables/make_current.ts";
import { newSeed } from "../../harness/seed.ts";

const TABLES = parseContract(`
create table staff (id integer primary key, dept integer, site integer,
  boss integer, name text);
create table dept (id integer primary key, site integer, name text);
create table site (id integer primary key, area integer, name text);
create table line (doc integer, pos integer, staff integer, amount integer,
  primary key (doc, pos));
`);
const SCHEMAS = [
  ..."before after changed deleted arrived moved either current affected base"
    .split(" "),
];
const ROUNDS = 12;
const KEYS = 6;

/** Queries whose rows can be followed, with their keys. */
const FOLLOWED: Record<string, { key: string[]; sql: string }> = {
  "a left join": {
    key: ["id"],
    sql: `select staff.id, dept.name as dept from current.staff as staff
      left join current.dept as dept on dept.id = staff.dept`,
  },
  "left joins in a row, of which one hangs on another": {
    key: ["id"],
    sql: `select s.id, d.name as dept, p.name as site from current.staff as s
      left join current.dept as d on s.dept = d.id
      left join "current".site as p on p.id = d.site and p.area > 1`,
  },
  "inner joins": {
    key: ["id"],
    sql: `select staff.id, d.name, p.name as site from current.staff
      inner join current.dept as d on staff.dept = d.id
      inner join current.site as p on d.site = p.id where p.area <> 2`,
  },
  "a table joined to itself": {
    key: ["staff_id"],
    sql: `with boss as (select id, name, site from current.staff)
      select é.id as staff_id, boss.name as "boss é", é.name
      from current.staff as é left join boss on boss.id = é.boss`,
  },
  "sums of another table by a column": {
    key: ["id"],
    sql: `with sums as (
        select staff, count(*) as lines, sum(amount) as amount
        from current.line where amount > 1 group by staff having count(*) > 0
      ) select id, lines, amount, name from current.staff
      left join sums on sums.staff = staff.id`,
  },
  "sums of a join by a column": {
    key: ["id"],
    sql: `select site.id, n from current.site left join (
        select dept.site, count(*) as n from current.staff
        inner join current.dept on dept.id = staff.dept group by dept.site
      ) as counts on counts.site = site.id`,
  },
  "using": {
    key: ["id"],
    sql: `select * from (select id, dept as k from current.staff)
      left join (select id as k, name from current.dept) using (k)`,
  },
  "rows without a match": {
    key: ["id"],
    sql: `select staff.id, staff.name from current.staff
      anti join current.dept as d on d.id = staff.dept and d.site > 1`,
  },
  "rows with a match": {
    key: ["id"],
    sql: `select staff.id, staff.name from current.staff
      semi join current.dept as d on d.id = staff.dept`,
  },
  "a join by a column that is no key": {
    key: ["id"],
    sql: `select staff.id, d.id as dept from current.staff
      left join (select name, min(id) as id from current.dept group by name)
        as d on d.name = staff.name`,
  },
  "a key of two columns": {
    key: ["d", "p"],
    sql: `select line.doc as d, line.pos as p, s.name, dept.name as dept
      from current.line left join current.staff as s on s.id = line.staff
      left join current.dept on dept.id = s.dept where s.name is not null`,
  },
  "a row for each pair": {
    key: ["id", "pos", "doc"],
    sql: `select staff.id, line.doc, line.pos, line.amount from current.staff
      inner join current.line on line.staff = staff.id`,
  },
  "a list of values, and columns named by position": {
    key: ["id"],
    sql: `with own (id, k) as (select id, dept from current.staff)
      select own.id, v.label, d.name from own
      left join (values (1, 'one'), (2, 'two')) as v(code, label)
      on v.code = own.k left join current.dept as d on d.id = own.k`,
  },
  "distinct values of another table": {
    key: ["id"],
    sql: `select s.id, x.staff is not null as has_line from current.staff as s
      left join (select distinct staff from current.line) as x
      on x.staff = s.id`,
  },
};

/** Queries of which a change may reach rows that can't be found. */
const NOT_FOLLOWED: Record<string, { key: string[]; sql: string }> = {
  "a condition that is no equality of columns": {
    key: ["id"],
    sql: `select s.id, d.name from current.staff as s
      left join current.dept as d on d.id = coalesce(s.dept, 0)`,
  },
  "an equality with a table that may have no match": {
    key: ["id"],
    sql: `select s.id, max(p.id) as p, max(d.id) as d from current.staff as s
      inner join current.dept as d on d.id >= s.dept
      left join current.site as p on p.id = d.site and p.area = s.site
      group by s.id`,
  },
  "the same with a row for each pair": {
    key: ["id", "dept"],
    sql: `select s.id, d.id as dept, p.id as site from current.staff as s
      inner join current.dept as d on d.id >= s.dept
      left join current.site as p on p.id = d.site and p.area = s.site`,
  },
  "groups of the driving table": {
    key: ["id"],
    sql: `select s.id, count(d.id) as n from current.staff as s
      left join current.dept as d on d.id = s.dept group by s.id`,
  },
  "a rank among all rows": {
    key: ["id"],
    sql: `select s.id, d.name, rank() over (order by s.name) as place
      from current.staff as s left join current.dept as d on d.id = s.dept`,
  },
  "a subquery in an expression": {
    key: ["id"],
    sql: `select s.id, (select count(*) from current.dept) as n
      from current.staff as s`,
  },
  "an aggregate without groups": {
    key: ["id"],
    sql: `select s.id, n from current.staff as s
      cross join (select max(id) as n from current.dept)`,
  },
  "a union": {
    key: ["id"],
    sql: `select s.id, s.name from current.staff as s
      union all select 100 + id, name from current.dept`,
  },
  "a full join": {
    key: ["id"],
    sql: `select coalesce(s.id, 100 + d.id) as id, d.name
      from current.staff as s full join current.dept as d on d.id = s.dept`,
  },
  "a key that the driving table does not give": {
    key: ["id"],
    sql: `select s.id + 0 as id, d.name from current.staff as s
      left join current.dept as d on d.id = s.dept`,
  },
  "the newest of several": {
    key: ["id"],
    sql: `select s.id, d.name from current.staff as s left join (
        select * from current.dept qualify row_number() over (
          partition by site order by id) = 1) as d on d.site = s.site`,
  },
  "a rollup": {
    key: ["id"],
    sql: `select s.id, n from current.staff as s left join (
        select site, name, count(*) as n from current.dept
        group by rollup (site, name)) as d on d.site = s.site
        and d.name = s.name`,
  },
  "a column that a list of values hides": {
    key: ["id"],
    sql: `select q.id, d.name from (
        select * from (values (1), (2)) as v(dept)
        cross join (select id, dept from current.staff)
      ) as q left join current.dept as d on d.id = q.dept`,
  },
  "a name that DuckDB gives a repeated one": {
    key: ["id"],
    sql: `select q.id, p.name from (
        select id, boss as k, dept as k, site as k_1 from current.staff
      ) as q left join current.site as p on p.id = q.k_1`,
  },
  "a column without a name before one of its name": {
    key: ["staff_id"],
    sql: `select q.staff_id, d.name from (
        select id as staff_id, #2, site as dept from current.staff
      ) as q left join current.dept as d on d.id = q.dept`,
  },
  "an expression before a column of its name": {
    key: ["staff_id"],
    sql: `select q.staff_id, d.name from (
        select id as staff_id, dept + 1, site as "(dept + 1)"
        from current.staff
      ) as q left join current.dept as d on d.id = q."(dept + 1)"`,
  },
  "a table's columns with one that a join merged": {
    key: ["id"],
    sql: `select q.id, p.name from (
        select d.*, s.id, s.boss as k
        from (select id, dept as k, boss from current.staff) as s
        left join (select id as k, site from current.dept) as d using (k)
      ) as q left join current.site as p on p.id = q.k`,
  },
  "a field of a column named like a table": {
    key: ["id", "doc", "pos"],
    sql: `select s.id, l.doc, l.pos from (
        select id, {'id': site} as dept, dept as k from current.staff
      ) as s inner join current.dept as dept on dept.id = s.k
      inner join current.line as l on l.staff = s.dept.id`,
  },
  "a column named with its table's schema": {
    key: ["id"],
    sql: `select s.id, dept.name from current.staff as s
      left join current.dept on dept.id = s.dept
      where current.dept.name is not null`,
  },
  "a text that equals a number": {
    key: ["id"],
    sql: `select s.id, d.site from current.staff as s left join (
        select * from current.dept where name ~ '^[0-9]+$'
      ) as d on d.name = s.dept`,
  },
  "a right join": {
    key: ["id"],
    sql: `select s.id, d.name from current.dept as d
      right join current.staff as s on d.id = s.dept`,
  },
};

for (const [what, query] of Object.entries(FOLLOWED)) {
  Deno.test(`findAffectedRows() finds all rows that a change reaches: ${what}`, async () => {
    const seed = newSeed();
    const random = new Random(seed);
    await using duckdb = await open();
    for (let round = 0; round < ROUNDS; round++) {
      const changed = await change(duckdb, random);
      // A model that reads nothing that changed is not made at all.
      const reads = new RegExp(`current"?\\.(${[...changed].join("|")})\\b`);
      if (changed.size === 0 || !reads.test(query.sql)) continue;

      const affected = await findAffectedRows(
        { duckdb, sql: { tables: TABLES } },
        { changed, model: query },
      );

      assert.ok(affected !== undefined, "it can't be followed");
      const sides: Record<string, unknown>[][] = [];
      for (const side of ["before", "after"] as const) {
        await show(duckdb, side);
        sides.push(await duckdb.rows(`from (${query.sql}) order by all`));
        await duckdb.run(affected.showSql(side));
        sides.push(await duckdb.rows(`from (${affected.sql}) order by all`));
      }
      const [before = [], some = [], after = [], others = []] = sides;
      const message = `TEST_SEED=${seed}, round ${round}`;
      assert.deepEqual(
        minus(others, some),
        minus(after, before),
        message,
      );
      assert.deepEqual(minus(some, others), minus(before, after), message);
      assert.deepEqual(minus(some, before), [], message);
    }
  });
}

for (const [what, query] of Object.entries(NOT_FOLLOWED)) {
  Deno.test(`findAffectedRows() requires a comparison of all rows for ${what}`, async () => {
    await using duckdb = await open();
    const changed = await change(duckdb, new Random(1));
    await show(duckdb, "after");
    await duckdb.rows(`from (${query.sql})`);

    const affected = await findAffectedRows(
      { duckdb, sql: { tables: TABLES } },
      { changed, model: query },
    );

    assert.equal(affected, undefined);
  });
}

async function open(): Promise<DuckDb> {
  const duckdb = await openDuckDb(readConfig(() => undefined, []), {
    zones: [],
  });
  await duckdb.run(
    SCHEMAS.map((schema) => `create schema ${schema}`).join(";\n"),
  );
  return duckdb;
}

/** Fills the tables at random, and changes some; returns which. */
async function change(duckdb: DuckDb, random: Random): Promise<Set<string>> {
  const changed = new Set<string>();
  for (const table of TABLES) {
    const isChanged = random.between(1, 2) === 1;
    if (isChanged) changed.add(table.name);
    const names = table.columns.map(({ name }) => name);
    const key = quoteNames(table.key);
    const rows = (share: number) =>
      `select * from (values ${
        [...keysOf(table.key.length)].map((key) =>
          `(${
            [
              ...key,
              ...names.slice(key.length).map((name) => value(random, name)),
              random.fraction() < share,
            ].join(", ")
          })`
        ).join(", ")
      }) as filled (${quoteNames(names)}, is_there)`;
    await duckdb.run(
      [
        `create or replace table base.${table.name} as
        select * exclude (is_there) from (${rows(0.7)}) where is_there`,
        `create or replace table changed.${table.name} as
        select * exclude (is_there) from (${rows(0.3)})
        where is_there and ${isChanged}`,
        `create or replace table deleted.${table.name} as
        select ${key} from (${rows(0.2)}) where is_there and ${isChanged}`,
        ...currentViews(table, {
          before: `from base.${table.name}`,
          isFullRead: false,
        }),
      ].join(";\n"),
    );
  }
  return changed;
}

function* keysOf(columns: number): Generator<number[]> {
  for (let key = 1; key <= KEYS; key++) {
    if (columns === 1) yield [key];
    else for (let next = 1; next <= 2; next++) yield [key, next];
  }
}

function value(random: Random, name: string): string {
  const drawn = random.between(0, KEYS);
  if (drawn === 0) return name === "name" ? "cast(null as text)" : "null";
  return name === "name" ? `'${drawn}'` : String(drawn);
}

async function show(duckdb: DuckDb, side: string): Promise<void> {
  await duckdb.run(
    TABLES.map(({ name }) =>
      `create or replace view current.${name} as from ${side}.${name}`
    ).join(";\n"),
  );
}

/** The rows of one list that the other does not have. */
function minus(rows: readonly unknown[], without: readonly unknown[]) {
  const others = new Set(without.map((row) => JSON.stringify(row)));
  return rows.map((row) => JSON.stringify(row)).filter((row) =>
    !others.has(row)
  );
}
