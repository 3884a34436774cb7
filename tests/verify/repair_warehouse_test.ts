import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  type ProjectSql,
  readProjectSql,
} from "../../lib/project/project_sql.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { verify } from "../../verify/verify.ts";
import { changeUnseen } from "../harness/damage.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { differences, expectRepaired } from "../harness/repair.ts";
import { insertOrder } from "../harness/companies/small_source.ts";
import {
  openFilled,
  REBUILD_BOTH,
  REBUILD_WAREHOUSE,
} from "./filled_platform.ts";

/** A kind of damage to the warehouse, and what verify says of it. */
const WAREHOUSE_DAMAGES: Record<
  string,
  { sql: string[]; says: string[]; repairs?: string[] }
> = {
  "a fact that is gone": {
    sql: ["delete from fact_payment where payment_id = 4"],
    says: ["fact_payment warehouse: 4 missing"],
  },
  "a fact that is different": {
    sql: [
      "update fact_payment set payment_amount = payment_amount + 0.01 where payment_id = 2",
    ],
    says: ["fact_payment warehouse: 2 different"],
  },
  "a fact that is extra": {
    sql: [
      `insert into fact_payment select 900, 70, created_date, created_time,
        last_updated_date, last_updated_time, transaction_id, counterparty_id,
        payment_amount, currency_id, payment_type_id, paid, payment_date,
        valid_from, null, from_batch, null from fact_payment
      where payment_id = 1`,
    ],
    says: ["fact_payment warehouse: 70 extra"],
  },
  "a fact that is there twice": {
    sql: [
      `insert into fact_payment select 900, payment_id, created_date,
        created_time, last_updated_date, last_updated_time, transaction_id,
        counterparty_id, payment_amount, currency_id, payment_type_id, paid,
        payment_date, '2020-01-01', '2099-01-01', 0, 99 from fact_payment
      where payment_id = 1`,
    ],
    says: [
      "fact_payment warehouse: 1 duplicate",
      "fact_payment history: [1, 0] different, [1, 1] different",
    ],
    repairs: REBUILD_BOTH,
  },
  "a fact that holds since another batch": {
    sql: [
      "update fact_payment set from_batch = 0, valid_from = '2020-01-01' where payment_id = 1",
    ],
    says: ["fact_payment history: [1, 1] different"],
    repairs: REBUILD_BOTH,
  },
  "rows that end, or began, in a batch to come": {
    sql: [
      `update fact_payment set to_batch = 999,
        valid_to = valid_from + interval '1 year' where payment_id = 2`,
      `update fact_payment set from_batch = 998, valid_from = '2090-01-01'
        where payment_id = 3`,
      `update dim_design set to_batch = 999, valid_to = valid_from
        where design_id = 1`,
      "update dim_staff set valid_to = valid_from where staff_id = 2",
      "update fact_sales_order set valid_to = valid_from where sales_order_id = 1",
    ],
    says: [
      "dim_design history: [1, 1] different",
      "dim_staff history: [2, 1] different",
      "fact_payment warehouse: 3 missing",
      "fact_payment history: [2, 1] different, [3, 998] different",
      "fact_sales_order history: [1, 1] different",
    ],
    repairs: REBUILD_BOTH,
  },
  "a dimension's rows": {
    sql: [
      "update dim_design set design_name = 'Steel' where design_id = 1",
      "delete from dim_payment_type where payment_type_id = 3",
      "insert into dim_currency (currency_id, currency_code, currency_name, valid_from, from_batch) values (98, 'XXX', 'X', '2023-01-01', 1)",
    ],
    says: [
      "dim_currency warehouse: 98 extra",
      "dim_design warehouse: 1 different",
      "dim_payment_type warehouse: 3 missing",
    ],
  },
  "serial numbers that are not those of a first load": {
    sql: [
      "update fact_payment set payment_record_id = -payment_record_id where payment_id in (2, 5)",
    ],
    says: ["fact_payment warehouse: 2 different, 5 different"],
  },
  "a placeholder that has values": {
    sql: [
      "insert into dim_design (design_id, is_placeholder, design_name) values (40, true, 'Fake')",
      "insert into dim_design (design_id, is_placeholder, valid_from) values (41, true, now())",
      "insert into dim_design (design_id, is_placeholder) values (42, true)",
    ],
    says: ["dim_design warehouse: 40 different, 41 different"],
  },
  "a row that somebody wrote, which began in no batch": {
    sql: [
      "insert into dim_currency (currency_id, currency_code) values (97, 'XYZ')",
    ],
    says: ["dim_currency history: [97] different"],
    repairs: REBUILD_BOTH,
  },
  "views and functions that somebody replaced": {
    sql: [
      "create or replace view fact_payment_current as select * from fact_payment_history where paid",
      `create or replace function fact_payment_as_of_time(moment timestamptz)
        returns setof fact_payment_history language sql stable
        as 'select * from fact_payment_history where valid_from > moment'`,
      "drop view dim_design_current",
      `create view dim_design_current as
        select design_id, design_name, file_location,
          upper(file_name) as file_name, valid_from, valid_to, from_batch,
          to_batch, 1 as extra
        from dim_design where to_batch is null`,
      "grant select on dim_design_current to public",
    ],
    says: [
      "dim_design warehouse: dim_design_current, column extra extra",
      "fact_payment warehouse: fact_payment_as_of_time, fact_payment_current",
    ],
  },
  "views and functions that show what is right by chance": {
    sql: [
      "create or replace view fact_payment_current as select * from fact_payment where to_batch is null and payment_id < 1000",
      "create or replace view quarantine_current as select * from quarantine where false",
      "alter view dim_staff_current rename to elsewhere",
      "create materialized view dim_staff_current as select * from elsewhere",
      `create or replace function dim_date_as_of_batch(batch_number bigint)
        returns setof dim_date_history language sql stable
        as 'select * from dim_date_history where to_batch is null'`,
      `create or replace function fact_payment_as_of_time(moment timestamptz)
        returns setof fact_payment_history language sql stable
        as 'select * from fact_payment_history where to_batch is null'`,
    ],
    says: [
      "dim_date warehouse: dim_date_as_of_batch",
      "dim_staff warehouse: dim_staff_current",
      "fact_payment warehouse: fact_payment_as_of_time, fact_payment_current",
      "quarantine warehouse: quarantine_current",
    ],
  },
  "a function of the past that gives nothing": {
    sql: [
      `create or replace function dim_design_as_of_batch(batch_number bigint)
        returns setof dim_design_history language sql stable
        as 'select * from dim_design_history where false'`,
    ],
    says: [
      "dim_design warehouse: dim_design_as_of_batch, 1 missing, 2 missing, 3 missing",
    ],
  },
  "a day that the calendar of the lake lacks": {
    sql: [
      `insert into dim_date select '1999-01-01', year, month, day, day_of_week,
        day_name, month_name, quarter, valid_from, null, 1, null
      from dim_date limit 1`,
    ],
    says: ["dim_date warehouse: 1999-01-01 extra"],
  },
};

