import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { differences } from "../harness/repair.ts";
import { projectOf } from "../harness/companies/small_project.ts";

/** A column's type, a narrower one, and a value that only the first holds. */
const NARROWED = [
  ["numeric(12,4)", "numeric(10,2)", "1.1234"],
  ["numeric(12,2)", "integer", "1.25"],
  ["integer", "smallint", "100000"],
  ["timestamp", "date", "2024-01-01 10:11:12"],
] as const;

function company(type: string) {
  return projectOf({
    "source.sql": `create table item (item_id integer primary key, v ${type});`,
    "models/fact_item.sql":
      "-- Key: item_id.\nselect item_id, v from changed.item",
    "models/dim_item.sql":
      "-- Key: item_id.\nselect item_id, v from current.item",
  });
}

for (const [was, is, wide] of NARROWED) {
  Deno.test(`what a version held before ${was} became ${is} is no difference, and damage is one`, async () => {
    const narrow = is === "date" ? "2024-01-02" : "7";
    await using platform = await openPlatform({
      sql: await company(was),
      sourceSql: `create table item (item_id integer primary key, v ${was})`,
    });
    const { context, source, warehouse } = platform;
    await execute(
      source.client,
      `insert into item values (1, '${wide}'), (2, '${narrow}')`,
    );
    await platform.run();
    await execute(source.client, `update item set v = '${narrow}'`);
    await platform.run();
    context.sql = await company(is);
    await execute(source.client, `alter table item alter v type ${is}`);
    await platform.extract();
    await transform(context, { accept: true });
    await platform.load();

    assert.deepEqual(differences(await verify(context)), []);

    const [row] = await query(
      warehouse.client,
      "select v::text as v from fact_item_as_of_batch(1) where item_id = 1",
    );
    assert.equal(row?.v, wide);
    await execute(
      warehouse.client,
      `update fact_item set v = '${narrow}' where item_id = 1 and from_batch = 1`,
      `update fact_item set v = ${
        is === "date" ? "v + interval '1 day'" : "v + 1"
      } where item_id = 2 and to_batch is null`,
    );
    const { comparisons } = await verify(context);
    assert.deepEqual(
      comparisons.filter((one) => one.differences > 0).map((one) =>
        `${one.model} ${one.place} ${one.differences}`
      ),
      ["fact_item warehouse 1", "fact_item history 1"],
    );
  });
}
