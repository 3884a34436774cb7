import assert from "node:assert/strict";
import type pg from "pg";
import { connect } from "../../../lib/postgres/connect.ts";
import { query } from "../../../lib/postgres/postgres.ts";
import {
  removeConstraints,
  restoreConstraints,
} from "../../../load/tables/table_constraints.ts";
import {
  findUnvalidated,
  validate,
} from "../../../load/references/validate_references.ts";
import {
  readWarehouseTable,
  type WarehouseTable,
} from "../../../load/tables/warehouse_table.ts";
import { openTestDatabase } from "../../harness/servers/postgres.ts";

const TABLES = ["dim_other", "fact_thing"];
const CREATE = `
  create table dim_other (other_id integer primary key,
    is_placeholder boolean not null default false);
  create table fact_thing (thing_id integer primary key, code text unique,
    other_id integer references dim_other, to_batch bigint);
  create unique index on fact_thing (thing_id) where to_batch is null;
  create index "An odd name" on dim_other (is_placeholder)`;

Deno.test("restoreConstraints() restores all that removeConstraints() removed", () =>
  inTables(async (client, tables) => {
    const before = await constraints(client);

    const removed = await removeConstraints(client, TABLES);

    assert.deepEqual(await constraints(client), []);
    await restoreConstraints(client, removed, { tables });
    assert.deepEqual(await constraints(client), before);
    assert.equal(before.length, 9);
  }));

Deno.test("restoreConstraints() makes placeholders for missing keys", () =>
  inTables(async (client, tables) => {
    const removed = await removeConstraints(client, TABLES);
    await client.query(
      `insert into dim_other values (1);
      insert into fact_thing values (1, 'a', 1), (2, 'b', 5), (3, 'c', 5),
        (4, 'd', null)`,
    );

    await restoreConstraints(client, removed, { tables });

    assert.deepEqual(
      await query(client, "select other_id, is_placeholder from dim_other"),
      [
        { other_id: "1", is_placeholder: "f" },
        { other_id: "5", is_placeholder: "t" },
      ],
    );
  }));

Deno.test("restoreConstraints() leaves a proven foreign key to be validated", () =>
  inTables(async (client, tables) => {
    await client.query(
      `comment on constraint fact_thing_other_id_fkey on fact_thing is 'Why'`,
    );
    const before = await constraints(client);
    const removed = await removeConstraints(client, TABLES);
    const proven = tables.flatMap(({ model, references }) =>
      references.map((one) => ({ ...one, model: model.name }))
    );

    const hasUnvalidatedKeys = await restoreConstraints(client, removed, {
      tables,
      proven,
    });

    assert.equal(proven.length, 1);
    assert.equal(hasUnvalidatedKeys, true);
    const found = await findUnvalidated(client, TABLES);
    assert.deepEqual(found, proven);
    await validate(client, found);
    assert.deepEqual(await constraints(client), before);
    assert.deepEqual(
      await query(
        client,
        `select obj_description(oid, 'pg_constraint') as comment
        from pg_constraint where contype = 'f'`,
      ),
      [{ comment: "Why" }],
    );
    assert.equal(
      await restoreConstraints(
        client,
        await removeConstraints(client, TABLES),
        { tables },
      ),
      false,
    );
  }));

Deno.test("restoreConstraints() throws on a duplicate key", () =>
  inTables(async (client, tables) => {
    const removed = await removeConstraints(client, TABLES);
    await client.query("insert into fact_thing values (1, 'a'), (1, 'b')");

    await assert.rejects(
      restoreConstraints(client, removed, { tables }),
      /could not create unique index "fact_thing_pkey"/,
    );
  }));

Deno.test("restoreConstraints() throws errors that placeholders can't repair", () =>
  inTables(async (client) => {
    const removed = await removeConstraints(client, TABLES);
    await client.query("insert into fact_thing values (1, 'a', 5)");

    await assert.rejects(
      restoreConstraints(client, removed, { tables: [] }),
      /violates foreign key constraint "fact_thing_other_id_fkey"/,
    );
  }));

async function inTables(
  test: (client: pg.Client, tables: WarehouseTable[]) => Promise<void>,
): Promise<void> {
  await using database = await openTestDatabase();
  await database.client.query(CREATE);
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  const { client } = connection;
  const tables = await Promise.all([
    readWarehouseTable(client, {
      name: "dim_other",
      key: ["other_id"],
      kind: "dimension",
    }),
    readWarehouseTable(client, {
      name: "fact_thing",
      key: ["thing_id"],
      kind: "fact",
    }),
  ]);
  await client.query("begin");
  await test(client, tables);
  await client.query("rollback");
}

/** Every key, foreign key and index, as the catalogue has it. */
async function constraints(client: pg.Client): Promise<string[]> {
  const rows = await query(
    client,
    `select pg_get_constraintdef(oid) as definition from pg_constraint
    where conrelid = any(
      select to_regclass(name) from unnest($1::text[]) as name
    ) and contype <> 'n'
    union all
    select indexdef from pg_indexes where tablename = any($1)
    order by 1`,
    [TABLES],
  );
  return rows.map((row) => row.definition ?? "");
}
