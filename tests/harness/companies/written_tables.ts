import type { WrittenTable } from "./random_writers.ts";

/** A table whose key is one integer. */
interface NumberedTable
  extends Omit<WrittenTable, "where" | "move" | "isStamped"> {
  key: string;
}

/** So many keys lie close together. */
export const KEYS = 9;
const AT = "timestamp '2023-01-01', timestamp '2023-01-01 10:00:00.000001'";

const NUMBERED: readonly NumberedTable[] = [
  {
    name: "address",
    key: "address_id",
    values: (key, fresh) =>
      `${key}, 'Line ${fresh}', null, '', 'Leeds', 'LS', 'GB', 'NULL', ${AT}`,
    change: (fresh) => `phone = 'phone "${fresh}"'`,
  },
  {
    name: "counterparty",
    key: "counterparty_id",
    values: (key, fresh) => `${key}, 'Co, ${fresh}', ${key}, null, null, ${AT}`,
    change: (fresh) =>
      `legal_address_id = ${1 + fresh % KEYS},
      counterparty_legal_name = e'moved\\n${fresh}'`,
  },
  {
    name: "department",
    key: "department_id",
    values: (key, fresh) => `${key}, 'Department ${fresh}', null, null, ${AT}`,
    change: (fresh) => `location = 'at ${fresh}'`,
  },
  {
    name: "staff",
    key: "staff_id",
    values: (key, fresh) => `${key}, 'A', 'B', ${key}, 'mail ${fresh}', ${AT}`,
    change: (fresh) =>
      `department_id = ${1 + fresh % KEYS}, last_name = '${fresh}'`,
  },
  {
    name: "currency",
    key: "currency_id",
    values: (key, fresh) => `${key}, 'C${fresh}', ${AT}`,
    change: (fresh) => `currency_code = 'D${fresh}'`,
  },
  {
    name: "design",
    key: "design_id",
    values: (key, fresh) =>
      `${key}, now() at time zone 'UTC', 'Name', '/${fresh}', 'f', now()`,
    change: (fresh) => `file_name = 'name \\ ${fresh}'`,
  },
  {
    name: "payment_type",
    key: "payment_type_id",
    values: (key, fresh) => `${key}, 'TYPE ${fresh}', ${AT}`,
    change: (fresh) => `payment_type_name = 'KIND ${fresh}'`,
  },
  {
    name: "transaction",
    key: "transaction_id",
    values: (key, fresh) => `${key}, 'SALE', ${fresh}, null, ${AT}`,
    change: (fresh) => `sales_order_id = ${fresh}`,
  },
  {
    name: "sales_order",
    key: "sales_order_id",
    values: (key, fresh) =>
      `${key}, ${AT}, ${key}, ${key}, ${key}, ${fresh}, 0.10, 1, '2023-01-01',
      '2023-01-02', ${key}`,
    change: (fresh) =>
      `units_sold = ${fresh}, unit_price = ${fresh} / 100.0,
      agreed_delivery_date = (date '2020-01-01' + ${fresh})::text`,
    spoil: (fresh) => `agreed_delivery_date = 'someday', units_sold = ${fresh}`,
  },
  {
    name: "purchase_order",
    key: "purchase_order_id",
    values: (key, fresh) =>
      `${key}, ${AT}, ${key}, ${key}, 'CODE', ${fresh}, 1.00, 1, '2023-01-01',
      '2023-01-02', ${key}`,
    change: (fresh) =>
      `item_quantity = ${fresh}, last_updated = clock_timestamp()`,
    spoil: (fresh) => `last_updated = '-infinity', item_quantity = ${fresh}`,
  },
  {
    name: "payment",
    key: "payment_id",
    values: (key, fresh) =>
      `${key}, ${AT}, ${key}, ${key}, ${fresh}.01, 1, 1, false, '2023-01-01',
      1, 2`,
    change: (fresh) =>
      `paid = ${fresh % 2 === 0}, payment_date = '2023-02-03',
      payment_amount = ${fresh}.99`,
    spoil: (fresh) => `payment_amount = 'NaN', transaction_id = ${fresh}`,
  },
];

/** Totesys' tables, for writers. */
export const TOTESYS_TABLES: readonly WrittenTable[] = NUMBERED.map(
  ({ key, ...table }) => ({
    ...table,
    where: (number) => `${key} = ${number}`,
    move: (number) => `${key} = ${number}`,
    isStamped: !table.change(0).includes("last_updated"),
  }),
);
