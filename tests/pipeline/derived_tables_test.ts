import assert from "node:assert/strict";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { transform } from "../../transform/transform.ts";
import { readCatalogue } from "../harness/readers/catalogue.ts";
import { execute } from "../harness/platform.ts";
import { projectOf } from "../harness/companies/small_project.ts";
import { assertSame, FILES, rowsOf, withCompany } from "./derived_company.ts";

Deno.test("a company of only a contract and models goes through insert, update, delete, verify and rebuild", () =>
  withCompany(async (platform) => {
    const { source, warehouse, context } = platform;
    await platform.run();
    await assertSame(platform);

    await execute(
      source.client,
      "update line set price = 100 where order_id = 1 and place = 2",
      "update shop set town = 'Bath' where shop_id = 2",
      "delete from line where order_id = 0 and place = 0",
      // Of a shop that nobody has.
      "insert into line values (500, 1, 77, 1, now(), null)",
    );
    await platform.run();

    await assertSame(platform);
    const versions = [
      "(0,0,0.00,3)",
      "(0,2,0.29,)",
      "(1,0,0.43,)",
      "(1,2,0.71,3)",
      "(1,2,100.00,)",
    ];
    const lines = `select "OrderID", place, price, to_batch
      from fact_line_history where "OrderID" in (0, 1) and place in (0, 2)`;
    const shops = `select "ShopID", "Order", is_placeholder from "dim_Shop"`;
    assert.deepEqual(await rowsOf(platform, lines), versions);
    assert.deepEqual(await rowsOf(platform, shops), [
      "(1,Leeds,f)",
      "(2,Bath,f)",
      "(77,,t)",
    ]);
    // Everything that was made is made again, and filled.
    await execute(
      warehouse.client,
      `drop table fact_line, "dim_Shop", "dim_Shop_closed", quarantine cascade`,
    );
    await rebuildWarehouse(context);

    await assertSame(platform);
    assert.deepEqual(await rowsOf(platform, lines), versions);
  }));

Deno.test("a derived table has keys, references, indexes, comments and readers' rights", () =>
  withCompany(async (platform) => {
    await platform.run();

    const catalogue = await readCatalogue(platform.warehouse.client);

    const of = (pattern: RegExp) =>
      catalogue.filter((line) => pattern.test(line));
    assert.deepEqual(of(/^column fact_line /), [
      "column fact_line 01 line_record_id bigint not null",
      "column fact_line 02 OrderID integer not null",
      "column fact_line 03 place smallint not null",
      "column fact_line 04 shop_id integer",
      "column fact_line 05 price numeric(10,2) not null",
      "column fact_line 06 sold_time time without time zone",
      "column fact_line 07 valid_from timestamp with time zone not null",
      "column fact_line 08 valid_to timestamp with time zone",
      "column fact_line 09 from_batch bigint not null",
      "column fact_line 10 to_batch bigint",
    ]);
    assert.deepEqual(of(/^index .*fact_line/), [
      "index CREATE INDEX fact_line_from_batch_idx ON fact_line USING btree (from_batch)",
      "index CREATE INDEX fact_line_to_batch_idx ON fact_line USING btree (to_batch) WHERE (to_batch IS NOT NULL)",
      'index CREATE UNIQUE INDEX "fact_line_OrderID_place_from_batch_idx" ON fact_line USING btree ("OrderID", place, from_batch)',
      'index CREATE UNIQUE INDEX "fact_line_OrderID_place_idx" ON fact_line USING btree ("OrderID", place) WHERE (to_batch IS NULL)',
      "index CREATE UNIQUE INDEX fact_line_pkey ON fact_line USING btree (line_record_id)",
    ]);
    // PostgreSQL 18 lists columns that are not null as well.
    assert.deepEqual(of(/^constraint (?!.* NOT NULL ).*(fact_line|Shop)/), [
      'constraint "dim_Shop" dim_Shop_pkey PRIMARY KEY ("ShopID")',
      'constraint "dim_Shop_closed" dim_Shop_closed_pkey PRIMARY KEY ("ShopID", from_batch)',
      "constraint fact_line fact_line_pkey PRIMARY KEY (line_record_id)",
      'constraint fact_line fact_line_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES "dim_Shop"("ShopID")',
    ]);
    assert.deepEqual(
      of(/^comment .*(Shop|fact_line)/).filter((line) =>
        !/ (valid|from_batch|to_batch|is_placeholder)|_as_of_/.test(line)
      ),
      [
        'comment "dim_Shop": Shops. One row for each shop.',
        'comment "dim_Shop" Order: Where it is, as people say it.',
        'comment "dim_Shop_closed": Older versions of the rows of dim_Shop.',
        'comment "dim_Shop_closed" Order: Where it is, as people say it.',
        'comment "dim_Shop_current": What dim_Shop holds as of the newest batch.',
        'comment "dim_Shop_current" Order: Where it is, as people say it.',
        'comment "dim_Shop_history": Every version of every row of dim_Shop, with the interval in which it held.',
        'comment "dim_Shop_history" Order: Where it is, as people say it.',
        "comment fact_line: Lines of orders. One row for each line.",
        "comment fact_line line_record_id: Number of this version, given in the order of batch and key.",
        "comment fact_line price: What one costs.",
        "comment fact_line_current price: What one costs.",
        "comment fact_line_current: What fact_line holds as of the newest batch.",
        "comment fact_line_history price: What one costs.",
        "comment fact_line_history: Every version of every row of fact_line, with the interval in which it held.",
      ].sort(),
    );
    assert.equal(
      of(/^grant .*(fact_line|Shop|quarantine).* analyst=/).length,
      // Tables, views and functions of three models, and the closed one.
      3 * 5 + 1,
    );
  }));

