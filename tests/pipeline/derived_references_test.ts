import assert from "node:assert/strict";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { addMissingReferences } from "../../load/references/declared_references.ts";
import { wantedSchema } from "../../load/tables/wanted_schema.ts";
import { makePlan } from "../../operate/plan.ts";
import { transform } from "../../transform/transform.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { projectOf } from "../harness/companies/small_project.ts";
import {
  assertSame,
  CONTRACT,
  FILES,
  rowsOf,
  withCompany,
} from "./derived_company.ts";

Deno.test("plan lists the foreign keys of tables and columns that are not there yet", () =>
  withCompany(async (platform) => {
    const { context, source } = platform;
    const key = "fact_line: the foreign key shop_id -> dim_Shop is new";
    const whole = FILES["models/fact_line.sql"] ?? "";
    await platform.extract();

    const first = (await makePlan(context)).warehouse;
    context.sql = await projectOf({
      ...FILES,
      "models/fact_line.sql": whole.replace(/^-- References.*\n/m, "")
        .replace("    shop_id,\n", ""),
    });
    await platform.run();
    context.sql = await projectOf(FILES);
    const later = (await makePlan(context)).warehouse;
    await execute(source.client, "insert into line values (7, 7, 8, 1)");
    await platform.extract();
    await transform(context, { accept: true });
    await platform.load();
    const last = (await makePlan(context)).warehouse;

    assert.ok(first.includes("table fact_line"), first.join("\n"));
    assert.deepEqual(first.filter((line) => line.includes("foreign")), [key]);
    assert.deepEqual(later, [
      "fact_line: the column shop_id is new, integer",
      key,
    ]);
    assert.deepEqual(last, []);
    // The key is there for the rows of its first batch.
    assert.deepEqual(
      await rowsOf(
        platform,
        `select "ShopID" from "dim_Shop" where is_placeholder`,
      ),
      ["(8)"],
    );
  }));

Deno.test("load() validates the foreign key of a new column once readers can go on", () =>
  withCompany(async (platform) => {
    const { context, source, warehouse } = platform;
    const whole = FILES["models/fact_line.sql"] ?? "";
    context.sql = await projectOf({
      ...FILES,
      "models/fact_line.sql": whole.replace(/^-- References.*\n/m, "")
        .replace("    shop_id,\n", ""),
    });
    await platform.run();
    await execute(
      warehouse.client,
      "create table ddl (moment xid8, command text, scans bigint)",
      `create function note() returns event_trigger language plpgsql as $$
        begin
          insert into ddl (moment, command, scans)
          values (pg_current_xact_id(), lower(current_query()),
            pg_stat_get_xact_numscans('fact_line'::regclass));
        end
      $$`,
      `create event trigger noted on ddl_command_end
      when tag in ('ALTER TABLE') execute function note()`,
    );
    context.sql = await projectOf(FILES);
    await execute(source.client, "insert into line values (7, 7, 8, 1)");
    await platform.extract();
    await transform(context, { accept: true });

    await platform.load();

    assert.deepEqual(
      await rowsOf(
        platform,
        `select moment = min(moment) over () as is_first,
          substring(command from 'add foreign|validate|add')
        from ddl`,
      ),
      ["(f,validate)", '(t,"add foreign")', "(t,add)"],
    );
    assert.deepEqual(
      await rowsOf(
        platform,
        "select scans from ddl where command like '%add foreign%'",
      ),
      ["(0)"],
    );
    assert.deepEqual(
      await rowsOf(
        platform,
        "select conname from pg_constraint where not convalidated",
      ),
      [],
    );
  }));

Deno.test("addMissingReferences() adds a foreign key to a table with partitions", () =>
  withCompany(async (platform) => {
    const { context, warehouse: { client } } = platform;
    await platform.run();
    await execute(
      client,
      "drop table fact_line cascade",
      "create table fact_line (shop_id integer) partition by list (shop_id)",
    );

    const hasUnvalidatedKeys = await addMissingReferences(
      client,
      wantedSchema(context.sql),
    );

    assert.equal(hasUnvalidatedKeys, false);
    assert.deepEqual(
      await rowsOf(
        platform,
        `select convalidated from pg_constraint
        where contype = 'f' and conrelid = 'fact_line'::regclass`,
      ),
      ["(t)"],
    );
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
