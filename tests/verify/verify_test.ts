import assert from "node:assert/strict";
import { ConfigError, StageError } from "../../lib/errors.ts";
import { query, queryRow } from "../../lib/postgres/postgres.ts";
import type { Comparison } from "../../verify/compare_models.ts";
import type { Verification } from "../../verify/verification.ts";
import { verify } from "../../verify/verify.ts";
import { changeUnseen, swapFile } from "../harness/damage.ts";
import { processedManifest } from "../harness/manifests.ts";
import {
  execute,
  openPlatform,
  PROJECT_SQL,
  ZONE_KINDS,
} from "../harness/platform.ts";
import { differences, doWhatItSays, repairsNamed } from "../harness/repair.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { leftBehind } from "./left_behind.ts";

function comparison(
  verification: Verification,
  model: string,
  place: string,
): Comparison {
  const found = verification.comparisons.find((one) =>
    one.model === model && one.place === place
  );
  assert(found !== undefined);
  return found;
}

const NASTY_CHANGES = [
  `insert into design values (50, '2022-11-03 14:20:49.962',
    e'two\\nlines, "quoted" \\\\ ''single'' 日本 👩‍👩‍👧 e\u0301', '', 'f',
    '2022-11-03 14:20:49.962')`,
  `update address set address_line_2 = '' where address_id = 1`,
  `update payment set payment_amount = 9999999999999.99,
    created_at = '2022-11-03 23:59:59.999999' where payment_id = 1`,
  `update payment set payment_amount = -0.01,
    last_updated = '2022-11-03 00:00:00.1' where payment_id = 2`,
  "update sales_order set unit_price = 0 where sales_order_id = 1",
  "update sales_order set created_at = '0001-01-01', agreed_payment_date = '9999-12-31' where sales_order_id = 2",
  "update department set location = 'Zürich' where department_id = 2",
  "delete from payment where payment_id = 5",
  "delete from staff where staff_id = 4",
  "update payment set payment_date = 'soon' where payment_id = 3",
  insertOrder(16_383, 5),
  insertOrder(16_384, 6),
];