Deno.test("rebuild warehouse gives the columns of history their types again", async () => {
  await using platform = await openFilled();
  const { warehouse: { client }, context, source } = platform;
  await execute(
    client,
    "drop view fact_payment_current, fact_payment_history cascade",
    "alter table fact_payment alter valid_from type timestamptz(0)",
    "call pipeline.make_views('fact_payment')",
  );
  await execute(source.client, insertOrder(30));
  await assert.rejects(platform.run(), {
    message:
      'Cannot load "fact_payment": its column "valid_from" is timestamp(0) with time zone, not timestamp with time zone',
    hint:
      "Run `./totesys rebuild warehouse`: it gives the column its type again",
  });

  await rebuildWarehouse(context);

  const verification = await verify(context);
  assert.deepEqual(differences(verification), []);
});

Deno.test("rebuild warehouse names a domain that would round", async () => {
  await using platform = await openFilled();
  const { warehouse: { client }, context } = platform;
  await execute(
    client,
    "create domain price as numeric(10,1)",
    "drop view fact_payment_current, fact_payment_history cascade",
    "alter table fact_payment alter payment_amount type price",
  );

  const statements =
    'drop view "fact_payment_current", "fact_payment_history" cascade; alter table "fact_payment" alter "payment_amount" type numeric(15,2)';
  await assert.rejects(rebuildWarehouse(context), {
    message:
      'Cannot load the model "fact_payment": its column "payment_amount" is numeric(15,2), which the warehouse\'s domain price, numeric(10,1), does not hold',
    hint:
      `Run: ${statements}; the next load makes the views again. Or cast the column in the model`,
  });

  await execute(client, statements);
  await rebuildWarehouse(context);
  assert.deepEqual(differences(await verify(context)), []);
});

// One after another: what a task has repaired is as good as new.
Deno.test("verify() names the tasks that repair a damaged warehouse", async (test) => {
  await using platform = await openFilled();
  for (const [name, damage] of Object.entries(WAREHOUSE_DAMAGES)) {
    const { sql, says, repairs = [REBUILD_WAREHOUSE] } = damage;
    await test.step(name, async () => {
      await execute(platform.warehouse.client, ...sql);
      await expectRepaired(platform, { differences: says, repairs });
    });
  }
});

