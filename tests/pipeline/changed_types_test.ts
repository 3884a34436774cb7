import assert from "node:assert/strict";
import { StageError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { transform } from "../../transform/transform.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import {
  dimensionSql,
  projectOf,
  smallProject,
} from "../harness/companies/small_project.ts";
import { insertOrder } from "../harness/companies/small_source.ts";
import { columnsOf, editedSql, WAYS, withTwoBatches } from "./edited_models.ts";

Deno.test("load() names another owner's view that prevents a wider column", () =>
  withTwoBatches(async (platform) => {
    const { client } = platform.warehouse;
    await execute(
      client,
      "create view report as select units_sold from fact_sales_order_current",
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

    await assert.rejects(platform.load(), (error) => {
      assert(error instanceof StageError);
      assert.match(
        error.message,
        /^Cannot give the table "fact_sales_order" the columns of its model: .*view report depends on view fact_sales_order_current/,
      );
      assert.match(error.hint ?? "", /^Drop what depends on the column/);
      assert.equal(error.retryable, false);
      return true;
    });

    await execute(client, "drop view report");
    await platform.load();
    assert.equal(
      (await columnsOf(platform, "fact_sales_order_current")).units_sold,
      "bigint",
    );
  }));

Deno.test("another type is refused by load, and applied by a rebuild of lake and warehouse", () =>
  withTwoBatches(async (platform) => {
    // A text that is declared as one would take it.
    const place = (sql: string) =>
      editedSql([[
        "models/dim_design.sql",
        "    file_name\n",
        `    file_name,\n    ${sql} as place\n`,
      ]]);
    platform.context.sql = await place("file_name");
    await WAYS["--accept"](platform);
    platform.context.sql = await place("cast(length(file_name) as integer)");
    await execute(platform.source.client, insertOrder(31));
    await platform.extract();
    await transform(platform.context, { accept: true });

    await assert.rejects(platform.load(), {
      name: "StageError",
      message:
        'Cannot load the model "dim_design": its column "place" is integer now, the warehouse has text',
      hint: /\.\/totesys rebuild warehouse/,
      retryable: false,
    });

    await rebuildProcessed(platform.context);
    await assert.rejects(rebuildWarehouse(platform.context), {
      name: "StageError",
      message:
        /takes away from it: dim_design: the column place is integer, it was text$/,
    });
    await rebuildWarehouse(platform.context, { accept: true });
    const { rows } = await platform.warehouse.client.query(
      "select distinct place from dim_design_current",
    );
    assert.deepEqual(rows, [{ place: 13 }]);
  }));

Deno.test("a column that sql/warehouse declares as text stays text", async () => {
  const source = `create table item (
    item_id integer not null,
    made text,
    weight text,
    primary key (item_id)
);
`;
  const sql = await smallProject({
    source,
    models: [{
      name: "dim_item",
      key: ["item_id"],
      sql: `select item_id, cast(made as date) as made,
        cast(weight as double) as weight, item_id > 1 as is_late
        from changed.item`,
    }],
    warehouse: dimensionSql(
      "dim_item",
      "item_id integer primary key, made text, weight varchar, is_late text",
    ),
  });
  await using platform = await openPlatform({ sql, sourceSql: source });
  await execute(
    platform.source.client,
    "insert into item values (1, '2026-01-02', '1e30'), (2, null, '0.1')",
  );
  await platform.run();
  await execute(
    platform.source.client,
    "update item set made = '2026-01-03' where item_id = 2",
  );
  await platform.run();

  assert.deepEqual(
    (await query(
      platform.warehouse.client,
      "select made, is_late from dim_item order by item_id",
    )).map((row) => ({ ...row })),
    [
      { made: "2026-01-02", is_late: "false" },
      { made: "2026-01-03", is_late: "true" },
    ],
  );
});

Deno.test("a column that returns with another type doesn't stop load", async () => {
  const sqlWith = (ref: string) =>
    projectOf({
      "source.sql":
        "create table item (id integer primary key, note text, size integer);",
      "models/fact_item.sql":
        `-- Key: id.\nselect id, size${ref} from changed.item`,
    });
  const none = await sqlWith("");
  await using platform = await openPlatform({
    sql: await sqlWith(", note as ref"),
    sourceSql:
      `create table item (id integer primary key, note text, size integer);
      insert into item values (1, 'abc', 1), (2, 'b', 2)`,
    warehouse: "empty",
  });
  const { context, source, warehouse, logged } = platform;
  await platform.run();
  context.sql = none;
  await WAYS["--accept"](platform);
  await rebuildWarehouse(context, { accept: true });
  await execute(source.client, "update item set size = 20 where id = 2");

  context.sql = await sqlWith(", cast(size as integer) as ref");
  await WAYS["--accept"](platform);

  const rows = await query(
    warehouse.client,
    "select id::text, ref::text from fact_item_current order by id",
  );
  assert.deepEqual(rows.map((row) => Object.values(row)), [
    ["1", null],
    ["2", "20"],
  ]);
  assert.match(
    logged.join("\n"),
    /fact_item: ref is null in rows .* another type/,
  );
});