for (const zones of ZONE_KINDS) {
  Deno.test(`verify() finds nothing after a history, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const { source, warehouse, context } = platform;
    await fillSmall(source.client);
    await platform.run();
    await execute(source.client, ...NASTY_CHANGES);
    await platform.run();
    await execute(
      source.client,
      "delete from design where design_id = 50",
      // Its dates stay in the calendar, which only ever grows.
      "delete from sales_order where sales_order_id = 2",
      "insert into design select 50, created_at, 'again', '', '', last_updated from design limit 1",
    );

    const verification = await verify(context);

    assert.deepEqual(differences(verification), []);
    assert.equal(verification.same, true);
    assert.equal(verification.batch, 3);
    assert.equal(comparison(verification, "fact_payment", "lake").rows, 3);
    // Two orders more than there were.
    const orders = comparison(verification, "fact_sales_order", "warehouse");
    assert.equal(orders.rows, 4);
    const written = await query(
      warehouse.client,
      "select * from pipeline.verification order by model, place",
    );
    assert.equal(written.length, 3 * (PROJECT_SQL.models.length + 1));
    assert.deepEqual(leftBehind(platform), []);
  });

  Deno.test(`verify() names each damage where it is, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const { source, warehouse, context } = platform;
    await fillSmall(source.client);
    await platform.run();
    await swapFile(platform, {
      batch: 1,
      model: "dim_design",
      select: (from) =>
        `select * replace (case design_id when 2 then 'swapped'
          else design_name end as design_name) from ${from}
        where design_id <> 3`,
    });
    await execute(
      warehouse.client,
      "update fact_payment set payment_amount = payment_amount + 0.01 where payment_id = 2",
      "delete from fact_payment where payment_id = 4",
      `insert into fact_payment select 900, 70, created_date, created_time,
        last_updated_date, last_updated_time, transaction_id, counterparty_id,
        payment_amount, currency_id, payment_type_id, paid, payment_date,
        valid_from, null, from_batch, null from fact_payment limit 1`,
      "update fact_sales_order set created_time = '14:20:52.186001' where sales_order_id = 1",
      "update dim_location set address_line_2 = '' where location_id = 2",
      "update dim_location set valid_to = now(), to_batch = 1 where location_id = 3",
      "update dim_date set year = 1999 where date_id = '2022-11-07'",
      `insert into dim_currency_closed select currency_id, currency_code,
        currency_name, valid_from, now(), 0, 99 from dim_currency
      where currency_id = 1`,
    );
    await changeUnseen(platform, [
      insertOrder(77),
      "update staff set last_name = 'Unseen' where staff_id = 1",
      "delete from transaction where transaction_id = 5",
    ]);

    const verification = await verify(context);

    assert.deepEqual(differences(verification), [
      "dim_currency warehouse: 1 duplicate",
      "dim_currency history: [1, 0] different, [1, 1] different",
      "dim_date lake: 2023-01-01 missing, 2023-01-02 missing, 2023-01-03 missing",
      "dim_date warehouse: 2022-11-07 different, 2023-01-01 missing, 2023-01-02 missing, 2023-01-03 missing",
      "dim_design lake: 2 different, 3 missing",
      "dim_location warehouse: 2 different, 3 missing",
      "dim_location history: [3, 1] extra",
      "dim_staff lake: 1 different",
      "dim_staff warehouse: 1 different",
      "fact_payment warehouse: 2 different, 4 missing, 70 extra",
      "fact_sales_order lake: 77 missing",
      "fact_sales_order warehouse: 1 different, 77 missing",
    ]);
    assert.equal(verification.same, false);
    assert.deepEqual(
      platform.logged.filter((line) => line.includes("dim_staff in the")),
      ["lake", "warehouse"].map((place) =>
        `error: dim_staff in the ${place} differs from the source: 1 difference, the first: 1 different`
      ),
    );
    // The whole tables were checked, which no load would have done again.
    assert.deepEqual(
      verification.brokenRules.map((rule) => [rule.check, rule.findings]),
      [
        ["dim_currency__versions_do_not_overlap", 1],
        ["dim_date__parts_agree_with_the_date", 1],
        ["dim_location__version_ends_after_it_starts", 1],
      ],
    );
    const { text } = await queryRow(
      warehouse.client,
      `select concat_ws(', ', snapshot_time::text, rows, differences,
        first_keys, verified_at > snapshot_time) as text
      from pipeline.verification
      where model = 'fact_payment' and place = 'warehouse'`,
    );
    assert.match(
      text ?? "",
      /^\d{4}.*, 5, 3, 2 different, 4 missing, 70 extra, t$/,
    );
    assert.deepEqual(leftBehind(platform), []);

    await doWhatItSays(platform, verification);

    const repaired = await verify(context);
    assert.deepEqual(differences(repaired), []);
    assert.equal(repaired.same, true);
  });
}

Deno.test("verify() names what differs of the versions that ended", async () => {
  await using platform = await openPlatform();
  const { source, warehouse, context } = platform;
  await fillSmall(source.client);
  await platform.run();
  await execute(
    source.client,
    "update sales_order set units_sold = 2 where sales_order_id in (1, 2)",
    "update staff set last_name = 'Other' where staff_id = 1",
    "delete from payment where payment_id = 5",
  );
  await platform.run();
  await execute(
    source.client,
    "update sales_order set units_sold = 3 where sales_order_id = 1",
  );
  assert.deepEqual(differences(await verify(context)), []);
  await execute(
    warehouse.client,
    "update fact_sales_order set units_sold = 9 where sales_order_id = 1 and to_batch = 2",
    "delete from fact_sales_order where sales_order_id = 2 and to_batch = 2",
    "update dim_staff_closed set to_batch = 3 where staff_id = 1",
  );

  const verification = await verify(context);

  assert.deepEqual(differences(verification), [
    "dim_staff history: [1, 1] different",
    "fact_sales_order history: [1, 1] different, [2, 1] missing",
  ]);
  assert.equal(verification.same, false);
  assert.ok(
    platform.logged.includes(
      "error: fact_sales_order has other versions in the warehouse than in the lake: 2 differences, the first: [1, 1] different, [2, 1] missing",
    ),
  );

  await doWhatItSays(platform, verification);

  assert.deepEqual(differences(await verify(context)), []);
});

