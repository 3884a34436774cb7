import assert from "node:assert/strict";
import { StageDatabase } from "./stage_database.ts";

const NO_DATES = [
  "31/12/2022",
  "2022-1-5",
  "2022-13-01",
  "2023-02-29",
  "2022-11-03 00:00:00",
  " 2022-11-03",
  "2022-11-03\n",
  "",
  "tomorrow",
  "epoch",
  "infinity",
  "-infinity",
  "0000-01-01",
  "0044-03-15 (BC)",
  "10000-01-01",
  "-0001-01-01",
  "２０２２-11-03",
];

const DATES = ["2022-11-03", "0001-01-01", "9999-12-31", "2024-02-29"];

for (
  const { table, key, column } of [
    {
      table: "sales_order",
      key: "sales_order_id",
      column: "agreed_payment_date",
    },
    {
      table: "purchase_order",
      key: "purchase_order_id",
      column: "agreed_delivery_date",
    },
    { table: "payment", key: "payment_id", column: "payment_date" },
  ]
) {
  Deno.test(`the quarantine of ${table} takes values that aren't dates`, async () => {
    await using database = await StageDatabase.open("arrived");
    for (const [index, text] of [...NO_DATES, ...DATES].entries()) {
      await database.insert(`arrived.${table}`, {
        [key]: String(index),
        [column]: text,
      });
    }

    const rows = await database.rows(`quarantine/${table}.sql`, key);

    assert.deepEqual(
      rows,
      NO_DATES.map((text, index) => ({
        [key]: index,
        reason: `${column} is no date (YYYY-MM-DD): "${text}"`,
      })),
    );
  });

  Deno.test(`the quarantine of ${table} takes infinite times`, async () => {
    await using database = await StageDatabase.open("arrived");
    await database.insert(
      `arrived.${table}`,
      { [key]: "1", created_at: "infinity" },
      { [key]: "2", last_updated: "-infinity" },
      { [key]: "3", last_updated: "10000-01-01 00:00:00" },
      { [key]: "4", created_at: "0001-01-01 00:00:00" },
      { [key]: "5", created_at: "9999-12-31 23:59:59.999999" },
    );

    const rows = await database.rows(`quarantine/${table}.sql`, key);

    const range = "is not in the years 0001 to 9999";
    assert.deepEqual(rows, [
      { [key]: 1, reason: `created_at ${range}: infinity` },
      { [key]: 2, reason: `last_updated ${range}: -infinity` },
      { [key]: 3, reason: `last_updated ${range}: 10000-01-01 00:00:00` },
    ]);
  });
}

Deno.test("quarantine gives one row for several bad columns", async () => {
  await using database = await StageDatabase.open("arrived");
  await database.insert("arrived.sales_order", {
    sales_order_id: "7",
    agreed_payment_date: "soon",
    agreed_delivery_date: "31/12/2022",
  });

  const rows = await database.rows("quarantine/sales_order.sql", "1");

  assert.deepEqual(rows, [{
    sales_order_id: 7,
    reason: 'agreed_delivery_date is no date (YYYY-MM-DD): "31/12/2022"; ' +
      'agreed_payment_date is no date (YYYY-MM-DD): "soon"',
  }]);
});

Deno.test("quarantine names a missing date, and cuts a long text", async () => {
  await using database = await StageDatabase.open("arrived");
  await database.connection.run(
    "alter table arrived.payment alter column payment_date drop not null",
  );
  await database.insert(
    "arrived.payment",
    { payment_id: "1", payment_date: null },
    { payment_id: "2", payment_date: "9".repeat(10_000) },
  );

  const rows = await database.rows("quarantine/payment.sql", "1");

  const fault = "payment_date is no date (YYYY-MM-DD)";
  assert.deepEqual(rows.map((row) => row["reason"]), [
    `${fault}: null`,
    `${fault}: "${"9".repeat(40)}"`,
  ]);
});
