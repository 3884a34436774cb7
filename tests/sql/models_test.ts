import assert from "node:assert/strict";
import { tablesRead } from "../../lib/project/tables_read.ts";
import { PROJECT_SQL } from "../harness/platform.ts";
import { readSql, StageDatabase } from "./stage_database.ts";

const TRICKY_TEXTS = [
  `O'Brien & "Sons"`,
  "a, b\nc\r\td",
  "NULL",
  "",
  "back\\slash \\N \\.",
  "Zoë 日本 🙂",
];

Deno.test("fact_sales_order gives an order's row, key by key", async () => {
  await using database = await StageDatabase.open("changed");
  await database.insert("changed.sales_order", { sales_order_id: "7" });

  const rows = await database.rows("models/fact_sales_order.sql", "1");

  assert.deepEqual(rows, [{
    sales_order_id: 7,
    created_date: "2022-11-03",
    created_time: "14:20:52.186",
    last_updated_date: "2022-11-03",
    last_updated_time: "14:20:52.186",
    sales_staff_id: 13,
    counterparty_id: 18,
    units_sold: 84754,
    unit_price: "2.43",
    currency_id: 3,
    design_id: 9,
    agreed_payment_date: "2022-11-03",
    agreed_delivery_date: "2022-11-10",
    agreed_delivery_location_id: 4,
  }]);
});

Deno.test("fact_sales_order keeps microseconds and midnight", async () => {
  await using database = await StageDatabase.open("changed");
  await database.insert(
    "changed.sales_order",
    {
      sales_order_id: "1",
      created_at: "2024-02-29 23:59:59.999999",
      last_updated: "2024-03-01 00:00:00",
    },
    {
      sales_order_id: "2",
      created_at: "0001-01-01 00:00:00.000001",
      last_updated: "9999-12-31 23:59:59.999999",
    },
  );

  const rows = await database.rows("models/fact_sales_order.sql", "1");

  assert.deepEqual(
    rows.map((row) => [
      row["created_date"],
      row["created_time"],
      row["last_updated_date"],
      row["last_updated_time"],
    ]),
    [
      ["2024-02-29", "23:59:59.999999", "2024-03-01", "00:00:00"],
      ["0001-01-01", "00:00:00.000001", "9999-12-31", "23:59:59.999999"],
    ],
  );
});

Deno.test("fact_sales_order keeps money to the cent", async () => {
  const prices = ["-99999999.99", "-0.01", "0.00", "0.10", "99999999.99"];
  await using database = await StageDatabase.open("changed");
  for (const [index, price] of prices.entries()) {
    await database.insert("changed.sales_order", {
      sales_order_id: String(index),
      unit_price: price,
    });
  }

  const rows = await database.rows("models/fact_sales_order.sql", "1");

  assert.deepEqual(rows.map((row) => row["unit_price"]), prices);
});

Deno.test("fact_sales_order reads the first, last and leap days", async () => {
  await using database = await StageDatabase.open("changed");
  await database.insert("changed.sales_order", {
    agreed_payment_date: "0001-01-01",
    agreed_delivery_date: "9999-12-31",
  }, {
    sales_order_id: "2",
    agreed_payment_date: "2024-02-29",
    agreed_delivery_date: "2000-02-29",
  });

  const rows = await database.rows("models/fact_sales_order.sql", "1");

  assert.deepEqual(
    rows.map((row) => [
      row["agreed_payment_date"],
      row["agreed_delivery_date"],
    ]),
    [["0001-01-01", "9999-12-31"], ["2024-02-29", "2000-02-29"]],
  );
});

Deno.test("fact_purchase_order gives an order's row, key by key", async () => {
  await using database = await StageDatabase.open("changed");
  await database.insert("changed.purchase_order", {
    last_updated: "2023-01-02 03:04:05.000006",
    item_unit_price: "99999999.99",
  });

  const rows = await database.rows("models/fact_purchase_order.sql", "1");

  assert.deepEqual(rows, [{
    purchase_order_id: 1,
    created_date: "2022-11-03",
    created_time: "14:20:52.186",
    last_updated_date: "2023-01-02",
    last_updated_time: "03:04:05.000006",
    staff_id: 13,
    counterparty_id: 18,
    item_code: "ZDOI5EA",
    item_quantity: 371,
    item_unit_price: "99999999.99",
    currency_id: 3,
    agreed_delivery_date: "2022-11-10",
    agreed_payment_date: "2022-11-03",
    agreed_delivery_location_id: 4,
  }]);
});

