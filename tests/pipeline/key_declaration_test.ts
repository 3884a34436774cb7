import assert from "node:assert/strict";
import { StageError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { load } from "../../load/load.ts";
import { transform } from "../../transform/transform.ts";
import { companyOf } from "../harness/companies/company_of.ts";
import { ingestionManifest } from "../harness/manifests.ts";
import { openLake } from "../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../harness/platform.ts";
import { openTestDatabase } from "../harness/servers/postgres.ts";
import { fillSmall } from "../harness/companies/small_source.ts";

/** A table whose key is declared differently from some batch on. */
interface Redeclared {
  name: string;
  /** The key's columns in the contract, before and after. */
  before: string[];
  after: string[];
  /** The source's own types and statements. */
  source: string;
  alter: string[];
  /** The key's columns of row n. */
  value: (n: number) => string;
  /** Names of the key's columns in the model, where the contract has others. */
  published?: string[];
}

const single = (n: number) => `${n}`;
const text = (n: number) => `'k ${n}'`;
const pair = (n: number) => `${n}, 'k ${n}'`;
const TABLES: Redeclared[] = [
  {
    name: "wider",
    before: ["id integer"],
    after: ["id bigint"],
    source: "id integer primary key",
    alter: ["alter table $ alter id type bigint"],
    value: single,
  },
  {
    name: "widest",
    before: ["id smallint"],
    after: ["id bigint"],
    source: "id smallint primary key",
    alter: ["alter table $ alter id type bigint"],
    value: single,
  },
  {
    name: "narrower",
    before: ["id bigint"],
    after: ["id integer"],
    source: "id bigint primary key",
    alter: ["alter table $ alter id type integer"],
    value: single,
  },
  {
    name: "contract_only",
    before: ["id bigint"],
    after: ["id integer"],
    source: "id integer primary key",
    alter: [],
    value: single,
  },
  {
    name: "sparse",
    before: ["id integer"],
    after: ["id bigint"],
    source: "id integer primary key",
    alter: ["alter table $ alter id type bigint"],
    value: (n) => `${n * 100_000}`,
  },
  {
    name: "digits",
    before: ["id numeric(6,0)"],
    after: ["id numeric(9,0)"],
    source: "id numeric(6,0) primary key",
    alter: ["alter table $ alter id type numeric(9,0)"],
    value: single,
  },
  {
    name: "whole",
    before: ["id numeric(6,0)"],
    after: ["id bigint"],
    source: "id numeric(6,0) primary key",
    alter: ["alter table $ alter id type bigint"],
    value: single,
  },
  {
    name: "worded",
    before: ["id integer"],
    after: ["id text"],
    source: "id integer primary key",
    alter: ["alter table $ alter id type text"],
    value: (n) => `'${n}'`,
  },
  {
    name: "carried",
    before: ["-- carried from numeric\nid text"],
    after: ["id text"],
    source: "id numeric primary key",
    alter: ["alter table $ alter id type varchar(40)"],
    value: (n) => `'${n}.5'`,
  },
  {
    name: "longer",
    before: ["id text"],
    after: ["id text"],
    source: "id varchar(6) primary key",
    alter: ["alter table $ alter id type varchar(60)"],
    value: text,
  },
  {
    name: "ordered",
    before: ["a integer", "b text"],
    after: ["b text", "a integer"],
    source: "a integer, b text, primary key (a, b)",
    alter: [],
    value: pair,
  },
  {
    name: "alike",
    before: ["a integer", "b integer"],
    after: ["b integer", "a bigint"],
    source: "a integer, b integer, primary key (a, b)",
    alter: ["alter table $ alter a type bigint"],
    value: (n) => `${n % 7}, ${n}`,
  },
  {
    name: "renamed",
    before: ["id integer"],
    after: ["number integer"],
    source: "id integer primary key",
    alter: ["alter table $ rename id to number"],
    value: single,
    published: ["id"],
  },
  {
    name: "renamed_one",
    before: ["a integer", "b text"],
    after: ["code text", "a bigint"],
    source: "a integer, b text, primary key (a, b)",
    alter: [
      "alter table $ rename b to code",
      "alter table $ alter a type bigint",
    ],
    value: pair,
    published: ["b", "a"],
  },
];
/** Written last, it vouches for those that were deleted. */
const LAST = {
  name: "last",
  before: ["id integer"],
  after: ["id integer"],
  source: "id integer primary key",
};
const ROWS = 1500;
/** What a person writes where a key of numbers becomes one of texts. */
const TO_TEXT = {
  name: "9001_worded",
  text: `drop view if exists fact_worded_current, fact_worded_history cascade;
    alter table fact_worded alter id type text using id::text;`,
};

function sqlOf(side: "before" | "after"): ProjectSql {
  const contract = [...TABLES, LAST].map((table) => {
    const names = table[side].map((column) =>
      column.split("\n").at(-1)?.split(" ")[0]
    );
    return `create table ${table.name} (
${table[side].map((column) => `${column} not null,\n`).join("")}note text,
primary key (${names.join(", ")})
);`;
  }).join("\n");
  const sql = companyOf(contract);
  if (side === "before") return sql;
  return {
    ...sql,
    // What was applied stays as it is; all of its columns but one hold the new
    // keys, or are widened by load.
    migrations: [...sqlOf("before").migrations, TO_TEXT],
    models: sql.models.map((model) => {
      const table = TABLES.find(({ name }) => model.reads.includes(name));
      if (table?.published === undefined) return model;
      const key = table.published;
      const columns = model.key.map((name, index) =>
        `${name} as ${key[index]}`
      );
      return {
        ...model,
        key,
        sql: `select ${columns.join(", ")}, note from changed.${table.name}`,
      };
    }),
  };
}

/** Each table's versions in a lake, a row's key as one text. */
async function histories(platform: Platform) {
  await using lake = await openLake(platform);
  const found: Record<string, string[]> = {};
  for (const { name, before } of TABLES) {
    const key = before.map((column) =>
      column.split("\n").at(-1)?.split(" ")[0] ?? ""
    );
    const rows = await lake.rows(
      `select concat_ws('/', ${key.join(", ")}, note, from_batch,
        coalesce(to_batch::varchar, 'open')) as line
      from totes.fact_${name}_history order by 1`,
    );
    found[name] = rows.map((row) => row.line ?? "");
  }
  return found;
}

function keyText(table: Redeclared, n: number): string {
  return table.value(n).replaceAll("'", "").replaceAll(", ", "/");
}

/** A row's key, as a statement compares it. */
function row(table: Redeclared, n: number): string {
  return table.value(n).includes(",") ? `(${table.value(n)})` : table.value(n);
}

/** The columns of a key, before it is declared differently. */
function key({ source }: Redeclared): string {
  return source.includes("a integer")
    ? `(a, ${source.includes("code") ? "code" : "b"})`
    : "id";
}

/** The columns of a key after that. */
function renamed(table: Redeclared): string {
  if (table.name === "renamed") return "number";
  return table.name === "renamed_one" ? "(a, code)" : key(table);
}

/** What is the history of the rows of a table at the end. */
function historyOf(table: Redeclared): string[] {
  const line = (n: number, rest: string) => `${keyText(table, n)}/${rest}`;
  return [
    line(1, "first/1/2"),
    line(2, "first/1/3"),
    line(3, "first/1/3"),
    line(3, "later/3/open"),
    line(4, "first/1/4"),
    ...Array.from(
      { length: ROWS - 4 },
      (_, index) => line(index + 5, "first/1/open"),
    ),
    line(ROWS + 1, "new/3/open"),
  ].sort();
}

Deno.test("a key that is declared differently keeps its history", async () => {
  await using platform = await openPlatform({
    sql: sqlOf("before"),
    sourceSql: [...TABLES, LAST].map(({ name, source }) =>
      `create table ${name} (${
        source.replace(/(, primary|$)/, ", note text$1")
      });`
    ).join("\n"),
  });
  const { client } = platform.source;
  let last = 0;
  const onEach = async (
    statement: (table: Redeclared) => string[],
  ): Promise<void> => {
    for (const table of TABLES) {
      for (const one of statement(table)) {
        await execute(client, one.replaceAll("$", table.name));
      }
    }
    await execute(client, `insert into last values (${++last})`);
  };
  await onEach((table) => [
    `insert into $ values ${
      Array.from(
        { length: ROWS },
        (_, index) => `(${table.value(index + 1)}, 'first')`,
      ).join()
    }`,
  ]);
  await platform.run();
  await onEach((
    table,
  ) => [`delete from $ where ${key(table)} = ${row(table, 1)}`]);
  await platform.run();

  await onEach((table) => [
    `delete from $ where ${key(table)} = ${row(table, 2)}`,
    `update $ set note = 'later' where ${key(table)} = ${row(table, 3)}`,
    ...table.alter,
    `insert into $ values (${table.value(ROWS + 1)}, 'new')`,
  ]);
  platform.context.sql = sqlOf("after");
  await platform.extract();
  await transform(platform.context, { accept: true });
  await platform.load();
  await onEach((table) => [
    `delete from $ where ${renamed(table)} = ${row(table, 4)}`,
  ]);
  await platform.run();

  const found = await histories(platform);
  for (const table of TABLES) {
    assert.deepEqual(found[table.name]?.sort(), historyOf(table), table.name);
    const [open] = await query(
      platform.warehouse.client,
      `select count(*) as rows from fact_${table.name} where to_batch is null`,
    );
    assert.equal(open?.rows, String(ROWS - 2), table.name);
  }
  // Batches from before the change are read right by what came after it.
  await using warehouse = await openTestDatabase();
  const config = {
    ...platform.config,
    processedUrl: `${platform.config.processedUrl}-rebuilt`,
    warehouse: warehouse.settings,
  };
  await transform({ ...platform.context, config });
  await load({ ...platform.context, config });
  const rebuilt = await histories({ ...platform, config });
  for (const { name } of TABLES) {
    assert.deepEqual(rebuilt[name]?.sort(), found[name]?.sort(), name);
  }
});

Deno.test("payments continue when their key becomes a bigint", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await platform.run();
  await execute(
    client,
    "alter table payment alter payment_id type bigint",
    "delete from payment where payment_id = 2",
    "update payment set paid = true where payment_id = 3",
  );
  platform.context.sql = {
    ...PROJECT_SQL,
    tables: PROJECT_SQL.tables.map((table) => ({
      ...table,
      columns: table.columns.map((column) =>
        table.name === "payment" && column.name === "payment_id"
          ? { ...column, type: { name: "bigint" as const } }
          : column
      ),
    })),
    transformHash: "wider",
  };
  await platform.extract();
  await transform(platform.context, { accept: true });
  await platform.load();

  await using lake = await openLake(platform);
  const rows = await lake.rows(
    `select concat_ws(' ', payment_id, paid, from_batch, to_batch) as line
    from totes.fact_payment_history order by 1`,
  );
  assert.deepEqual(rows.map((row) => row.line), [
    "1 false 1",
    "2 false 1 2",
    "3 false 1 2",
    "3 true 2",
    "4 false 1",
    "5 false 1",
  ]);
});

