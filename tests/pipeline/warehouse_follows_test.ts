import assert from "node:assert/strict";
import { StageError } from "../../lib/errors.ts";
import { query, queryRow } from "../../lib/postgres/postgres.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { projectOf, smallProject } from "../harness/companies/small_project.ts";
import { insertOrder } from "../harness/companies/small_source.ts";
import { columnsOf, editedSql, WAYS, withTwoBatches } from "./edited_models.ts";

/** Another name for units_sold, in the model and its header. */
const UNITS_RENAMED = [
  ["models/fact_sales_order.sql", ", units_sold,", ", pieces,"],
  [
    "models/fact_sales_order.sql",
    "    units_sold,",
    "    units_sold as pieces,",
  ],
] as const;

for (const [way, goOn] of Object.entries(WAYS)) {
  Deno.test(`a model's new column is in the warehouse and its views after ${way}`, () =>
    withTwoBatches(async (platform, reader) => {
      const { client } = platform.warehouse;
      await execute(
        client,
        `create view report as select design_id, file_name
        from dim_design_current`,
        `grant select on dim_design_current, dim_design_history to ${reader}`,
        `comment on view dim_design_current is 'Ours now'`,
      );
      platform.context.sql = await editedSql([
        [
          "models/dim_design.sql",
          "    file_name\n",
          "    file_name,\n    design_id * 2 as doubled,\n    created_at\n",
        ],
      ]);
      await execute(
        platform.source.client,
        "update design set design_name = 'New' where design_id = 2",
        "update design set last_updated = now() where design_id = 2",
      );

      await goOn(platform);

      assert.deepEqual(
        await query(
          client,
          `select doubled, created_at is not null as known, design_name
          from dim_design_as_of_batch(3) where design_id = 2`,
        ),
        [{ doubled: 4, known: true, design_name: "New" }],
      );
      const types = await columnsOf(platform, "dim_design_closed");
      assert.equal(types.doubled, "integer");
      assert.equal(types.created_at, "timestamp without time zone");
      for (const view of ["current", "history"]) {
        const granted = await queryRow(
          client,
          `select has_table_privilege($1, 'dim_design_${view}', 'select') as may,
            has_table_privilege('analyst', 'dim_design_${view}', 'select')
              as analyst`,
          [reader],
        );
        assert.deepEqual({ ...granted }, { may: true, analyst: true });
      }
      const { comment } = await queryRow(
        client,
        `select obj_description('dim_design_current'::regclass) as comment`,
      );
      assert.equal(comment, "Ours now");
      assert.equal((await query(client, "select * from report")).length, 3);
    }));

  Deno.test(`a renamed column is null in older versions, and right in later ones, after ${way}`, () =>
    withTwoBatches(async (platform) => {
      const { client } = platform.warehouse;
      platform.context.sql = await editedSql([
        ...UNITS_RENAMED,
        [
          "checks/fact_sales_order__units_sold_are_positive.sql",
          "units_sold",
          "pieces",
        ],
      ]);
      await execute(platform.source.client, insertOrder(31, 77));

      await goOn(platform);

      const row = await queryRow(
        client,
        `select pieces from fact_sales_order_current
        where sales_order_id = 31`,
      );
      assert.equal(row.pieces, 77);
      const types = await columnsOf(platform, "fact_sales_order");
      assert.equal("units_sold" in types, way === "--accept");
      await rebuildWarehouse(platform.context, { accept: true });
      assert.ok(
        !("units_sold" in await columnsOf(platform, "fact_sales_order")),
      );
      assert.ok(
        !("units_sold" in
          await columnsOf(platform, "fact_sales_order_history")),
      );
      await execute(platform.source.client, insertOrder(32, 5));
      await platform.run();
    }));

  Deno.test(`a widened column is wide in the warehouse, and its views are kept, after ${way}`, () =>
    withTwoBatches(async (platform, reader) => {
      const { client } = platform.warehouse;
      await execute(
        client,
        `revoke select on fact_sales_order_current from analyst`,
        `grant select (units_sold) on fact_sales_order_current to ${reader}
          with grant option`,
        `grant execute on function fact_sales_order_as_of_batch(bigint)
          to ${reader}`,
        `comment on column fact_sales_order_current.units_sold is 'Pieces'`,
        `alter view fact_sales_order_history set (security_barrier = true)`,
      );
      await execute(
        platform.source.client,
        "alter table sales_order alter units_sold type bigint",
        insertOrder(33, 5_000_000_000),
      );
      platform.context.sql = await editedSql([
        ["source.sql", "units_sold integer", "units_sold bigint"],
      ]);

      await goOn(platform);

      for (const view of ["", "_current", "_history"]) {
        const types = await columnsOf(platform, `fact_sales_order${view}`);
        assert.equal(types.units_sold, "bigint", view);
      }
      const row = await queryRow(
        client,
        `select units_sold from fact_sales_order_as_of_time(now())
        where sales_order_id = 33`,
      );
      assert.equal(row.units_sold, "5000000000");
      const kept = await queryRow(
        client,
        `select has_table_privilege('analyst', 'fact_sales_order_current',
            'select') as analyst,
          has_column_privilege($1, 'fact_sales_order_current', 'units_sold',
            'select with grant option') as reader,
          has_function_privilege($1, 'fact_sales_order_as_of_batch(bigint)',
            'execute') as function,
          (select col_description(attrelid, attnum) from pg_attribute
            where attrelid = 'fact_sales_order_current'::regclass
              and attname = 'units_sold') as comment,
          (select reloptions::text from pg_class
            where oid = 'fact_sales_order_history'::regclass) as options`,
        [reader],
      );
      assert.deepEqual({ ...kept }, {
        analyst: false,
        reader: true,
        function: true,
        comment: "Pieces",
        options: "{security_barrier=true}",
      });
    }));
}

