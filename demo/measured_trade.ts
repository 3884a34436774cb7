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