/** A contract of one table, `thing`, with this key. */
function thing(columns: string, key: string): ProjectSql {
  return companyOf(`create table thing (
${columns},
primary key (${key})
);`);
}

Deno.test("extract() refuses a key of other columns than before", async () => {
  const columns = "id integer not null,\ncode text not null,\nnote text";
  await using platform = await openPlatform({
    sql: thing(columns, "id"),
    sourceSql:
      `create table thing (id integer primary key, code text not null unique,
        note text, unique (id, code));
      insert into thing values (1, 'a'), (2, 'b')`,
  });
  await platform.extract();

  for (
    const [key, shown] of [["id, code", "id, code"], ["code", "code"]] as const
  ) {
    platform.context.sql = thing(columns, key);
    await assert.rejects(platform.extract(), (error) => {
      assert(error instanceof StageError);
      assert.equal(
        error.message,
        `Cannot compare the keys of "thing": its key is now (${shown}), and was (id)`,
      );
      assert.equal(error.subject, "thing");
      assert.equal(error.retryable, false);
      assert.match(error.hint ?? "", /change sql\/source.sql back/);
      return true;
    });
  }
  platform.context.sql = thing(columns, "id");
  await platform.extract();
});

Deno.test("extract() refuses many deletes made while the key was declared differently", async () => {
  await using platform = await openPlatform({
    sql: thing("id integer not null", "id"),
    sourceSql: `create table thing (id integer primary key);
      insert into thing select generate_series(1, 100)`,
  });
  await platform.extract();
  await execute(
    platform.source.client,
    "delete from thing where id > 20",
    "alter table thing alter id type bigint",
  );
  platform.context.sql = thing("id bigint not null", "id");

  await assert.rejects(platform.extract(), (error) => {
    assert(error instanceof StageError);
    assert.match(error.message, /80 of its 100 rows are gone/);
    assert.equal(error.dataCheck, true);
    return true;
  });
  await platform.extract({ allowMassDelete: true });
  const { tables } = await ingestionManifest(platform, 2);
  assert.equal(tables.thing?.fullRead, "its contract changed");
});