Deno.test("verify() names the first ten keys and counts them all", async () => {
  await using platform = await openPlatform();
  const { source, warehouse, context } = platform;
  await fillSmall(source.client);
  await execute(
    source.client,
    `insert into payment_type select 100 * n, 'KIND', now(), now()
    from generate_series(1, 400) as n`,
  );
  await platform.run();
  await execute(
    warehouse.client,
    "update dim_payment_type set payment_type_name = 'OTHER' where payment_type_id >= 900",
  );

  const found = comparison(
    await verify(context),
    "dim_payment_type",
    "warehouse",
  );

  assert.equal(found.differences, 392);
  assert.deepEqual(
    found.firstKeys.map(({ key }) => Number(key)),
    Array.from({ length: 10 }, (_, n) => 900 + 100 * n),
  );
});

Deno.test("verify() leaves out the rows that are in quarantine, no others", async () => {
  await using platform = await openPlatform();
  const { source, warehouse, context } = platform;
  await fillSmall(source.client);
  await platform.run();
  await execute(
    source.client,
    "update payment set payment_date = 'soon', payment_amount = 5 where payment_id = 2",
    "insert into payment select 9, created_at, last_updated, 1, 1, 1, 1, 1, false, 'never', 1, 2 from payment limit 1",
    "update department set created_at = 'infinity' where department_id = 1",
    "update staff set last_name = 'Moved' where staff_id = 1",
  );

  const verification = await verify(context);

  assert.deepEqual(differences(verification), []);
  assert.equal(verification.same, true);
  assert.equal(comparison(verification, "fact_payment", "lake").rows, 4);
  assert.equal(comparison(verification, "dim_staff", "lake").rows, 4);

  await execute(
    warehouse.client,
    "update fact_payment set payment_amount = 7 where payment_id in (2, 3)",
    "delete from quarantine where row_key = '9'",
    "update dim_staff set department_name = 'Nowhere' where staff_id in (1, 3)",
  );
  const again = await verify(context);

  assert.deepEqual(differences(again), [
    "dim_staff warehouse: 1 different, 3 different",
    // Of the row in quarantine, the lake keeps what the warehouse should hold.
    "fact_payment warehouse: 2 different, 3 different",
    "quarantine warehouse: [payment, 9] missing",
  ]);
  assert.deepEqual(repairsNamed(again), ["./totesys rebuild warehouse"]);
});

Deno.test("verify() throws what keeps it from comparing", async () => {
  await using platform = await openPlatform();
  const { source, warehouse, context } = platform;
  await fillSmall(source.client);
  await platform.run();
  await execute(
    warehouse.client,
    `create or replace function fact_payment_as_of_batch(batch_number bigint)
      returns setof fact_payment_history language plpgsql
      as 'begin return query select * from gone; end'`,
  );

  await assert.rejects(verify(context), (error) => {
    assert(error instanceof StageError);
    assert.match(error.message, /^Cannot verify .*"gone"/);
    assert.match(error.hint ?? "", /\.\/totesys rebuild warehouse/);
    assert.equal(error.retryable, false);
    return true;
  });
  assert.deepEqual(leftBehind(platform), []);
  assert.deepEqual(
    await query(warehouse.client, "select * from pipeline.verification"),
    [],
  );
  platform.set({ warehouse: undefined });
  await assert.rejects(verify(context), ConfigError);
});

Deno.test("verify() names a file that the lake has lost", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();
  const { processedUrl } = platform.config;
  const manifest = await processedManifest(platform, 1);
  const [file] = manifest.models.fact_payment?.files ?? [];
  await Deno.remove(`${processedUrl}/${file?.key}`);

  await assert.rejects(verify(platform.context), (error) => {
    assert(error instanceof StageError);
    assert.match(
      error.message,
      /^Cannot verify the lake: Cannot read .*fact_payment.*it is missing/,
    );
    assert.match(error.hint ?? "", /\.\/totesys rebuild processed/);
    return true;
  });
});

for (const setting of ["ingestionUrl", "processedUrl"] as const) {
  Deno.test(`verify() fills no place that a wrong ${setting} names`, async () => {
    await using platform = await openPlatform();
    await fillSmall(platform.source.client);
    await platform.run();
    const wrong = `${platform.config[setting]}-wrong`;
    platform.set({ [setting]: wrong });

    await assert.rejects(verify(platform.context), {
      name: "StageError",
      message:
        `Cannot verify: the warehouse holds batch 1, ${wrong} holds none`,
      subject: wrong,
    });
    await assert.rejects(Deno.stat(wrong), Deno.errors.NotFound);
  });
}
