import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { query } from "../../lib/postgres/postgres.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { main as check } from "../../operate/check.ts";
import { makePlan } from "../../operate/plan.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import { readCatalogue } from "../harness/catalogue.ts";
import { inFolder } from "../harness/in_folder.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { differences } from "../harness/repair.ts";
import { projectOf } from "../harness/small_project.ts";

const CONTRACT = `create table shop (
    shop_id integer not null,
    town text,
    primary key (shop_id)
);

create table line (
    order_id integer not null,
    place smallint not null,
    shop_id integer,
    price numeric(10,2),
    sold_at timestamp,
    note text,
    primary key (order_id, place)
);
`;
const FILES: Readonly<Record<string, string>> = {
  "source.sql": CONTRACT,
  "models/dim_Shop.sql": `-- Shops
--
-- Grain: one row for each shop
-- Key: ShopID.
-- Columns:
--   "Order": where it is,
--     as people say it
-- Why: names in mixed case, and a reserved word.

select shop_id as "ShopID", town as "Order" from changed.shop`,
  // Before dim_Shop by name, and by what it refers to after it.
  "models/fact_line.sql": `-- Lines of orders.
--
-- Grain: one row for each line.
-- Key: "OrderID", place.
-- References: shop_id -> dim_Shop.
-- Not null: price.
-- Times of day: sold_time.
-- Columns:
--   price: what one costs.

select
    order_id as "OrderID",
    place,
    shop_id,
    price,
    cast(cast(sold_at as time) as varchar) as sold_time
from changed.line`,
};

const OTHER_DIMENSION = `-- Key: id.
-- References: id -> dim_Shop.

select shop_id as id from changed.shop`;

/** A platform whose company has a contract and models, and no more. */
async function withCompany(
  test: (platform: Platform) => Promise<void>,
): Promise<void> {
  await using platform = await openPlatform({
    sql: await projectOf(FILES),
    sourceSql: CONTRACT,
  });
  await execute(
    platform.source.client,
    "insert into shop values (1, 'Leeds'), (2, 'York')",
    `insert into line select n / 3, n % 3, 1 + n % 2, n / 7.0,
      timestamp '2024-05-01 12:00' + n * interval '1 min', 'note ' || n
    from generate_series(0, 29) as n`,
  );
  await test(platform);
}

async function rowsOf(
  { warehouse }: Platform,
  from: string,
): Promise<string[]> {
  const rows = await query(
    warehouse.client,
    `select row_text::text as line from (${from}) as row_text order by 1`,
  );
  return rows.map(({ line }) => line ?? "");
}

async function assertSame(platform: Platform): Promise<void> {
  const verification = await verify(platform.context);
  assert.deepEqual(differences(verification), []);
  assert.equal(verification.same, true);
}

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

Deno.test("a reference added to a header later makes placeholders for missing keys", () =>
  withCompany(async (platform) => {
    const { source, context, warehouse } = platform;
    const before = FILES["models/fact_line.sql"] ?? "";
    context.sql = await projectOf({
      ...FILES,
      "models/fact_line.sql": before.replace(/^-- References.*\n/m, ""),
    });
    await execute(source.client, "insert into line values (7, 7, 8, 1)");
    await platform.run();
    context.sql = await projectOf(FILES);
    await execute(source.client, "insert into line values (9, 9, 9, 1)");
    await platform.extract();
    assert.deepEqual((await makePlan(context)).warehouse, [
      "fact_line: the foreign key shop_id -> dim_Shop is new",
    ]);
    await transform(context, { accept: true });
    await platform.load();

    assert.deepEqual(
      await rowsOf(
        platform,
        `select "ShopID" from "dim_Shop" where is_placeholder`,
      ),
      ["(8)", "(9)"],
    );
    await assert.rejects(
      execute(warehouse.client, `delete from "dim_Shop" where "ShopID" = 8`),
      /foreign key/,
    );
    await assertSame(platform);
  }));