Deno.test("load() names the table in which a column was renamed, also after a model's change", () =>
  withTwoBatches(async (platform) => {
    const { client } = platform.warehouse;
    await execute(
      client,
      "alter table fact_sales_order rename units_sold to pieces",
    );
    await execute(
      platform.source.client,
      "alter table sales_order alter units_sold type bigint",
    );
    platform.context.sql = await editedSql([
      ["source.sql", "units_sold integer", "units_sold bigint"],
    ]);
    await platform.extract();
    await transform(platform.context, { accept: true });

    await assert.rejects(platform.load(), {
      message:
        /^Cannot give the table "fact_sales_order" the columns of its model: cannot change name of view column "units_sold" to "pieces"/,
      subject: "fact_sales_order",
      hint: /^Somebody renamed a column of it: give it its name again/,
    });
    await execute(
      client,
      "alter table fact_sales_order rename pieces to units_sold",
    );
    await platform.load();
  }));

Deno.test("load() reports new columns only after the commit", async () => {
  const company = (phone: string, amount: string) =>
    smallProject({
      source: `create table cust (id integer not null, phone text,
        amount integer, primary key (id));`,
      models: [
        {
          name: "dim_cust",
          key: ["id"],
          sql: `select id${phone} from changed.cust`,
        },
        {
          name: "fact_cust",
          kind: "fact",
          key: ["id"],
          recordId: "number",
          sql: `select id, ${amount} as amount from changed.cust`,
        },
      ],
    });
  await using platform = await openPlatform({
    sql: await company("", "amount"),
    sourceSql:
      "create table cust (id integer primary key, phone text, amount integer)",
  });
  await execute(platform.source.client, "insert into cust values (1, 'p', 2)");
  await platform.run();
  const { client } = platform.warehouse;
  await execute(client, "create view report as select amount from fact_cust");
  platform.context.sql = await company(", phone", "cast(amount as bigint)");
  await execute(platform.source.client, "update cust set amount = 3");
  await platform.extract();
  await transform(platform.context, { accept: true });
  const isGiven = (line: string) => line.includes("column phone is new");

  await assert.rejects(platform.load(), /report depends on column/);
  assert.deepEqual(platform.logged.filter(isGiven), []);

  await execute(client, "drop view report");
  await platform.load();
  assert.deepEqual(platform.logged.filter(isGiven), [
    "info: dim_cust: the column phone is new, text",
  ]);
});

