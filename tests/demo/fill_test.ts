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

Deno.test("fillSource() makes rows that resemble the real sample", async () => {
  await using source = await startSource({
    seed: 2,
    salesOrders: SALES_ORDERS,
  });
  const one = (sql: string) => value(source.client, sql);

  const facts = {
    threeOfFivePaid: await one(
      `select avg((last_updated > created_at)::integer) between 0.59 and 0.63
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
    threeOfFivePaid: true,
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

Deno.test("fillSource() makes the same rows from the same seed, and others from another", async () => {
  await using first = await startSource({ seed: 7, salesOrders: 200 });
  await using second = await startSource({ seed: 7, salesOrders: 200 });
  await using other = await startSource({ seed: 8, salesOrders: 200 });

  const [content, same, different] = await Promise.all(
    [first, second, other].map(({ client }) => contentOf(client)),
  );

  assert.equal(content, same);
  assert.notEqual(content, different);
});

Deno.test("fillSource() shifts its times by whole weeks", async () => {
  await using source = await startSource({ seed: 7, salesOrders: 200 });
  await using later = await startSource({
    seed: 7,
    salesOrders: 200,
    weeksLater: 107,
  });
  const orders = async ({ client }: typeof source) =>
    (await client.query(
      `select sales_order_id, units_sold, unit_price::text, staff_id,
        agreed_delivery_date::date - created_at::date as delivery_days
      from sales_order order by sales_order_id`,
    )).rows;
  const isWithin = ({ client }: typeof source, from: string, to: string) =>
    value(
      client,
      `select min(created_at) >= '${from}' and max(created_at) < '${to}'
        and max(created_at) - min(created_at) > interval '720 days'
      from sales_order`,
    );

  assert.deepEqual(await orders(later), await orders(source));
  assert.ok(await isWithin(source, "2022-11-03", "2024-11-03"));
  assert.ok(await isWithin(later, "2024-11-21", "2026-11-22"));
});

for (const weeksLater of [0, 134]) {
  Deno.test(`fillSource() follows the seasons, ${weeksLater} weeks later`, async () => {
    await using source = await startSource({
      seed: 3,
      salesOrders: SALES_ORDERS,
      weeksLater,
    });
    const share = (of: string, among: string) =>
      value(
        source.client,
        `select round(100.0 * count(*) filter (where ${of})
          / count(*) filter (where ${among}))::integer from (
          select *, extract(month from created_at) as month,
            extract(isodow from created_at) as weekday,
            extract(epoch from created_at - min(created_at) over ())
              / extract(epoch from max(created_at) over ()
                - min(created_at) over ()) as place
          from sales_order
        ) as orders`,
      );

    const percent = {
      november: await share("month = 11", "month = 8"),
      january: await share("month = 1", "month = 10"),
      friday: await share("weekday = 5", "weekday = 3"),
      weekend: await share("weekday > 5", "true"),
      lateYear: await share("place > 0.5", "place <= 0.5"),
      best: await share("counterparty_id = 1", "counterparty_id = 11"),
    };

    const { november, january, friday, weekend, lateYear, best } = percent;
    assert.ok(november > 140, `November is ${november} % of August`);
    assert.ok(january < 80, `January is ${january} % of October`);
    assert.ok(friday > 60 && friday < 85, `Friday is ${friday} %`);
    assert.equal(weekend, 0);
    assert.ok(lateYear > 103 && lateYear < 118, `${lateYear} % a year later`);
    assert.ok(best > 150, `the best customer has ${best} %`);
  });
}

Deno.test("fillSource() changes nothing in a database that it can't fill", async () => {
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
