import assert from "node:assert/strict";
import type pg from "pg";
import { connect } from "../../../lib/postgres/connect.ts";
import { inTransaction, query } from "../../../lib/postgres/postgres.ts";
import { evolveTables } from "../../../load/tables/evolve_tables.ts";
import type { TypedModel } from "../../../load/tables/model_types.ts";
import { madeWarehouse, PROJECT_SQL } from "../../harness/platform.ts";
import { openTestDatabase } from "../../harness/servers/postgres.ts";

/** The model of a dimension with what its SQL gives. */
function typed(
  name: string,
  columns: Readonly<Record<string, string>>,
): TypedModel {
  const model = PROJECT_SQL.models.find((one) => one.name === name);
  assert(model !== undefined);
  return {
    model,
    columns: Object.entries(columns).map(([name, type]) => ({ name, type })),
  };
}

async function inWarehouse(
  test: (client: pg.Client) => Promise<void>,
): Promise<void> {
  await using database = await openTestDatabase(await madeWarehouse());
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  await test(connection.client);
}

async function types(
  client: pg.Client,
  column: string,
): Promise<Record<string, string | null>> {
  const rows = await query(
    client,
    `select attrelid::regclass::text as relation,
      format_type(atttypid, atttypmod) as type
    from pg_attribute where attname = $1 and attnum > 0
      and attrelid::regclass::text ~ '_payment_type'`,
    [column],
  );
  return Object.fromEntries(
    rows.map(({ relation, type }) => [relation, type ?? ""]),
  );
}

Deno.test("evolveTables() widens a dimension's key under the facts that refer to it", () =>
  inWarehouse(async (client) => {
    await client.query(
      `insert into dim_payment_type (payment_type_id, payment_type_name)
      values (7, 'Cash')`,
    );

    await evolveTables(client, {
      models: [
        typed("dim_payment_type", {
          payment_type_id: "BIGINT",
          payment_type_name: "VARCHAR",
        }),
      ],
    });

    assert.deepEqual(await types(client, "payment_type_id"), {
      dim_payment_type: "bigint",
      dim_payment_type_closed: "bigint",
      dim_payment_type_current: "bigint",
      dim_payment_type_history: "bigint",
      dim_payment_type_pkey: "bigint",
      dim_payment_type_closed_pkey: "bigint",
    });
    const keys = await query(
      client,
      `select conrelid::regclass::text as fact from pg_constraint
      where contype = 'f' and confrelid = 'dim_payment_type'::regclass`,
    );
    assert.deepEqual(keys, [{ fact: "fact_payment" }]);
    const { rows } = await client.query(
      "select payment_type_id from dim_payment_type_as_of_batch(1)",
    );
    assert.deepEqual(rows, []);
  }));

Deno.test("evolveTables() changes nothing in a table that fits, or in views over its views", () =>
  inWarehouse(async (client) => {
    await client.query(
      `create or replace view dim_payment_type_current as
        select *, 1 as ours from dim_payment_type_history
        where to_batch is null`,
    ).catch(() => {});
    const definition = () =>
      query(client, "select pg_get_viewdef('dim_payment_type_current') as sql");
    const before = await definition();

    await evolveTables(client, {
      models: [
        typed("dim_payment_type", {
          payment_type_id: "INTEGER",
          payment_type_name: "VARCHAR",
        }),
      ],
    });

    assert.deepEqual(await definition(), before);
  }));

Deno.test("evolveTables() gives a model's new column to the views of a table with a column of its own", () =>
  inWarehouse(async (client) => {
    await client.query(
      "alter table dim_payment_type add ours text default 'ours'",
    );

    await evolveTables(client, {
      models: [
        typed("dim_payment_type", {
          payment_type_id: "INTEGER",
          payment_type_name: "VARCHAR",
          note: "VARCHAR",
        }),
      ],
    });

    const { fields } = await client.query(
      "select * from dim_payment_type_current",
    );
    const names = fields.map(({ name }) => name);
    assert(names.includes("note"));
    assert(!names.includes("ours"));
  }));

Deno.test("evolveTables() makes a column without a model nullable, or drops it if that is allowed", () =>
  inWarehouse(async (client) => {
    await client.query(
      `alter table dim_payment_type alter payment_type_name set not null;
      alter table dim_payment_type add note text default 'ours';
      alter table dim_payment_type_closed add note text default 'ours'`,
    );
    const models = [typed("dim_payment_type", { payment_type_id: "INTEGER" })];
    const names = async () =>
      Object.keys(await types(client, "payment_type_name"));

    await evolveTables(client, { models });
    await client.query(
      "insert into dim_payment_type (payment_type_id) values (1)",
    );
    assert.equal((await names()).length, 4);
    await inTransaction(
      client,
      {},
      () => evolveTables(client, { models, drop: true }),
    );

    assert.deepEqual(await names(), []);
    const kept = await query(client, "select note from dim_payment_type");
    assert.deepEqual(kept, [{ note: "ours" }]);
  }));

Deno.test("evolveTables() names a column whose type the warehouse lacks", () =>
  inWarehouse(async (client) => {
    const models = [
      typed("dim_payment_type", { payment_type_id: "INTEGER", tags: "BLOB" }),
    ];

    await assert.rejects(evolveTables(client, { models }), {
      name: "StageError",
      message:
        'Cannot load the model "dim_payment_type": its column "tags" is BLOB, which has no counterpart in the warehouse',
      subject: "dim_payment_type",
    });
  }));

Deno.test("evolveTables() refuses a name that Postgres would truncate", () =>
  inWarehouse(async (client) => {
    const long = "é".repeat(32);
    const models = [
      typed("dim_payment_type", { payment_type_id: "INTEGER", [long]: "DATE" }),
    ];

    await assert.rejects(evolveTables(client, { models }), {
      name: "StageError",
      message:
        `Cannot load the model "dim_payment_type": the name of its column "${long}" is over 63 bytes long`,
    });
  }));
