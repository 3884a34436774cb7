import type pg from "pg";
import { execute } from "../platform.ts";

/**
 * Fills a source with a few rows of each table, enough for every star: three
 * orders, two purchases, five transactions and payments.
 */
export async function fillSmall(client: pg.Client): Promise<void> {
  const at = "'2022-11-03 14:20:52.186', '2022-11-03 14:20:52.186'";
  await execute(
    client,
    `insert into address select id, 'Line ' || id, null, null, 'Leeds',
      'LS' || id, 'England', '0113 ' || id, ${at}
    from generate_series(1, 4) as id`,
    `insert into department select id, 'Department ' || id, 'Leeds', 'Boss',
      ${at} from generate_series(1, 3) as id`,
    `insert into staff select id, 'First', 'Last ' || id, 1 + id % 3,
      'mail@example.com', ${at} from generate_series(1, 4) as id`,
    `insert into counterparty select id, 'Company ' || id, id, null, null,
      ${at} from generate_series(1, 3) as id`,
    `insert into currency values (1, 'GBP', ${at}), (2, 'USD', ${at}),
      (3, 'EUR', ${at})`,
    `insert into payment_type values (1, 'SALES_RECEIPT', ${at}),
      (3, 'PURCHASE_PAYMENT', ${at})`,
    `insert into design select id, '2022-11-03 14:20:49.962', 'Wooden', '/lib',
      'wooden-' || id || '.json', '2022-11-03 14:20:49.962'
    from generate_series(1, 3) as id`,
    `insert into sales_order select id, ${at}, id, 1, 1, 1000 * id, 2.43, 1,
      '2022-11-10', '2022-11-07', 1 from generate_series(1, 3) as id`,
    `insert into purchase_order select id, ${at}, 2, 2, 'ABC' || id, 371,
      361.39, 2, '2022-11-09', '2022-11-07', 2
    from generate_series(1, 2) as id`,
    `insert into transaction select id, 'SALE', id, null, ${at}
    from generate_series(1, 3) as id`,
    `insert into transaction select 3 + id, 'PURCHASE', null, id, ${at}
    from generate_series(1, 2) as id`,
    `insert into payment select id, ${at}, id, 1, 100.01 * id, 1, 1, false,
      '2022-11-07', 52923196, 32957646 from generate_series(1, 5) as id`,
  );
}

/** Inserts a sales order; the rest of it is as always. */
export function insertOrder(id: number, unitsSold = 1): string {
  return `insert into sales_order values (${id}, '2023-01-01', '2023-01-01', 1,
    1, 1, ${unitsSold}, 1.00, 1, '2023-01-02', '2023-01-03', 1)`;
}

/** Changes some rows of some tables, others in each batch. */
export async function changeSmall(
  client: pg.Client,
  batch: number,
): Promise<void> {
  const statements = [
    insertOrder(100 + batch),
    `update sales_order set units_sold = ${batch} where sales_order_id = 1`,
    ...batch % 2 === 0
      ? [`update payment set payment_amount = ${batch} where payment_id = 2`]
      : [],
    ...batch % 3 === 0
      ? [
        `update department set location = 'At ${batch}' where department_id = 1`,
      ]
      : [],
    ...batch % 5 === 0
      ? [
        `delete from sales_order where sales_order_id = ${100 + batch - 3}`,
        "update payment set payment_date = 'never' where payment_id = 4",
      ]
      : [],
    ...batch % 5 === 1
      ? ["update payment set payment_date = '2023-02-01' where payment_id = 4"]
      : [],
  ];
  await execute(client, ...statements);
}