Deno.test("verify() names the task that empties a placeholder that is referred to", async () => {
  await using platform = await openFilled();
  const { source, warehouse } = platform;
  await execute(
    source.client,
    insertOrder(7),
    "update sales_order set design_id = 40 where sales_order_id = 7",
  );
  await platform.run();
  await execute(
    warehouse.client,
    "update dim_design set design_name = 'Fake', from_batch = 1 where design_id = 40",
  );

  await expectRepaired(platform, {
    differences: ["dim_design warehouse: 40 different"],
    repairs: [REBUILD_WAREHOUSE],
  });
});

const OTHER_SQL = readProjectSql(
  fileURLToPath(new URL("../harness/companies/other_company", import.meta.url)),
);
const OTHER_SOURCE = `
  create table stock (warehouse_code varchar(20), item_number integer,
    quantity smallint not null, primary key (warehouse_code, item_number));
  create table item (sku varchar primary key, title text, details jsonb);
  create table reading (reading_id bigint, taken_on date not null,
    taken_at timestamptz not null, amount numeric(10,4),
    primary key (reading_id, taken_on));
  insert into item select 'sku ' || n, 'title ' || n, jsonb_build_object('n', n)
    from generate_series(1, 5) as n;
  insert into stock select 'w', n, n from generate_series(1, 5) as n;`;

function otherSql(change: (tables: string) => string): ProjectSql {
  return {
    ...OTHER_SQL,
    migrations: OTHER_SQL.migrations
      .map((file) => ({ ...file, text: change(file.text) })),
  };
}

Deno.test("verify() names the task that repairs a column that the warehouse lacks", async () => {
  await using platform = await openPlatform({
    sql: otherSql((text) => text.replaceAll("    details text,\n", "")),
    sourceSql: OTHER_SOURCE,
  });
  const first = await verify(platform.context);
  if (first.same) return; // The load itself has added it.

  await expectRepaired(platform, {
    differences: ["dim_item warehouse: column details missing"],
    repairs: [REBUILD_WAREHOUSE],
  });
});

Deno.test("verify() names the task that repairs a column that no model has", async () => {
  await using platform = await openPlatform({
    sql: otherSql((text) =>
      text.replaceAll("    title text,\n", "    title text,\n    note text,\n")
    ),
    sourceSql: OTHER_SOURCE,
  });

  await expectRepaired(platform, {
    differences: ["dim_item warehouse: column note extra"],
    repairs: [`${REBUILD_WAREHOUSE} --accept`],
  });
});

Deno.test("verify() names the task that repairs a row that its model leaves out", async () => {
  const sql = otherSql((text) => text);
  const filtered: ProjectSql = {
    ...sql,
    models: sql.models.map((model) =>
      model.name === "fact_stock"
        ? { ...model, sql: `${model.sql}\nwhere quantity > 0\n` }
        : model
    ),
  };
  await using platform = await openPlatform({
    sql: filtered,
    sourceSql: OTHER_SOURCE,
  });
  await platform.run();
  // As a lake has it that was made before such rows ended their versions.
  await changeUnseen(platform, [
    "update stock set quantity = 0 where item_number = 3",
  ]);

  await expectRepaired(platform, {
    differences: [
      "fact_stock lake: [w, 3] extra",
      "fact_stock warehouse: [w, 3] extra",
    ],
    repairs: ["./totesys resync stock"],
  });

  await execute(
    platform.source.client,
    "update stock set quantity = 0 where item_number = 4",
  );
  assert.deepEqual(differences(await verify(platform.context)), []);
});

Deno.test("a rebuild changes values where rows are, and what refers to them stays", async () => {
  await using platform = await openFilled();
  const { warehouse: { client }, context } = platform;
  await execute(
    client,
    `create table note (
      payment_record_id bigint references fact_payment on delete cascade,
      staff_id integer references dim_staff on delete cascade)`,
    "insert into note select payment_record_id, 1 from fact_payment",
    "update fact_payment set payment_amount = payment_amount + 1",
    "update dim_staff set last_name = 'x'",
  );

  const { repaired } = await rebuildWarehouse(context);

  assert.equal(repaired.fact_payment, 10);
  const { rows: [notes] } = await client.query("select count(*) from note");
  assert.equal(notes.count, "5");
  assert.equal((await verify(context)).same, true);
});

Deno.test("load names a column that somebody renamed in the warehouse", async () => {
  await using platform = await openFilled();
  const { warehouse: { client }, context, source } = platform;
  await execute(
    client,
    "drop view fact_sales_order_current, fact_sales_order_history cascade",
    "alter table fact_sales_order rename units_sold to units",
  );
  await execute(source.client, insertOrder(30));

  await assert.rejects(platform.run(), {
    message:
      'Cannot load "fact_sales_order": the warehouse\'s table has no column "units_sold" any more, which its model gives',
    hint:
      /give it its name again, or run `\.\/totesys rebuild warehouse --accept`/,
  });
  await rebuildWarehouse(context, { accept: true });

  assert.deepEqual(differences(await verify(context)), []);
});
