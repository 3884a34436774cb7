import type pg from "pg";
import { makeWarehouse } from "../make_warehouse.ts";
import { execute, PROJECT_SQL } from "../platform.ts";

/** Rows of a fact that hold at any time; of a dimension a fifth. */
const KEYS = 100;
/** One of so many batches brings a version of each dimension. */
const DIMENSIONS_EVERY = 10;
/** One of so many is verified. */
const VERIFIED_EVERY = 96;

const TIMES = "date '2024-11-04', time '09:00', date '2024-11-04', " +
  "time '09:00'";
const FACTS = {
  fact_sales_order: `key, ${TIMES}, 1 + key % 20, 1 + key % 20, 5, 2.50, 1,
    1 + key % 20, date '2024-11-04', date '2024-11-04', 1 + key % 20`,
  fact_purchase_order: `key, ${TIMES}, 1 + key % 20, 1 + key % 20, 'item', 5,
    2.50, 1, date '2024-11-04', date '2024-11-04', 1 + key % 20`,
  fact_payment: `key, ${TIMES}, 1 + key % 20, 1 + key % 20, 2.50, 1, 1, false,
    date '2024-11-04'`,
};
const DIMENSIONS = {
  dim_location: "location_id",
  dim_counterparty: "counterparty_id",
  dim_staff: "staff_id",
  dim_currency: "currency_id",
  dim_design: "design_id",
  dim_payment_type: "payment_type_id",
  dim_transaction: "transaction_id",
};

/**
 * Makes a warehouse as it is when so many batches were loaded, 15 minutes apart,
 * of which each brought a version of each fact: by SQL, for no load could do it
 * as fast. The newest batch came now.
 */
export async function fillWarehouse(
  client: pg.Client,
  batches: number,
): Promise<void> {
  await makeWarehouse(client, PROJECT_SQL);
  const loadedAt = (batch: string) =>
    `(now() - (${batches} - ${batch}) * interval '15 min')`;
  const versions = (options: { keys: number; every: number }) =>
    `(select *, row_number() over (order by batch) as record_id,
      lead(batch) over (partition by key order by batch) as next
    from (select batch, 1 + batch / ${options.every} % ${options.keys} as key
      from generate_series(1, ${batches}, ${options.every}) as batch) as one
    ) as version`;
  const interval = `${loadedAt("batch")}, ${loadedAt("next")}, batch, next`;
  await execute(
    client,
    // What facts refer to is not the point.
    "set session_replication_role = replica",
    `insert into pipeline.batch select batch, ${loadedAt("batch")},
      ${loadedAt("batch")} + interval '10 s', 'run ' || batch,
      repeat('0', 64), 4, 1, repeat('1', 64), 'lake'
    from generate_series(1, ${batches}) as batch`,
    `insert into pipeline.batch_file select batch, model, model || batch, 4,
      1000, repeat('2', 64)
    from generate_series(1, ${batches}) as batch
    cross join (values ('one'), ('two'), ('three')) as models (model)`,
    `insert into pipeline.finding select batch, 'one__rule', 'warning', 'key',
      'finding' from generate_series(1, ${batches}) as batch`,
    `insert into pipeline.check_result values ('one__rule', 'A rule.',
      'warning', ${batches}, now(), 1)`,
    `insert into pipeline.verification select batch, ${loadedAt("batch")},
      ${loadedAt("batch")}, 'model ' || model, place, 100, 0, null
    from generate_series(1, ${batches}, ${VERIFIED_EVERY}) as batch
    cross join generate_series(1, 12) as model
    cross join (values ('lake'), ('warehouse'), ('history')) as places (place)`,
    ...Object.entries(FACTS).map(([table, values]) =>
      `insert into ${table} select record_id, ${values}, ${interval}
      from ${versions({ keys: KEYS, every: 1 })}`
    ),
    ...Object.entries(DIMENSIONS).flatMap(([table, key]) => {
      const rows = versions({ keys: KEYS / 5, every: DIMENSIONS_EVERY });
      const columns = `(${key}, valid_from, valid_to, from_batch, to_batch)`;
      return [
        `insert into ${table} ${columns} select key, ${interval} from ${rows}
        where next is null`,
        `insert into ${table}_closed ${columns} select key, ${interval}
        from ${rows} where next is not null`,
      ];
    }),
    `insert into quarantine select batch, 'table', batch::text, 'reason', 'row',
      ${loadedAt("batch")}, ${loadedAt("batch + 1")}, batch, batch + 1
    from generate_series(1, ${batches}) as batch`,
    "vacuum analyze",
  );
}
