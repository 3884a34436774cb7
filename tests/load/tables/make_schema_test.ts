import assert from "node:assert/strict";
import { join } from "node:path";
import { query } from "../../../lib/postgres/postgres.ts";
import { readProjectSql } from "../../../lib/project/project_sql.ts";
import { copyTree } from "../../harness/copy_project.ts";
import { inFolder } from "../../harness/in_folder.ts";
import { makeWarehouse } from "../../harness/make_warehouse.ts";
import { execute } from "../../harness/platform.ts";
import { projectOf } from "../../harness/companies/small_project.ts";
import { openTestDatabase } from "../../harness/servers/postgres.ts";
import { SQL_DIRECTORY } from "../../harness/companies/sql_directory.ts";

const DEPARTMENTS = `-- A department of the company.
--
-- Grain: one row for each department.
-- Key: department_id.
-- Reads: changed.department.

select
    department_id,
    department_name
from changed.department
`;

Deno.test("makeSchema() makes the table of a model that the migrations don't declare", () =>
  inFolder(async (folder) => {
    await copyTree(SQL_DIRECTORY, join(folder, "sql"));
    await Deno.writeTextFile(
      join(folder, "sql/models/dim_department.sql"),
      DEPARTMENTS,
    );
    await using database = await openTestDatabase();
    const { client } = database;

    await makeWarehouse(client, readProjectSql(join(folder, "sql")));

    const rows = await query(
      client,
      `select relname as name from pg_class
      where relname like 'dim\\_department%' and relkind in ('r', 'v')
      order by name`,
    );
    assert.deepEqual(rows.map(({ name }) => name), [
      "dim_department",
      "dim_department_closed",
      "dim_department_current",
      "dim_department_history",
    ]);
  }));

Deno.test("makeSchema() makes derived tables before a migration that names one", () =>
  inFolder(async (folder) => {
    await copyTree(SQL_DIRECTORY, join(folder, "sql"));
    await Deno.writeTextFile(
      join(folder, "sql/models/dim_department.sql"),
      DEPARTMENTS,
    );
    await Deno.writeTextFile(
      join(folder, "sql/warehouse/0010_department_index.sql"),
      "create index on Dim_Department (department_name);\n",
    );
    await using database = await openTestDatabase();
    const { client } = database;

    await makeWarehouse(client, readProjectSql(join(folder, "sql")));

    const [index] = await query(
      client,
      "select count(*) as indexes from pg_indexes where tablename = $1",
      ["dim_department"],
    );
    assert.equal(index?.indexes, "2");
  }));

for (
  const [what, statement, name] of [
    ["a table", "create table dim_department (id integer)", '"dim_department"'],
    [
      "a view",
      "create view dim_department as select 1 as department_id",
      '"dim_department"',
    ],
    [
      "a view of a derived name",
      `create view dim_department_history as select 1 as department_id,
        'a' as department_name`,
      '"dim_department_history"',
    ],
    [
      "a table of a derived name",
      "create table dim_department_closed (id integer)",
      '"dim_department_closed"',
    ],
    [
      "a type",
      "create type dim_department as enum ('a')",
      'the type "dim_department"',
    ],
    [
      "a function of a derived name",
      `create function dim_department_as_of_batch(bigint) returns integer
        language sql as 'select 1'`,
      "the function dim_department_as_of_batch(bigint)",
    ],
  ] as const
) {
  Deno.test(`makeSchema() doesn't touch ${what} that somebody else made`, () =>
    inFolder(async (folder) => {
      await copyTree(SQL_DIRECTORY, join(folder, "sql"));
      await Deno.writeTextFile(
        join(folder, "sql/models/dim_department.sql"),
        DEPARTMENTS,
      );
      await using database = await openTestDatabase();
      const { client } = database;
      await execute(client, statement);

      await assert.rejects(
        makeWarehouse(client, readProjectSql(join(folder, "sql"))),
        {
          name: "StageError",
          message:
            `Cannot make the table of the model "dim_department": the warehouse has ${name} already, which load did not make`,
          hint: /^Rename what is there, or the model/,
        },
      );

      const { rows } = await client.query(
        `select from pg_depend where objid in (
          select oid from pg_class where relname ~ '^dim_department'
          union all
          select oid from pg_type where typname ~ '^dim_department' and typtype = 'e'
          union all
          select oid from pg_proc where proname ~ '^dim_department'
        )`,
      );
      assert(rows.length > 0);
    }));
}

Deno.test("makeSchema() doesn't touch another table with the quarantine's name", async () => {
  await using database = await openTestDatabase();
  const { client } = database;
  await execute(client, "create table quarantine (id integer)");

  const sql = await projectOf({
    "source.sql": "create table item (id integer not null, primary key (id));",
    "models/dim_item.sql": "-- Key: id.\nselect id from changed.item",
  });

  await assert.rejects(makeWarehouse(client, sql), {
    message: /the warehouse has "quarantine" already, which load did not make$/,
    hint:
      "Rename what is there, since load keeps the rows that it sets aside under this name; drop it only if nobody needs it",
  });
});
