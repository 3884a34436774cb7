// What benchmarks change and read of Totesys, whose trade the demo makes: they
// measure the platform, and know no company.

/** The facts. */
export const FACTS = [
  "fact_sales_order",
  "fact_purchase_order",
  "fact_payment",
];

/** The worth of a sales order. */
export const VALUE = "units_sold * unit_price";

/** SQL that gives each department a place. */
export const PLACES =
  "update department set location = 'Leeds' where location is null";

/** A thousand changes of a source of a million orders. */
export const THOUSAND_CHANGES = [
  `update sales_order set units_sold = units_sold + 1
  where sales_order_id in (select sales_order_id from sales_order
    order by md5(sales_order_id::text) limit 600)`,
  `update payment set paid = not paid where payment_id in (
    select payment_id from payment order by md5(payment_id::text) limit 390)`,
  `delete from payment where payment_id in (select payment_id from payment
    order by payment_id desc limit 10)`,
];

/** SQL that changes a thousandth of the sales orders: the part from 0 to 999. */
export function thousandthSql(part: string): string {
  return `update sales_order set units_sold = units_sold + 1
    where sales_order_id % 1000 = ${part}`;
}

/** Ten questions of analysts, of the rows that a model's relation gives. */
export function questions(
  rows: (model: string) => string,
): Record<string, string> {
  const sales = rows("fact_sales_order");
  const purchases = rows("fact_purchase_order");
  const payments = rows("fact_payment");
  return {
    "sales by month": `select date_trunc('month', created_date), sum(${VALUE})
      from ${sales} as sales group by 1`,
    "the ten best designs":
      `select design_name, sum(units_sold) from ${sales} as sales
      inner join ${rows("dim_design")} as design using (design_id)
      group by design_name order by 2 desc limit 10`,
    "sales by country and currency":
      `select country, currency_code, sum(${VALUE}) from ${sales} as sales
      inner join ${rows("dim_location")} as location
        on location.location_id = sales.agreed_delivery_location_id
      inner join ${rows("dim_currency")} as currency using (currency_id)
      group by 1, 2`,
    "orders of each member of staff":
      `select first_name, last_name, count(*), avg(${VALUE})
      from ${sales} as sales inner join ${rows("dim_staff")} as staff
        on staff.staff_id = sales.sales_staff_id
      group by 1, 2`,
    "purchases by supplier":
      `select counterparty_legal_name, sum(item_quantity * item_unit_price)
      from ${purchases} as purchases
      inner join ${rows("dim_counterparty")} as supplier using (counterparty_id)
      group by 1 order by 2 desc`,
    "what is not paid": `select currency_id, sum(payment_amount)
      from ${payments} as payments where not paid group by 1`,
    "payments by type and month":
      `select payment_type_name, date_trunc('month', payment_date), count(*)
      from ${payments} as payments
      inner join ${rows("dim_payment_type")} as type using (payment_type_id)
      group by 1, 2`,
    "buyers": `select count(distinct counterparty_id) from ${sales} as sales`,
    "sales of a week": `select created_date, count(*), sum(${VALUE})
      from ${sales} as sales
      where created_date between date '2024-10-21' and date '2024-10-27'
      group by 1`,
    "one order": `select * from ${sales} as sales where sales_order_id = 4711`,
  };
}

/** SQL that changes the sales order with that number. */
export const ONE_CHANGE = `update sales_order set units_sold = units_sold + 1,
  last_updated = clock_timestamp() where sales_order_id = $1`;

/** SQL for the warehouse: which batch brought the change of which sales order. */
export const CHANGES_BROUGHT =
  `select sales_order_id as record, from_batch::int as batch
  from fact_sales_order where from_batch > $1`;

/** For pgbench: two updates in a transaction, as an application would do them. */
export const PGBENCH_SCRIPT = `\\set payment random(1, :payments)
\\set order random(1, :orders)
begin;
update payment set paid = not paid, last_updated = clock_timestamp()
where payment_id = :payment;
update sales_order set units_sold = units_sold + 1,
    last_updated = clock_timestamp()
where sales_order_id = :order;
end;
`;

