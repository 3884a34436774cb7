import assert from "node:assert/strict";
import { Client } from "pg";
import { fillSource, SALES_ORDERS } from "../../demo/fill.ts";
import { startSource } from "./source.ts";

const TABLES = [
  "address",
  "counterparty",
  "currency",
  "department",
  "design",
  "payment",
  "payment_type",
  "purchase_order",
  "sales_order",
  "staff",
  "transaction",
];

Deno.test("fillSource() fills the source at its real size", async () => {
  await using source = await startSource({
    seed: 1,
    salesOrders: SALES_ORDERS,
  });

  const counts = Object.fromEntries(
    await Promise.all(TABLES.map(async (table) => [
      table,
      await value(source.client, `select count(*)::integer from ${table}`),
    ])),
  );

  const { payment, transaction, ...others } = counts;
  assert.deepEqual(others, {
    address: 30,
    counterparty: 20,
    currency: 3,
    department: 8,
    design: 470,
    payment_type: 4,
    purchase_order: 4_600,
    sales_order: 11_000,
    staff: 20,
  });
  assert.equal(payment, transaction);
  assert(payment > 15_900 && payment < 16_100, `${payment} payments`);
});

Deno.test("fillSource() makes rows like the real ones", async () => {
  await using source = await startSource({
    seed: 2,
    salesOrders: SALES_ORDERS,
  });
  const one = (sql: string) => value(source.client, sql);

  const facts = {
    paidPercent: await one(
      `select round(100 * avg((last_updated > created_at)::integer))::integer
       from payment
       where created_at > '2024-08-01' and created_at < '2024-10-28'`,
    ),
    unpaidPercentBefore: await one(
      `select round(100 * avg((not paid)::integer))::integer
       from payment
       where created_at < '2024-08-01'`,
    ),
    keysHaveGaps: await one(
      "select max(sales_order_id) > count(*) from sales_order",
    ),
    batchesShareMoments: await one(
      "select count(distinct created_at) < 0.8 * count(*) from sales_order",
    ),
    designsComeLater: await one(
      `select count(*) between 1 and 200
       from sales_order
       inner join design using (design_id)
       where design.created_at > sales_order.created_at`,
    ),
    paymentTypes: await one(
      "select count(distinct payment_type_id)::integer from payment",
    ),
    timesAreMilliseconds: await one(
      `select bool_and(date_trunc('milliseconds', created_at) = created_at)
       from payment`,
    ),
    timesAreWithin: await one(
      `select
           min(created_at) >= '2022-11-03' and max(last_updated) < '2024-11-03'
       from payment`,
    ),
    amountsFollowOrders: await one(
      `select bool_and(payment_amount = units_sold * unit_price)
       from payment
       inner join transaction using (transaction_id)
       inner join sales_order using (sales_order_id)
       where payment_type_id = 1`,
    ),
    datesAreDates: await one(
      `select bool_and(to_char(payment_date::date, 'YYYY-MM-DD') = payment_date)
       from payment`,
    ),
  };

  assert.deepEqual(facts, {
    paidPercent: 61,
    unpaidPercentBefore: 2,
    keysHaveGaps: true,
    batchesShareMoments: true,
    designsComeLater: true,
    paymentTypes: 4,
    timesAreMilliseconds: true,
    timesAreWithin: true,
    amountsFollowOrders: true,
    datesAreDates: true,
  });
});

Deno.test("fillSource() gives the same rows for the same seed only", async () => {
  await using first = await startSource({ seed: 7, salesOrders: 200 });
  await using second = await startSource({ seed: 7, salesOrders: 200 });
  await using other = await startSource({ seed: 8, salesOrders: 200 });

  const [content, same, different] = await Promise.all(
    [first, second, other].map(({ client }) => contentOf(client)),
  );

  assert.equal(content, same);
  assert.notEqual(content, different);
});

Deno.test("fillSource() moves its times by weeks, and nothing else", async () => {
  await using source = await startSource({ seed: 7, salesOrders: 200 });
  await using later = await startSource({
    seed: 7,
    salesOrders: 200,
    weeksLater: 107,
  });
  const orders = async (weeks: number) => {
    const { client } = weeks === 0 ? source : later;
    const { rows } = await client.query(
      `select sales_order_id, units_sold, unit_price::text,
        created_at - $1::integer * interval '7 days' as created_at,
        last_updated - $1::integer * interval '7 days' as last_updated,
        agreed_delivery_date::date - $1::integer * 7 as delivery_date
      from sales_order order by sales_order_id`,
      [weeks],
    );
    const payments = await client.query(
      `select payment_id, paid, payment_date::date - $1::integer * 7 as payment_date,
        last_updated - $1::integer * interval '7 days' as last_updated
      from payment order by payment_id`,
      [weeks],
    );
    return [rows, payments.rows];
  };

  assert.deepEqual(await orders(107), await orders(0));
});

Deno.test("fillSource() leaves a database alone that it can't fill", async () => {
  await using source = await startSource({ seed: 1, salesOrders: 1 });

  await assert.rejects(
    fillSource(source.client, { seed: 1, salesOrders: 1 }),
    /already exists/,
  );
  await assert.rejects(
    fillSource(source.client, { seed: 1, salesOrders: 0 }),
    /0 sales orders are not between 1 and/,
  );

  assert.equal(
    await value(source.client, "select count(*)::integer from sales_order"),
    1,
  );
});

async function contentOf(client: Client): Promise<string> {
  const contents = await Promise.all(TABLES.map((table) =>
    value(
      client,
      `select string_agg(${table}::text, E'\\n' order by ${table}_id)
       from ${table}`,
    )
  ));
  return contents.join("\n");
}

async function value(client: Client, sql: string) {
  const { rows } = await client.query({ text: sql, rowMode: "array" });
  return rows[0]?.[0];
}
