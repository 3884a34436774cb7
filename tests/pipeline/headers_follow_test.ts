import assert from "node:assert/strict";
import { StageError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { makePlan } from "../../operate/plan.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { dimensionSql, projectOf } from "../harness/companies/small_project.ts";

const SOURCE = `create table item (item_id integer primary key,
  code text not null, price integer);`;
const READS = "select item_id, code, price from current.item";

/** A company whose fact refers to its dimension by that one's key. */
function company(headers: { dim_item?: string; fact_price?: string }) {
  return {
    "source.sql": SOURCE,
    "models/dim_item.sql": `${
      headers.dim_item ?? "-- Key: item_id."
    }\n${READS}`,
    "models/fact_price.sql": `${
      headers.fact_price ??
        "-- Key: item_id.\n-- References: item_id -> dim_item."
    }\n${READS}`,
  };
}

async function openCompany(
  files: Record<string, string> = company({}),
): Promise<Platform> {
  const platform = await openPlatform({
    sql: await projectOf(files),
    sourceSql: SOURCE,
  });
  await execute(
    platform.source.client,
    "insert into item select id, 'c' || id, id from generate_series(1, 4) as id",
  );
  await platform.run();
  await execute(
    platform.source.client,
    "update item set price = 9 where item_id = 1",
    "delete from item where item_id = 2",
  );
  await platform.run();
  return platform;
}

function failure(pattern: RegExp, hint: RegExp) {
  return (error: unknown) => {
    assert(error instanceof StageError);
    assert.match(error.message, pattern);
    assert.match(error.hint ?? "", hint);
    assert.equal(error.retryable, false);
    return true;
  };
}

/** What of a model's header changes, and what load says of its table. */
const CHANGED: Readonly<
  Record<
    string,
    { files: Record<string, string>; says: RegExp; drop: string }
  >
> = {
  "a dimension's key": {
    files: company({
      dim_item: "-- Key: code.",
      fact_price: "-- Key: item_id.\n-- References: code -> dim_item.",
    }),
    says: /"dim_item": its key is \(code\), which is not/,
    drop: 'drop table "dim_item", "dim_item_closed" cascade',
  },
  "a fact's key": {
    files: company({ fact_price: "-- Key: code." }),
    says:
      /"fact_price": its key is \(code\), the warehouse's table has another/,
    drop: 'drop table "fact_price" cascade',
  },
  "a fact's serial number": {
    files: company({
      fact_price: "-- Key: item_id.\n-- Serial number: number.",
    }),
    says: /"fact_price": the warehouse's table has no column "number"/,
    drop: 'drop table "fact_price" cascade',
  },
  "a dimension that is a fact now": {
    files: company({
      dim_item: "-- Key: item_id.\n-- Kind: fact.",
      fact_price: "-- Key: item_id.",
    }),
    says:
      /"dim_item": the warehouse's table has no column "dim_item_record_id"/,
    drop: 'drop table "dim_item", "dim_item_closed" cascade',
  },
  "a fact that is a dimension now": {
    files: company({ fact_price: "-- Key: item_id.\n-- Kind: dimension." }),
    says: /"fact_price": the warehouse has no table "fact_price_closed"/,
    drop: 'drop table "fact_price" cascade',
  },
};

for (const [what, { files, says, drop }] of Object.entries(CHANGED)) {
  Deno.test(`load names a table made for another header, and works after following the hint: ${what}`, async () => {
    await using platform = await openCompany();
    const { context, source, warehouse } = platform;
    context.sql = await projectOf(files);
    await execute(source.client, "update item set price = 7 where item_id = 3");
    await platform.extract();
    await rebuildProcessed(context);

    const refused = failure(says, /rebuild warehouse/);
    await assert.rejects(platform.load(), refused);
    await assert.rejects(rebuildWarehouse(context), (error) => {
      assert.ok(refused(error) && error instanceof StageError);
      assert.ok(error.hint?.includes(drop));
      return true;
    });
    assert.match((await makePlan(context)).refusals[0]?.message ?? "", says);

    await execute(warehouse.client, drop);
    await rebuildWarehouse(context);
    assert.equal((await verify(context)).same, true);
    await execute(source.client, "update item set price = 8 where item_id = 3");
    await platform.run();
    assert.equal((await verify(context)).same, true);
    const [row] = await query(
      warehouse.client,
      "select count(*) as versions from fact_price_history where code = 'c3'",
    );
    assert.equal(row?.versions, "3");
  });
}

Deno.test("transform() refuses a changed key even with --accept", async () => {
  await using platform = await openCompany();
  const { context, source } = platform;
  context.sql = await projectOf(company({ fact_price: "-- Key: code." }));
  await execute(source.client, "update item set code = 'c4' where item_id = 3");
  await platform.extract();

  await assert.rejects(
    transform(context, { accept: true }),
    failure(
      /^Cannot change the key of "fact_price" to \(code\): until batch 2 it was \(item_id\)$/,
      /rebuild processed/,
    ),
  );
  assert.match(
    (await makePlan(context)).refusals[0]?.message ?? "",
    /^Cannot change the key of "fact_price" to/,
  );
});

Deno.test("load names a table of sql/warehouse without the key of its dimension", async () => {
  const files = {
    ...company({}),
    "models/fact_price.sql": `-- Key: item_id.\n${READS}`,
    "warehouse/0002_tables.sql": dimensionSql(
      "dim_item",
      "item_id integer not null, code text, price integer",
    ),
  };
  const platform = await openPlatform({
    sql: await projectOf(files),
    sourceSql: SOURCE,
  });
  await using _ = platform;
  await execute(platform.source.client, "insert into item values (1, 'a', 1)");

  await assert.rejects(
    platform.run(),
    failure(
      /"dim_item": its key is \(item_id\), which is not the primary key/,
      /migration in sql\/warehouse/,
    ),
  );

  platform.context.sql = await projectOf({
    ...files,
    "warehouse/0003_key.sql": "alter table dim_item add primary key (item_id);",
  });
  await platform.run();
  assert.equal((await verify(platform.context)).same, true);
});
