import type { Client } from "pg";
import { StageError } from "../lib/errors.ts";

/** The size of the real Totesys; all else is in proportion. */
export const SALES_ORDERS = 11_000;

/** When the trade that `fillSource` generates ends: a Sunday. */
export const TRADE_END = new Date("2024-11-03T00:00Z");

/** The most sales orders that `fillSource` generates. */
export const SALES_ORDERS_MAX = 100_000_000;
/** The SQL that creates and fills the source of Totesys. */
const FILES = [
  "../examples/totesys/sql/source.sql",
  "./fill.sql",
  "./foreign_keys.sql",
]
  .map((file) => new URL(file, import.meta.url));

/** What `fillSource` generates. */
export interface FillOptions {
  /** A whole number; the same seed gives the same rows. */
  seed: number;
  /** It decides how many purchase orders, payments, designs and so on. */
  salesOrders: number;
  /** Moves all times by this many weeks; 0 if left out. */
  weeksLater?: number;
  /** The SQL of another source, which reads the same settings. */
  files?: readonly URL[];
}

/**
 * Creates the source's tables with their foreign keys and fills them, in one
 * transaction, in an empty database: two years of trade up to `TRADE_END`, or
 * up to `weeksLater` weeks after it.
 */
export async function fillSource(
  client: Client,
  { seed, salesOrders, weeksLater = 0, files = FILES }: FillOptions,
): Promise<void> {
  if (!(salesOrders >= 1 && salesOrders <= SALES_ORDERS_MAX)) {
    throw new StageError(
      `Cannot fill the source: ${salesOrders} sales orders are not between ` +
        `1 and ${SALES_ORDERS_MAX}`,
      { subject: "salesOrders" },
    );
  }
  await client.query("begin");
  try {
    await client.query(
      `select
           set_config('demo.seed', $1, true),
           set_config('demo.sales_orders', $2, true),
           set_config('demo.weeks_later', $3, true),
           set_config('timezone', 'UTC', true)`,
      [seed, salesOrders, weeksLater].map((one) => String(Math.trunc(one))),
    );
    for (const file of files) {
      await client.query(await Deno.readTextFile(file));
    }
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
  await client.query("analyze");
}
