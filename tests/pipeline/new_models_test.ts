import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { resync } from "../../operate/resync.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { projectOf } from "../harness/companies/small_project.ts";

const SOURCE =
  `create table place (id integer not null, name text, primary key (id));
create table item (id integer not null, place_id integer, size integer,
    primary key (id));
`;

type Models = Readonly<Record<string, string>>;

const BEFORE: Models = {
  dim_item: "-- Key: id.\nselect id, place_id from changed.item",
};
/** It joins both tables, so that the lake keeps their rows. */
const JOINED = `-- Key: id.
select item.id, place.name from current.item as item
left join current.place as place on place.id = item.place_id`;
/** Not every change of a table reaches each of its rows. */
const COUNTED = `-- Key: place_id.
select place_id, count(*) as items from current.item
where place_id is not null group by place_id`;

function projectWith(models: Models) {
  return projectOf({
    "source.sql": SOURCE,
    ...Object.fromEntries(
      Object.entries(models).map(([name, sql]) => [`models/${name}.sql`, sql]),
    ),
  });
}

/** Three items at two places, in one batch; then the models change. */
async function withChanged(
  models: { before: Models; after: Models },
  test: (platform: Platform) => Promise<void>,
): Promise<void> {
  await using platform = await openPlatform({
    sql: await projectWith(models.before),
    sourceSql: SOURCE,
  });
  await execute(
    platform.source.client,
    "insert into place values (1, 'Leeds'), (2, 'York')",
    "insert into item values (1, 1, 10), (2, 2, 20), (3, 2, 30)",
  );
  await platform.run();
  platform.context.sql = await projectWith(models.after);
  platform.logged.length = 0;
  await test(platform);
}

async function accept(platform: Platform): Promise<void> {
  await transform(platform.context, { accept: true });
  await platform.load();
}

function warnings({ logged }: Platform): string[] {
  return logged.filter((line) => line.startsWith("warning: "));
}

function read({ warehouse }: Platform, sql: string) {
  return query(warehouse.client, sql);
}

const GIVEN: Models = {
  ...BEFORE,
  dim_item: "-- Key: id.\nselect id, place_id, size from changed.item",
  fact_item: "-- Key: id.\nselect id, size from changed.item",
};

Deno.test("transform() reports the missing rows of a new model or column, and a resync adds them", () =>
  withChanged({ before: BEFORE, after: GIVEN }, async (platform) => {
    await execute(
      platform.source.client,
      "update item set place_id = 1 where id = 2",
    );
    await platform.extract();
    await accept(platform);

    assert.deepEqual(warnings(platform), [
      "warning: dim_item: size is null in rows that don't change from now on: `./totesys resync item` fills it",
      "warning: fact_item: new model, only rows that change from now on are in it: `./totesys resync item` brings all, `./totesys rebuild processed` their history, too",
    ]);
    await resync(platform.context, { tables: ["item"] });
    assert.deepEqual(
      await read(platform, "select id, size from fact_item_current order by 1"),
      [{ id: 1, size: 10 }, { id: 2, size: 20 }, { id: 3, size: 30 }],
    );
    assert.ok((await verify(platform.context)).same);
  }));

Deno.test("transform() reports nothing for a new model whose table is read in full", () =>
  withChanged({ before: BEFORE, after: GIVEN }, async (platform) => {
    await platform.extract();
    await platform.extract({ fullRead: ["item"] });
    platform.logged.length = 0;
    await accept(platform);

    assert.deepEqual(warnings(platform), []);
    assert.ok((await verify(platform.context)).same);
  }));

Deno.test("a new join, or a join's new column, is complete at once", () =>
  withChanged({
    before: { ...BEFORE, dim_joined: JOINED },
    after: {
      ...BEFORE,
      dim_joined: JOINED.replace("place.name", "place.name, item.size"),
      dim_counted: COUNTED,
    },
  }, async (platform) => {
    platform.context.grouping = { batchesMin: 2 };
    // Batches that wait, without a change and with one.
    await platform.extract();
    await platform.extract();
    await execute(platform.source.client, "delete from item where id = 3");
    await platform.extract();
    await platform.extract();
    await accept(platform);

    assert.deepEqual(warnings(platform), []);
    assert.deepEqual(
      await read(
        platform,
        "select place_id, items from dim_counted_as_of_batch(2) order by 1",
      ),
      [{ place_id: 1, items: "1" }, { place_id: 2, items: "2" }],
    );
    assert.ok((await verify(platform.context)).same);
  }));

Deno.test("a changed join is recomputed at once, and a changed row model is reported", () =>
  withChanged({
    before: { ...BEFORE, dim_counted: COUNTED, dim_joined: JOINED },
    after: {
      dim_item: `${BEFORE.dim_item} where place_id > 1`,
      // A comment is no change of a query.
      dim_counted: `${COUNTED} -- Items of places.`,
      dim_joined: JOINED.replace("place.name", "upper(place.name) as name"),
    },
  }, async (platform) => {
    await platform.extract();
    await accept(platform);

    assert.deepEqual(warnings(platform), [
      "warning: dim_item: its query changed, and rows that don't change from now on stay as it made them before: `./totesys resync item` makes them again",
    ]);
    assert.deepEqual(
      await read(
        platform,
        "select id, name, from_batch from dim_joined_current order by id",
      ),
      [
        { id: 1, name: "LEEDS", from_batch: "2" },
        { id: 2, name: "YORK", from_batch: "2" },
        { id: 3, name: "YORK", from_batch: "2" },
      ],
    );
    await resync(platform.context, { tables: ["item"] });
    assert.deepEqual(
      await read(platform, "select id from dim_item_current order by id"),
      [{ id: 2 }, { id: 3 }],
    );
    assert.ok((await verify(platform.context)).same);
  }));

Deno.test("a returning join is compared with its rows in the lake", () =>
  withChanged({
    before: { ...BEFORE, dim_counted: COUNTED, dim_joined: JOINED },
    after: { ...BEFORE, dim_joined: JOINED },
  }, async (platform) => {
    await execute(platform.source.client, "delete from item where id = 1");
    await platform.extract();
    await accept(platform);
    platform.context.sql = await projectWith({
      ...BEFORE,
      dim_counted: COUNTED,
      dim_joined: JOINED,
    });
    await platform.extract();
    await accept(platform);

    assert.deepEqual(
      await read(platform, "select place_id, items from dim_counted_current"),
      [{ place_id: 2, items: "2" }],
    );
    assert.ok((await verify(platform.context)).same);
  }));

const WAYS: Readonly<Record<string, (platform: Platform) => Promise<unknown>>> =
  {
    "a resync": ({ context }) =>
      resync(context, { tables: ["item", "place"], accept: true }),
    "a rebuild": async ({ context }) => {
      await rebuildProcessed(context);
      await rebuildWarehouse(context, { accept: true });
    },
  };

for (const [name, way] of Object.entries(WAYS)) {
  Deno.test(`a new join of tables that were not kept is refused until ${name} adds their rows`, () =>
    withChanged({
      before: BEFORE,
      after: { ...BEFORE, dim_joined: JOINED },
    }, async (platform) => {
      // Neither table changes.
      await platform.extract();

      await assert.rejects(accept(platform), {
        message:
          'Cannot join "item" in batch 2: it was not kept before, and 3 of its 3 rows came in earlier batches',
        subject: "item",
        hint:
          "A model now reads it: run `./totesys resync place,item --accept`, which reads all of it, or `./totesys rebuild processed`, which makes all batches with this model",
      });
      await way(platform);
      assert.ok((await verify(platform.context)).same);
    }));
}