Deno.test("fact_payment gives a payment's row, key by key", async () => {
  await using database = await StageDatabase.open("changed");
  await database.insert("changed.payment", {
    last_updated: "2022-11-07 07:55:11.885123",
    payment_amount: "9999999999999.99",
    paid: "false",
  });

  const rows = await database.rows("models/fact_payment.sql", "1");

  assert.deepEqual(rows, [{
    payment_id: 1,
    created_date: "2022-11-03",
    created_time: "14:20:52.186",
    last_updated_date: "2022-11-07",
    last_updated_time: "07:55:11.885123",
    transaction_id: 1,
    counterparty_id: 17,
    payment_amount: "9999999999999.99",
    currency_id: 2,
    payment_type_id: 3,
    paid: false,
    payment_date: "2022-11-07",
  }]);
});

Deno.test("dim_currency names known currencies, and shows the code of others", async () => {
  await using database = await StageDatabase.open("changed");
  for (const [index, code] of ["GBP", "USD", "EUR", "JPY", "gbp"].entries()) {
    await database.insert("changed.currency", {
      currency_id: String(index + 1),
      currency_code: code,
    });
  }

  const rows = await database.rows("models/dim_currency.sql", "1");

  assert.deepEqual(rows.map((row) => Object.values(row)), [
    [1, "GBP", "British Pound"],
    [2, "USD", "US Dollar"],
    [3, "EUR", "Euro"],
    [4, "JPY", "JPY"],
    [5, "gbp", "gbp"],
  ]);
});

Deno.test("dim_design keeps every text as it is", async () => {
  await using database = await StageDatabase.open("changed");
  for (const [index, text] of TRICKY_TEXTS.entries()) {
    await database.insert("changed.design", {
      design_id: String(index),
      design_name: text,
      file_name: text,
    });
  }

  const rows = await database.rows("models/dim_design.sql", "1");

  assert.deepEqual(
    rows,
    TRICKY_TEXTS.map((text, index) => ({
      design_id: index,
      design_name: text,
      file_location: "/lib",
      file_name: text,
    })),
  );
});

Deno.test("dim_location tells a missing line from an empty one", async () => {
  await using database = await StageDatabase.open("changed");
  await database.insert(
    "changed.address",
    { address_id: "1", address_line_2: "", district: null },
    { address_id: "2", address_line_2: null, district: "" },
  );

  const rows = await database.rows("models/dim_location.sql", "1");

  assert.deepEqual(rows[0], {
    location_id: 1,
    address_line_1: "6826 Herzog Via",
    address_line_2: "",
    district: null,
    city: "New Patienceburgh",
    postal_code: "28441",
    country: "Turkey",
    phone: "1803 637401",
  });
  assert.deepEqual(
    [rows[1]?.["address_line_2"], rows[1]?.["district"]],
    [null, ""],
  );
});

Deno.test("dim_payment_type gives id and name", async () => {
  await using database = await StageDatabase.open("changed");
  await database.insert("changed.payment_type", {});

  const rows = await database.rows("models/dim_payment_type.sql", "1");

  assert.deepEqual(rows, [{
    payment_type_id: 1,
    payment_type_name: "SALES_RECEIPT",
  }]);
});

Deno.test("dim_transaction leaves the order of the other kind null", async () => {
  await using database = await StageDatabase.open("changed");
  await database.insert("changed.transaction", {}, {
    transaction_id: "2",
    transaction_type: "SALE",
    sales_order_id: "5",
    purchase_order_id: null,
  });

  const rows = await database.rows("models/dim_transaction.sql", "1");

  assert.deepEqual(rows.map((row) => Object.values(row)), [
    [1, "PURCHASE", null, 2],
    [2, "SALE", 5, null],
  ]);
});