/** SQL for the highest number of a payment. */
export const LAST_PAYMENT = "select max(payment_id)::int as last from payment";

/** A department whose staff come last, ... */
const SMALL =
  `insert into department (department_id, department_name, created_at,
  last_updated) values (100, 'Small', now(), now())`;
/** ... and how many they are. */
const SMALL_ROWS = 100;
/** Changes of staff and of departments, which a model joins. */
export const STAFF_CHANGES = {
  "one row": "update staff set first_name = 'Ann' where staff_id = 4711",
  "another row": "update staff set first_name = 'Bob' where staff_id = 4712",
  "a row that 100 are joined to":
    "update department set location = 'Leeds' where department_id = 100",
  "a row is deleted": "delete from staff where staff_id = 5000",
};

/** SQL that adds a department, and so many staff. */
export function staffSql(rows: number): string[] {
  return [
    SMALL,
    `insert into staff (staff_id, first_name, last_name, department_id,
      email_address, created_at, last_updated)
    select 1000 + n, 'First ' || n, 'Last ' || n % 1000,
      case when n > ${rows - SMALL_ROWS} then 100 else 1 + n % 8 end,
      'first.' || n || '@example.com', now(), now()
    from generate_series(1, ${rows}) as n`,
  ];
}

/** A fixed time, so that each run writes the same, and the time between changes. */
const STAMP = "timestamp '2024-11-04 09:00'";
const MINUTES = 15;
/** The changes of a year of batches: every fifth is of more than sales orders. */
const MORE_EVERY = 5;
/** Every tenth change is of dimensions, of this many rows in turn. */
const DIMENSIONS_EVERY = 10;
const DIMENSION_ROWS = 5;
/** The changes that can be repeated: twice the rows of dimensions. */
export const CYCLE = 2 * DIMENSIONS_EVERY * DIMENSION_ROWS;
/** A payment that is inserted, and deleted before others are. */
const OWN_PAYMENT = 1_000_000_000;

/**
 * SQL that changes four sales orders, and every few changes another order and
 * two payments, and inserts a payment or deletes it; now and then also a member
 * of staff and a design, so that dimensions have a history, too.
 */
export function changeSql(change: number): string {
  const at = `${STAMP} + ${change} * interval '${MINUTES} min'`;
  const some = (table: string, options: { rows: number; offset?: number }) => {
    const { rows, offset = change * rows } = options;
    return `last_updated = ${at} where ${table}_id in (
      select ${table}_id from ${table} order by ${table}_id
      offset ${offset} % (select count(*) - ${rows} from ${table})
      limit ${rows})`;
  };
  const changes = [
    `update sales_order set units_sold = 1 + (units_sold + 7) % 1000,
      ${some("sales_order", { rows: 4 })}`,
  ];
  if (change % MORE_EVERY === 0) {
    changes.push(
      `update purchase_order set item_quantity = 1 + (item_quantity + 7) % 1000,
        ${some("purchase_order", { rows: 1 })}`,
      `update payment set paid = not paid, ${some("payment", { rows: 2 })}`,
      change % (2 * MORE_EVERY) === 0
        ? `delete from payment where payment_id = ${OWN_PAYMENT}`
        : `insert into payment
          select ${OWN_PAYMENT}, ${at}, ${at}, transaction_id, counterparty_id,
            payment_amount, currency_id, payment_type_id, paid, payment_date,
            company_ac_number, counterparty_ac_number
          from payment order by payment_id limit 1`,
    );
  }
  if (change % DIMENSIONS_EVERY === 0) {
    const one = {
      rows: 1,
      offset: change / DIMENSIONS_EVERY % DIMENSION_ROWS,
    };
    changes.push(
      `update staff set email_address = 'staff.${change}@example.com',
        ${some("staff", one)}`,
      `update design set file_name = 'design-${change}.json',
        ${some("design", one)}`,
    );
  }
  return changes.join(";\n");
}
