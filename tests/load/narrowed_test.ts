import assert from "node:assert/strict";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { differences } from "../harness/repair.ts";
import { fillSmall } from "../harness/companies/small_source.ts";

/** Types that somebody gave columns of tables that hold rows. */
const NARROWED: readonly {
  table: string;
  column: string;
  type: string;
  wanted: string;
  printed?: string;
}[] = [
  {
    table: "fact_payment",
    column: "payment_amount",
    type: "numeric(10,1)",
    wanted: "numeric(15,2)",
  },
  {
    table: "fact_payment",
    column: "payment_amount",
    type: "real",
    wanted: "numeric(15,2)",
  },
  {
    table: "fact_payment",
    column: "payment_amount",
    type: "money",
    wanted: "numeric(15,2)",
  },
  {
    table: "fact_payment",
    column: "created_time",
    type: "time(0)",
    printed: "time(0) without time zone",
    wanted: "time without time zone",
  },
  {
    table: "dim_counterparty",
    column: "counterparty_legal_name",
    type: "varchar(200)",
    printed: "character varying(200)",
    wanted: "text",
  },
  {
    table: "dim_counterparty_closed",
    column: "counterparty_legal_name",
    type: "varchar(200)",
    printed: "character varying(200)",
    wanted: "text",
  },
];

async function openFilled(): Promise<Platform> {
  const platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();
  return platform;
}

/** Gives a column another type, and its table the views again. */
async function retype(
  { warehouse }: Platform,
  options: { table: string; column: string; type: string },
): Promise<void> {
  const { table, column, type } = options;
  const model = table.replace(/_closed$/, "");
  await execute(
    warehouse.client,
    `drop view ${model}_current, ${model}_history cascade`,
    `alter table ${table} alter ${column} type ${type}`,
    `call pipeline.make_views('${model}')`,
  );
}

const CHANGES = [
  "update payment set payment_amount = payment_amount + 0.01 where payment_id = 1",
  "update counterparty set counterparty_legal_name = counterparty_legal_name || ' Ltd'",
];

Deno.test("load detects a column that was made too narrow before it writes", async (test) => {
  await using platform = await openFilled();
  const { source, context } = platform;
  for (const { table, column, type, printed = type, wanted } of NARROWED) {
    await test.step(`${table}.${column} ${type}`, async () => {
      await retype(platform, { table, column, type });
      await execute(source.client, ...CHANGES);
      const model = table.replace(/_closed$/, "");

      await assert.rejects(platform.run(), {
        name: "StageError",
        subject: model,
        message:
          `Cannot load "${model}": its column "${column}" is ${printed}, which may cut off what its model gives, ${wanted}`,
        hint:
          "Somebody changed its type: run `./totesys rebuild warehouse`, which restores its type and values",
      });

      await rebuildWarehouse(context);
      await platform.run();
    });
  }
  assert.deepEqual(differences(await verify(context)), []);
});

Deno.test("load detects a domain that would round values", async () => {
  await using platform = await openFilled();
  await execute(
    platform.warehouse.client,
    "create domain price as numeric(10,1)",
    "create domain low_price as price",
  );
  await retype(platform, {
    table: "fact_payment",
    column: "payment_amount",
    type: "low_price",
  });
  await execute(platform.source.client, ...CHANGES);

  await assert.rejects(platform.run(), {
    message:
      'Cannot load "fact_payment": its column "payment_amount" is numeric(10,1), which may cut off what its model gives, numeric(15,2)',
  });
});

Deno.test("load accepts a column that was made wider", async () => {
  await using platform = await openFilled();
  for (const type of ["numeric(20,4)", "numeric", "double precision"]) {
    await retype(platform, {
      table: "fact_payment",
      column: "payment_amount",
      type,
    });
    await execute(platform.source.client, ...CHANGES);
    await platform.run();
  }
  assert.deepEqual(differences(await verify(platform.context)), []);
});
