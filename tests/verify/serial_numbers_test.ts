import assert from "node:assert/strict";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { projectOf } from "../harness/companies/small_project.ts";

/** A table of orders, with a key of this type. */
function sourceSql(type: string): string {
  return `create table ord (id ${type} not null, versions integer not null,
    v integer, primary key (id, versions));`;
}

/** A fact whose key is of this type, or in this order. */
function projectWith({ type = "integer", key = "id, versions" }) {
  return projectOf({
    "source.sql": sourceSql(type),
    "models/fact_ord.sql":
      `-- Key: ${key}.\nselect id, versions, v from changed.ord`,
  });
}

for (
  const [what, changed] of [
    ["has another type", { type: "text" }],
    ["is in another order", { key: "versions, id" }],
  ] as const
) {
  Deno.test(`verify() takes a fact's serial numbers as they were given before its key ${what}`, async () => {
    await using platform = await openPlatform({
      sql: await projectWith({}),
      sourceSql: sourceSql("integer"),
    });
    const { client } = platform.source;
    await execute(
      client,
      "insert into ord select i, 20 - i, i from generate_series(1, 12) i",
    );
    await platform.run();
    await execute(client, "update ord set v = 0 where id in (3, 11)");
    await platform.run();

    platform.context.sql = await projectWith(changed);
    if ("type" in changed) {
      await execute(client, "alter table ord alter id type text");
    }
    await execute(client, "insert into ord values (13, 1, 1), (14, 1, 1)");
    await platform.extract();
    await transform(platform.context, { accept: true });
    await platform.load();

    const { same, comparisons } = await verify(platform.context);
    assert.ok(same, JSON.stringify(comparisons));
    await execute(
      platform.warehouse.client,
      "update fact_ord set ord_record_id = 99 where id::text = '13'",
    );
    assert.equal((await verify(platform.context)).same, false);
  });
}