Deno.test("dim_staff has the department's name and location", async () => {
  await using database = await StageDatabase.open("current");
  await database.insert(
    "current.department",
    { department_id: "1" },
    { department_id: "2", department_name: "Facilities", location: null },
  );
  await database.insert(
    "current.staff",
    { staff_id: "1", last_name: "O'Keefe" },
    { staff_id: "2", department_id: "2" },
  );

  const rows = await database.rows("models/dim_staff.sql", "1");

  assert.deepEqual(rows, [
    {
      staff_id: 1,
      first_name: "Jeremie",
      last_name: "O'Keefe",
      department_name: "Sales",
      location: "Manchester",
      email_address: "jeremie.franey@terrifictotes.com",
    },
    {
      staff_id: 2,
      first_name: "Jeremie",
      last_name: "Franey",
      department_name: "Facilities",
      location: null,
      email_address: "jeremie.franey@terrifictotes.com",
    },
  ]);
});

Deno.test("dim_staff keeps a person whose department was deleted", async () => {
  await using database = await StageDatabase.open("current");
  await database.insert("current.staff", { department_id: "99" });

  const rows = await database.rows("models/dim_staff.sql", "1");

  assert.equal(rows.length, 1);
  assert.equal(rows[0]?.["last_name"], "Franey");
  assert.equal(rows[0]?.["department_name"], null);
  assert.equal(rows[0]?.["location"], null);
});

Deno.test("dim_counterparty has its legal address", async () => {
  await using database = await StageDatabase.open("current");
  await database.insert("current.address", { address_id: "15" });
  await database.insert("current.counterparty", { legal_address_id: "15" });

  const rows = await database.rows("models/dim_counterparty.sql", "1");

  assert.deepEqual(rows, [{
    counterparty_id: 1,
    counterparty_legal_name: "Fahey and Sons",
    counterparty_legal_address_line_1: "6826 Herzog Via",
    counterparty_legal_address_line_2: null,
    counterparty_legal_district: "Avon",
    counterparty_legal_city: "New Patienceburgh",
    counterparty_legal_postal_code: "28441",
    counterparty_legal_country: "Turkey",
    counterparty_legal_phone_number: "1803 637401",
  }]);
});

Deno.test("dim_counterparty keeps a row whose address was deleted", async () => {
  await using database = await StageDatabase.open("current");
  await database.insert("current.counterparty", {});

  const rows = await database.rows("models/dim_counterparty.sql", "1");

  assert.equal(rows.length, 1);
  assert.deepEqual(Object.values(rows[0] ?? {}), [
    1,
    "Fahey and Sons",
    ...Array(7).fill(null),
  ]);
});

Deno.test("dim_date holds every date that a fact names, once", async () => {
  await using database = await StageDatabase.open("changed");
  await database.insert("changed.sales_order", {
    created_at: "2021-01-01 23:59:59.999999",
    last_updated: "2021-01-02 00:00:00",
    agreed_payment_date: "2021-01-03",
    agreed_delivery_date: "2021-01-04",
  });
  await database.insert("changed.purchase_order", {
    created_at: "2021-01-05 01:00:00",
    last_updated: "2021-01-06 02:00:00",
    agreed_payment_date: "2021-01-07",
    agreed_delivery_date: "2021-01-08",
  });
  await database.insert("changed.payment", {
    created_at: "2021-01-09 03:00:00",
    last_updated: "2021-01-10 04:00:00",
    payment_date: "2021-01-11",
  }, {
    payment_id: "2",
    created_at: "2021-01-09 05:00:00",
    last_updated: "2021-01-01 06:00:00",
    payment_date: "2021-01-04",
  });

  const rows = await database.rows("models/dim_date.sql", "1");

  assert.deepEqual(
    rows.map((row) => row["date_id"]),
    Array.from(
      { length: 11 },
      (_, index) => `2021-01-${String(index + 1).padStart(2, "0")}`,
    ),
  );
});

Deno.test("dim_date gives the parts of a date in any year", async () => {
  await using database = await StageDatabase.open("changed");
  await database.insert("changed.sales_order", {
    created_at: "0001-01-01 00:00:00",
    last_updated: "9999-12-31 23:59:59.999999",
    agreed_payment_date: "2024-02-29",
    agreed_delivery_date: "2022-11-06",
  });

  const rows = await database.rows("models/dim_date.sql", "1");

  assert.deepEqual(rows.map((row) => Object.values(row)), [
    ["0001-01-01", 1, 1, 1, 1, "Monday", "January", 1],
    ["2022-11-06", 2022, 11, 6, 7, "Sunday", "November", 4],
    ["2024-02-29", 2024, 2, 29, 4, "Thursday", "February", 1],
    ["9999-12-31", 9999, 12, 31, 5, "Friday", "December", 4],
  ]);
});