Deno.test("the warehouse follows new columns and new models", () =>
  withCompany(async (platform) => {
    const { source, context, warehouse } = platform;
    await platform.run();
    context.sql = await projectOf({
      ...FILES,
      "models/fact_line.sql": FILES["models/fact_line.sql"]?.replace(
        "    price,",
        "    price,\n    note,",
      ) ?? "",
      "models/dim_Order.sql":
        `-- Key: "OrderID".\n\nselect order_id as "OrderID", max(sold_at) as "until"
        from current.line group by order_id`,
      // What is company's own comes after the tables that it is about.
      "warehouse/0001_own.sql":
        `create index on "dim_Order" ("until"); create index on fact_line (shop_id)`,
    });
    await execute(source.client, "update line set note = 'x' where place = 1");
    // A join over a table that is not kept yet needs all of it.
    await platform.extract({ fullRead: ["line"] });
    await transform(context, { accept: true });
    await platform.load();

    assert.deepEqual(
      await rowsOf(
        platform,
        `select note = 'x' as is_x, count(*) from fact_line_current
        group by is_x`,
      ),
      ["(f,20)", "(t,10)"],
    );
    assert.deepEqual(
      await rowsOf(
        platform,
        `select count(*) from "dim_Order_as_of_batch"(2)`,
      ),
      ["(10)"],
    );
    await rebuildProcessed(context);
    await rebuildWarehouse(context);
    await assertSame(platform);
    const indexes = (await readCatalogue(warehouse.client))
      .filter((line) => /^index .*(until|_shop_id_)/.test(line));
    assert.equal(indexes.length, 2);
  }));

Deno.test("load refuses to recreate a dropped table that had rows", () =>
  withCompany(async (platform) => {
    const { source, warehouse } = platform;
    await platform.run();
    await execute(warehouse.client, "drop table fact_line cascade");
    await execute(source.client, "update line set price = 3 where place = 1");

    await assert.rejects(platform.run(), {
      name: "StageError",
      message:
        'Cannot load the model "fact_line": its table is gone, which has had rows since batch 1',
      hint:
        "`./totesys rebuild warehouse` makes it again, with all of its rows",
    });

    await rebuildWarehouse(platform.context);
    await assertSame(platform);
  }));

Deno.test("a null in a not-null column holds its row back", () =>
  withCompany(async (platform) => {
    await execute(
      platform.source.client,
      "update line set price = null where order_id = 3 and place = 1",
    );
    await platform.extract();

    await assert.rejects(platform.transform(), {
      name: "StageError",
      dataCheck: true,
      message: /fact_line.*price/,
    });
  }));
