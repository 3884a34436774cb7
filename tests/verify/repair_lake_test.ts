import assert from "node:assert/strict";
import { StageError } from "../../lib/errors.ts";
import { verify } from "../../verify/verify.ts";
import { changeUnseen, swapFile } from "../harness/damage.ts";
import { execute, openPlatform, PROJECT_SQL } from "../harness/platform.ts";
import {
  differences,
  expectRepaired,
  repairsNamed,
} from "../harness/repair.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import {
  openFilled,
  REBUILD_BOTH,
  REBUILD_WAREHOUSE,
} from "./filled_platform.ts";

Deno.test("verify() names the task that repairs the lake's rows", async () => {
  await using platform = await openFilled();
  await swapFile(platform, {
    batch: 1,
    model: "dim_design",
    select: (from) =>
      `select * replace (case design_id when 2 then 'swapped'
        else design_name end as design_name) from ${from}
      where design_id <> 3
      union all select * replace (77 as design_id) from ${from}
      where design_id = 1`,
  });

  await expectRepaired(platform, {
    differences: ["dim_design lake: 2 different, 3 missing, 77 extra"],
    repairs: ["./totesys resync design"],
  });
});

Deno.test("verify() names the tasks that repair a key that the lake has twice", async () => {
  await using platform = await openFilled();
  await swapFile(platform, {
    batch: 1,
    model: "dim_design",
    select: (from) =>
      `from ${from} union all select * replace ('again' as design_name)
      from ${from} where design_id = 2`,
  });

  await expectRepaired(platform, {
    differences: [
      "dim_design lake: 2 duplicate",
      // One of the two ended when the other began.
      "dim_design history: [2, 1] missing",
    ],
    repairs: REBUILD_BOTH,
  });
});

Deno.test("verify() names the tasks that repair a version that the lake has twice", async () => {
  await using platform = await openFilled();
  await execute(
    platform.source.client,
    "update design set design_name = 'New' where design_id = 2",
  );
  await platform.run();
  await swapFile(platform, {
    batch: 1,
    model: "dim_design",
    select: (from) => `from ${from} union all from ${from} where design_id = 2`,
  });

  const verification = await verify(platform.context);

  assert.deepEqual(
    differences(verification)[0],
    "dim_design lake: 2 duplicate",
  );
  assert.deepEqual(repairsNamed(verification), REBUILD_BOTH);
});

Deno.test("verify() names tasks that keep a right history where the lake's is forged", async () => {
  await using platform = await openFilled();
  const { source, warehouse } = platform;
  await execute(
    source.client,
    "update design set design_name = 'New' where design_id = 2",
  );
  await platform.run();
  const readHistory = async () =>
    (await warehouse.client.query(
      "select design_name, valid_from::text from dim_design_history where design_id = 2 order by from_batch",
    )).rows;
  const right = await readHistory();
  await swapFile(platform, {
    batch: 1,
    model: "dim_design",
    select: (from) =>
      `select * replace (case design_id when 2 then 'Forged'
        else design_name end as design_name) from ${from}`,
  });

  await expectRepaired(platform, {
    differences: ["dim_design history: [2, 1] different"],
    repairs: REBUILD_BOTH,
  });
  assert.deepEqual(await readHistory(), right);
});

Deno.test("verify() names the tasks that repair a day that the lake describes wrongly", async () => {
  await using platform = await openFilled();
  await swapFile(platform, {
    batch: 1,
    model: "dim_date",
    select: (from) => `select * replace (1999 as year) from ${from}`,
  });

  const verification = await verify(platform.context);

  assert.match(
    differences(verification)[0] ?? "",
    /^dim_date lake: .*different/,
  );
  await expectRepaired(platform, {
    differences: differences(verification),
    repairs: REBUILD_BOTH,
  });
});

Deno.test("verify() names the tasks that repair what came unseen", async () => {
  await using platform = await openFilled();
  await changeUnseen(platform, [
    insertOrder(77),
    "update department set location = 'Unseen' where department_id = 2",
    "delete from transaction where transaction_id = 5",
  ]);
  await execute(
    platform.warehouse.client,
    "update dim_staff set first_name = 'Spoilt' where staff_id = 2",
  );

  const verification = await verify(platform.context);

  assert.deepEqual(
    differences(verification).filter((line) => /staff|order/.test(line)),
    [
      "dim_staff lake: 1 different, 4 different",
      "dim_staff warehouse: 1 different, 2 different, 4 different",
      "fact_sales_order lake: 77 missing",
      "fact_sales_order warehouse: 77 missing",
    ],
  );
  await expectRepaired(platform, {
    differences: differences(verification),
    repairs: [
      "./totesys resync sales_order",
      "./totesys resync purchase_order",
      "./totesys resync payment",
      "./totesys resync staff",
      "./totesys resync department",
    ],
  });
});

Deno.test("verify() names the table of a row that the lake's quarantine lacks", async () => {
  await using platform = await openPlatform();
  const { source } = platform;
  await fillSmall(source.client);
  await execute(
    source.client,
    "update payment set payment_date = 'soon' where payment_id = 3",
    "update sales_order set agreed_payment_date = 'late' where sales_order_id = 1",
  );
  await platform.run();
  await swapFile(platform, {
    batch: 1,
    model: "quarantine",
    select: (from) => `from ${from} where table_name = 'payment'`,
  });

  await expectRepaired(platform, {
    differences: ["quarantine lake: [sales_order, 1] missing"],
    repairs: ["./totesys resync sales_order"],
  });
});

Deno.test("verify() sees that quarantined rows are as the lake has kept them", async () => {
  await using platform = await openFilled();
  const { source, warehouse } = platform;
  await execute(
    source.client,
    "update payment set payment_date = 'soon' where payment_id = 3",
  );
  await platform.run();
  await execute(
    warehouse.client,
    "delete from fact_payment where payment_id = 3",
    "update quarantine set reason = 'none'",
  );

  await expectRepaired(platform, {
    differences: [
      "fact_payment warehouse: 3 missing",
      "quarantine warehouse: [payment, 3] different",
    ],
    repairs: [REBUILD_WAREHOUSE],
  });
});

Deno.test("verify() says what repairs a check that the source's rows break", async () => {
  await using platform = await openFilled();
  await execute(
    platform.source.client,
    "update payment set payment_amount = -1 where payment_id = 3",
  );

  const verification = await verify(platform.context);

  assert.deepEqual(repairsNamed(verification), []);
  assert.deepEqual(verification.brokenRules.map(({ check }) => check), [
    "fact_payment__amount_is_not_negative",
  ]);
});

Deno.test("verify() is not blind to a table that a list leaves out", async () => {
  await using platform = await openPlatform({
    sql: {
      ...PROJECT_SQL,
      models: PROJECT_SQL.models.map((model) =>
        model.name === "dim_staff" ? { ...model, reads: ["staff"] } : model
      ),
    },
  });
  await fillSmall(platform.source.client);

  // Stages that derive the list refuse it before they make anything.
  const found = await verify(platform.context).then(differences, (error) => {
    assert(error instanceof StageError);
    return [error.message];
  });

  assert.match(found.join("\n"), /dim_staff/);
});