Deno.test("load() refuses a key that the warehouse's table lacks", () =>
  withTwoBatches(async (platform) => {
    const sql = await editedSql([
      ["models/dim_design.sql", "    design_id,", "    design_id as id,"],
    ]);
    platform.context.sql = {
      ...sql,
      models: sql.models.map((model) =>
        model.name === "dim_design" ? { ...model, key: ["id"] } : model
      ),
      transformHash: "another",
    };
    await rebuildProcessed(platform.context);

    await assert.rejects(rebuildWarehouse(platform.context), {
      name: "StageError",
      message:
        'Cannot load the model "dim_design": its key has the column "id", which the warehouse\'s table lacks',
      hint:
        /alter table "dim_design" rename OLD to "id".*\(drop table "dim_design", "dim_design_closed" cascade\)/,
    });
    await execute(
      platform.warehouse.client,
      'drop table "dim_design", "dim_design_closed" cascade',
    );
    await rebuildWarehouse(platform.context);
    assert.ok((await verify(platform.context)).same);
  }));

Deno.test("a check of a removed column is named", () =>
  withTwoBatches(async (platform) => {
    platform.context.sql = await editedSql([
      ...UNITS_RENAMED,
    ]);
    await rebuildProcessed(platform.context);
    const check = "fact_sales_order__units_sold_are_positive";

    const rebuilt = rebuildWarehouse(platform.context, { accept: true });
    await assert.rejects(rebuilt, (error) => {
      assert(error instanceof StageError);
      assert.ok(
        error.message.startsWith(
          `Cannot run the check ${check}: column "units_sold" does not exist`,
        ),
        error.message,
      );
      assert.equal(error.hint, `Fix sql/checks/${check}.sql`);
      return true;
    });

    const types = await columnsOf(platform, "fact_sales_order");
    assert.equal(types.units_sold, "integer");
  }));

Deno.test("a returning column has the lake's values in the warehouse", async () => {
  const sqlWith = (note: string) =>
    projectOf({
      "source.sql":
        `create table item (${note} id integer primary key, size integer);`,
      "models/dim_item.sql": "-- Key: id.\nselect * from changed.item",
      "models/fact_item.sql": "-- Key: id.\nselect * from changed.item",
    });
  const wide = await sqlWith("note text,");
  const narrow = await sqlWith("-- leaves out: note\n");
  await using platform = await openPlatform({
    sql: wide,
    sourceSql:
      `create table item (id integer primary key, note text, size integer);
      insert into item values (1, 'a', 1), (2, 'b', 2)`,
    warehouse: "empty",
  });
  const { context, source, warehouse } = platform;
  await platform.run();
  context.sql = narrow;
  await WAYS["--accept"](platform);
  await rebuildWarehouse(context, { accept: true });
  await execute(source.client, "update item set size = 20 where id = 2");
  await platform.run();

  context.sql = wide;
  await platform.run();

  for (const model of ["dim_item", "fact_item"]) {
    const rows = await query(
      warehouse.client,
      `select id::text, note, from_batch::text from ${model}_history
      order by id, from_batch`,
    );
    assert.deepEqual(rows.map((row) => Object.values(row)), [
      ["1", "a", "1"],
      ["2", "b", "1"],
      ["2", null, "3"],
      ["2", "b", "4"],
    ]);
  }
  assert.equal((await verify(context)).same, true);
});