Deno.test("a reference that a header loses takes its foreign key, and its placeholders at a rebuild", () =>
  withCompany(async (platform) => {
    const { source, context, warehouse, logged } = platform;
    await execute(source.client, "insert into line values (7, 7, 8, 1)");
    await platform.run();
    await execute(
      warehouse.client,
      `create table "dim_ours" (id integer primary key)`,
      `insert into dim_ours values (1), (2), (8), (9)`,
      `alter table fact_line add constraint ours_fkey
        foreign key (shop_id) references dim_ours`,
    );
    const before = FILES["models/fact_line.sql"] ?? "";
    context.sql = await projectOf({
      ...FILES,
      "models/fact_line.sql": before.replace(/^-- References.*\n/m, ""),
    });
    await execute(source.client, "insert into line values (9, 9, 9, 1)");
    const gone =
      "fact_line: the foreign key fact_line_shop_id_fkey is gone: its header no longer has shop_id -> dim_Shop";
    assert.deepEqual((await makePlan(context)).dropped, [gone]);
    await platform.run();

    const placeholders = () =>
      rowsOf(
        platform,
        `select "ShopID" from "dim_Shop" where is_placeholder`,
      );
    assert.deepEqual(await placeholders(), ["(8)"]);
    assert.deepEqual(
      await rowsOf(
        platform,
        "select conname from pg_constraint where contype = 'f' and conrelid = 'fact_line'::regclass",
      ),
      ["(ours_fkey)"],
    );
    assert.ok(
      logged.includes(`info: ${gone}`),
      logged.join("\n"),
    );
    await rebuildWarehouse(context);
    assert.deepEqual(await placeholders(), []);
    await assertSame(platform);
  }));

Deno.test("a foreign key between models that a migration makes stays", async () => {
  await using platform = await openPlatform({
    sql: await projectOf({
      ...FILES,
      "models/fact_line.sql": (FILES["models/fact_line.sql"] ?? "")
        .replace(/^-- References.*\n/m, ""),
      "warehouse/0100_keys.sql":
        'alter table fact_line add foreign key (shop_id) references "dim_Shop"',
    }),
    sourceSql: CONTRACT,
  });
  await execute(platform.source.client, "insert into line values (7, 7, 8, 1)");
  await platform.run();
  await platform.run();

  assert.deepEqual(
    await rowsOf(
      platform,
      "select conname from pg_constraint where contype = 'f' and conrelid = 'fact_line'::regclass",
    ),
    ["(fact_line_shop_id_fkey)"],
  );
});

Deno.test("dimensions may refer to others and to themselves", async () => {
  const contract = `create table shop (
    shop_id integer not null,
    primary key (shop_id)
);

create table staff (
    staff_id integer not null,
    manager_id integer,
    shop_id integer,
    primary key (staff_id)
);
`;
  const sql = await projectOf({
    "source.sql": contract,
    "models/dim_a.sql": `-- Key: staff_id.
-- References: manager_id -> dim_a, shop_id -> dim_shop.

select staff_id, manager_id, shop_id from changed.staff`,
    "models/dim_shop.sql":
      "-- Key: shop_id.\n\nselect shop_id from changed.shop",
  });
  await using platform = await openPlatform({ sql, sourceSql: contract });
  const { client } = platform.source;
  const rows = () =>
    rowsOf(
      platform,
      `select staff_id, manager_id, shop_id, is_placeholder, to_batch
      from dim_a`,
    );
  await execute(
    client,
    "insert into shop values (1)",
    "insert into staff values (1, 2, 1), (2, 9, 8), (3, null, null)",
  );
  await platform.run();
  assert.deepEqual(await rows(), [
    "(1,2,1,f,)",
    "(2,9,8,f,)",
    "(3,,,f,)",
    "(9,,,t,)",
  ]);

  await execute(
    client,
    "insert into staff values (4, 5, 7), (5, 4, 1), (9, 5, 1)",
    "update staff set manager_id = 6 where staff_id = 3",
    "delete from staff where staff_id = 2",
  );
  await platform.run();

  const state = [
    "(1,2,1,f,)",
    "(2,9,8,f,2)",
    "(3,6,,f,)",
    "(4,5,7,f,)",
    "(5,4,1,f,)",
    "(6,,,t,)",
    "(9,5,1,f,)",
  ];
  assert.deepEqual(await rows(), state);
  await assertSame(platform);
  await execute(
    platform.warehouse.client,
    "update dim_a set manager_id = 1, shop_id = 1",
  );
  await rebuildWarehouse(platform.context);
  assert.deepEqual(await rows(), state);
  await assertSame(platform);
});

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

