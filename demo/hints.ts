/** Where a demo keeps what it made. */
export interface DemoPlaces {
  sourceUrl: string;
  warehouseUrl: string;
  /** The processed zone. */
  lake: string;
  /** Set when the lake is on the embedded S3 server. */
  s3Endpoint: string | undefined;
  /** The newest batch. */
  batch: number;
}

/** What to look at while the demo runs: connections, and queries to try. */
export function demoHints(places: DemoPlaces): string {
  const { sourceUrl, warehouseUrl, lake, s3Endpoint, batch } = places;
  const earlier = Math.max(1, batch - 10);
  const attach = s3Endpoint === undefined
    ? `duckdb -readonly ${lake}/lake.duckdb`
    : `attach '${lake}/lake.duckdb' (read_only);  -- endpoint ${s3Endpoint}`;
  return `  source     ${sourceUrl}
  warehouse  ${warehouseUrl}
  lake       ${attach}
  To try in the warehouse (psql) and in the lake (DuckDB) alike:
    now        select count(*), sum(units_sold) from fact_sales_order_current;
    earlier    select count(*), sum(units_sold)
               from fact_sales_order_as_of_batch(${earlier});
    history    select * from fact_payment_history where payment_id = (
               select max(payment_id) from fact_payment_history
               where to_batch is not null) order by from_batch;`;
}