Deno.test("dim_date agrees with DuckDB's own calendar in all years", async () => {
  const daysApart = 13;
  await using database = await StageDatabase.open("changed");
  await database.insert("changed.sales_order", {});
  await database.connection.run(`
    insert into changed.sales_order
    select columns.* replace (
      cast(days.day as timestamp) as created_at,
      cast(row_number() over () + 1 as integer) as sales_order_id
    )
    from changed.sales_order as columns,
      generate_series(
        timestamp '0001-01-01', timestamp '9999-12-31',
        interval ${daysApart} days
      ) as days(day)`);

  const result = await database.connection.runAndReadAll(`
    select count(*) as dates, count(*) filter (
      where year <> extract(year from date_id)
        or month <> extract(month from date_id)
        or day <> extract(day from date_id)
        or quarter <> extract(quarter from date_id)
        or day_of_week <> isodow(date_id)
        or day_name <> dayname(date_id)
        or month_name <> monthname(date_id)
        or day_name is null
        or month_name is null
    ) as wrong
    from (${readSql("models/dim_date.sql")}) as dates`);

  const [row] = result.getRowObjects();
  assert.ok(Number(row?.["dates"]) > 280_000);
  assert.equal(row?.["wrong"], 0n);
});

for (const model of PROJECT_SQL.models) {
  const schema = model.derivation === "join" ? "current" : "changed";

  Deno.test(`${model.name} reads no table or column but the contract's`, async () => {
    await using database = await StageDatabase.open("contract");
    await database.connection.run(`create schema "${schema}"`);
    const reads = tablesRead(readSql(`models/${model.name}.sql`));
    for (const table of reads) {
      await database.connection.run(
        `create table "${schema}"."${table}" as from contract."${table}"`,
      );
    }

    const rows = await database.rows(`models/${model.name}.sql`, "1");

    assert.deepEqual(rows, []);
  });

  Deno.test(`${model.name} has the columns that analysts rely on`, async () => {
    await using database = await StageDatabase.open("changed", "current");

    const result = await database.connection.runAndReadAll(
      readSql(`models/${model.name}.sql`),
    );

    const columns = result.columnNames();
    assert.deepEqual(columns, COLUMNS[model.name]?.split(" "));
    const types = result.columnTypes().map(String);
    const inexact = types.filter((type) =>
      !/^(INTEGER|VARCHAR|DATE|BOOLEAN|DECIMAL\((10|15),2\))$/.test(type)
    );
    assert.deepEqual(inexact, []);
    assert.ok(model.key.every((name) => columns.includes(name)));
    assert.ok(model.times.every((name) => columns.includes(name)));
  });
}

const COLUMNS: Record<string, string> = {
  fact_sales_order:
    "sales_order_id created_date created_time last_updated_date last_updated_time sales_staff_id counterparty_id units_sold unit_price currency_id design_id agreed_payment_date agreed_delivery_date agreed_delivery_location_id",
  fact_purchase_order:
    "purchase_order_id created_date created_time last_updated_date last_updated_time staff_id counterparty_id item_code item_quantity item_unit_price currency_id agreed_delivery_date agreed_payment_date agreed_delivery_location_id",
  fact_payment:
    "payment_id created_date created_time last_updated_date last_updated_time transaction_id counterparty_id payment_amount currency_id payment_type_id paid payment_date",
  dim_date: "date_id year month day day_of_week day_name month_name quarter",
  dim_staff:
    "staff_id first_name last_name department_name location email_address",
  dim_location:
    "location_id address_line_1 address_line_2 district city postal_code country phone",
  dim_counterparty:
    "counterparty_id counterparty_legal_name counterparty_legal_address_line_1 counterparty_legal_address_line_2 counterparty_legal_district counterparty_legal_city counterparty_legal_postal_code counterparty_legal_country counterparty_legal_phone_number",
  dim_currency: "currency_id currency_code currency_name",
  dim_design: "design_id design_name file_location file_name",
  dim_transaction:
    "transaction_id transaction_type sales_order_id purchase_order_id",
  dim_payment_type: "payment_type_id payment_type_name",
};
