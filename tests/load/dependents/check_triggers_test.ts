import assert from "node:assert/strict";
import { query } from "../../../lib/postgres/postgres.ts";
import { rebuildWarehouse } from "../../../load/repair/rebuild_warehouse.ts";
import { assertMirrored } from "../../harness/readers/mirror.ts";
import { execute, openPlatform } from "../../harness/platform.ts";
import {
  fillSmall,
  insertOrder,
} from "../../harness/companies/small_source.ts";

/** What others put before the writes of load, and whose writes it spoils. */
const INTERCEPTORS: Readonly<
  Record<string, { table: string; statements: readonly string[] }>
> = {
  "a trigger that leaves rows out": before(
    "insert on fact_sales_order",
    "return null",
  ),
  "a trigger that keeps versions from ending": before(
    "update on fact_sales_order",
    "return old",
  ),
  "a trigger that changes a value": before(
    "insert or update on dim_staff",
    "new.last_name = upper(new.last_name); return new",
  ),
  "a trigger that changes a version that ends": before(
    "update on fact_sales_order",
    "new.units_sold = 0; return new",
  ),
  "a trigger that changes a dimension's row that is deleted": before(
    "update on dim_design",
    "new.design_name = 0; return new",
  ),
  "a rule that inserts nothing": {
    table: "dim_staff_closed",
    statements: [
      "create rule swallow as on insert to dim_staff_closed do instead nothing",
    ],
  },
};

/** A trigger before each row that is written so. */
function before(write: string, body: string) {
  return {
    table: write.split(" on ")[1] ?? "",
    statements: [
      `create function swallow() returns trigger language plpgsql
        as 'begin ${body}; end'`,
      `create trigger swallow before ${write}
        for each row execute function swallow()`,
    ],
  };
}

for (const [what, { table, statements }] of Object.entries(INTERCEPTORS)) {
  Deno.test(`load and rebuild roll back when there is ${what}`, async () => {
    await using platform = await openPlatform();
    const { source, warehouse: { client }, context } = platform;
    await fillSmall(source.client);
    await platform.run();
    await execute(client, ...statements);
    await execute(
      source.client,
      insertOrder(30),
      "update staff set last_name = 'New', last_updated = now() where staff_id = 1",
      "delete from sales_order where sales_order_id = 1",
      "delete from design where design_id = 3",
    );
    await platform.extract();
    await platform.transform();
    const model = table.replace("_closed", "");
    const told = new RegExp(`Cannot load "${model}": .*: swallow$`);

    await assert.rejects(platform.load(), told);
    await execute(
      client,
      "delete from fact_sales_order",
      "update dim_staff set last_name = 'x'",
    );
    // A rebuild updates none of these.
    if (!/ending|ends|deleted/.test(what)) {
      await assert.rejects(rebuildWarehouse(context), told);
    }

    await execute(
      client,
      what.includes("rule")
        ? `drop rule swallow on ${table}`
        : "drop function swallow cascade",
    );
    await rebuildWarehouse(context);
    await assertMirrored(platform);
  });
}

Deno.test("a first load detects a trigger that skips rows", async () => {
  await using platform = await openPlatform();
  const { source, warehouse: { client } } = platform;
  await fillSmall(source.client);
  await execute(
    client,
    ...INTERCEPTORS["a trigger that leaves rows out"]!.statements,
  );
  await platform.extract();
  await platform.transform();

  await assert.rejects(platform.load(), /does not hold what was written/);

  assert.equal((await query(client, "select from fact_sales_order")).length, 0);
  await execute(client, "drop function swallow cascade");
  await platform.load();
  await assertMirrored(platform);
});
