import type pg from "pg";
import { inTransaction } from "../../lib/postgres/postgres.ts";
import type { StageContext } from "../../lib/stage.ts";
import { nameLockHolders } from "../../lib/warehouse/lock_error.ts";
import { findUnvalidated, validate } from "./validate_references.ts";
import {
  LOAD_SETTINGS,
  warehouseOf,
} from "../../lib/warehouse/warehouse_settings.ts";

/**
 * Validates the foreign keys of tables that were filled, table by table, over
 * two connections, or one if there is no second. What is not done when the run
 * ends is done by the next.
 */
export async function validateFilled(
  context: StageContext,
  options: { client: pg.Client; models: readonly string[] },
): Promise<void> {
  const { resources, signal } = context;
  const { client, models } = options;
  const found = await inTransaction(
    client,
    { readOnly: true },
    () => findUnvalidated(client, models),
  );
  const tables = Map.groupBy(found, ({ model }) => model).values();
  const work = async (client: pg.Client) => {
    for (const references of tables) {
      signal.throwIfAborted();
      const run = () => validate(client, references);
      await nameLockHolders(
        context,
        client,
        () => inTransaction(client, { settings: LOAD_SETTINGS }, run),
      );
    }
  };
  await using second = found.length === 0
    ? undefined
    : await resources.connect(warehouseOf(context), {
      purpose: "load",
      signal,
    }).catch(() => undefined);
  const done = await Promise.allSettled(
    [client, ...second === undefined ? [] : [second.client]].map(work),
  );
  for (const one of done) if (one.status === "rejected") throw one.reason;
}
