import type { Client } from "pg";
import { StageError } from "../lib/errors.ts";

/** The size of the real Totesys, with all else in proportion. */
export const SALES_ORDERS = 11_000;

/** The most that `fillSource` makes. */
export const SALES_ORDERS_MAX = 100_000_000;
const FILES = ["../sql/source.sql", "./fill.sql", "./foreign_keys.sql"];

/** What `fillSource` makes. */
export interface FillOptions {
  /** A whole number; the same one gives the same rows. */
  seed: number;
  /** Purchase orders, payments, transactions and designs follow from it. */
  salesOrders: number;
}

/**
 * Makes the source's tables with their foreign keys and fills them, in one
 * transaction, in an empty database: two years of trade up to 2024-11-03.
 */
export async function fillSource(
  client: Client,
  { seed, salesOrders }: FillOptions,
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
           set_config('timezone', 'UTC', true)`,
      [String(Math.trunc(seed)), String(Math.trunc(salesOrders))],
    );
    for (const file of FILES) {
      await client.query(
        await Deno.readTextFile(new URL(file, import.meta.url)),
      );
    }
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
  await client.query("analyze");
}