/** What check says of a folder with these files. */
async function told(
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<{ code: number; out: string }> {
  for (const [path, text] of Object.entries(files)) {
    await Deno.mkdir(dirname(join(folder, path)), { recursive: true });
    await Deno.writeTextFile(join(folder, path), text);
  }
  let out = "";
  const code = await check([], {
    env: (name) => name === "SQL_DIRECTORY" ? folder : undefined,
    write: (text) => out += text,
    isTerminal: true,
    onStop: () => () => {},
  });
  return { code, out };
}

/** Edits of the company's files, and what is said of them. */
const REFUSED: Readonly<
  Record<string, { edits: Record<string, [string, string]>; message: RegExp }>
> = {
  "a reference to no model": {
    edits: { fact_line: ["-> dim_Shop", "-> dim_shop"] },
    message:
      /fact_line\.sql: its header says References: shop_id -> dim_shop, which is not a model/,
  },
  "a reference to a fact": {
    edits: {
      dim_Shop: ["-- Why", "-- References: ShopID -> fact_line.\n-- Why"],
    },
    message: /ShopID -> fact_line, which is not a dimension/,
  },
  "a reference that can't be read": {
    edits: { fact_line: ["shop_id -> dim_Shop", "dim_Shop"] },
    message: /says References: dim_Shop, which is not of the form/,
  },
  "references in a circle": {
    edits: {
      dim_Shop: ["-- Why", "-- References: ShopID -> dim_other.\n-- Why"],
      dim_other: ["", ""],
    },
    message: /References form a cycle: dim_Shop -> dim_other -> dim_Shop/,
  },
  "a reference of another type": {
    edits: {
      fact_line: ["    shop_id,", "    cast(shop_id as varchar) as shop_id,"],
    },
    message:
      /its column "shop_id" is text and refers to dim_Shop, whose key "ShopID" is integer/,
  },
  "a column that is not there under Not null": {
    edits: { fact_line: ["Not null: price", "Not null: Price"] },
    message: /its header names the column "Price" under Not null/,
  },
  "a column that is not there under Columns": {
    edits: { fact_line: ["--   price:", "--   prize:"] },
    message: /its header names the column "prize" under Columns/,
  },
  "a column that is not there under References": {
    edits: { fact_line: ["shop_id ->", "shop ->"] },
    message: /its header names the column "shop" under References/,
  },
  "a type that the warehouse lacks": {
    edits: { fact_line: ["    price,", "    price,\n    [price] as prices,"] },
    message: /its column "prices" is DECIMAL\(10,2\)\[\], which the warehouse/,
  },
  "a name that is too long": {
    edits: {
      fact_line: ["    price,", `    price,\n    note as ${"n".repeat(64)},`],
    },
    message: /has a name of over 63 bytes/,
  },
};

for (const [what, { edits, message }] of Object.entries(REFUSED)) {
  Deno.test(`check refuses ${what}`, () =>
    inFolder(async (folder) => {
      const files: Record<string, string> = { ...FILES };
      for (const [model, [from, to]] of Object.entries(edits)) {
        const path = `models/${model}.sql`;
        const text = FILES[path] ?? OTHER_DIMENSION;
        assert.ok(text.includes(from), from);
        files[path] = text.replace(from, to);
      }

      const { code, out } = await told(folder, files);

      assert.match(out, message);
      assert.notEqual(code, 0);
    }));
}

Deno.test("check shows the tables that follow from models", () =>
  inFolder(async (folder) => {
    const { code, out } = await told(folder, FILES);

    assert.equal(code, 0, out);
    assert.match(
      out,
      /^fact_line: fact, by row of line\n {2}its table is derived from it; line_record_id numbers its versions\n/m,
    );
    assert.match(out, /^ {2}OrderID +INTEGER +integer {2}key$/m);
    assert.match(out, /^ {2}shop_id +INTEGER +integer {2}-> dim_Shop$/m);
    assert.match(
      out,
      /^ {2}price +DECIMAL\(10,2\) +numeric\(10,2\) {2}not null {2}What one costs\.$/m,
    );
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
