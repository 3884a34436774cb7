import { BatchLog } from "../lib/batches/batch_log.ts";
import { StageError } from "../lib/errors.ts";
import { inTransaction } from "../lib/postgres/postgres.ts";
import { openStageZone, type StageContext } from "../lib/stage.ts";
import { findNewestEntry } from "../lib/warehouse/ledger.ts";
import { warehouseOf } from "../lib/warehouse/warehouse_settings.ts";

/**
 * Refuses empty zones when the warehouse has batches: verify extracts and loads
 * a batch, and would fill the zone of a wrong URL from the start.
 */
export async function checkZones(context: StageContext): Promise<void> {
  const { resources, signal } = context;
  await using connection = await resources.connect(warehouseOf(context), {
    purpose: "verify",
    signal,
  });
  const { client } = connection;
  const entry = await inTransaction(
    client,
    { readOnly: true },
    () => findNewestEntry(client),
  );
  if (entry === undefined) return;
  for (const name of ["ingestion", "processed"] as const) {
    const zone = openStageZone(context, name);
    try {
      const stage = name === "ingestion" ? "extract" : "transform";
      if (await new BatchLog(zone, stage).newestNumber() > 0) continue;
      throw new StageError(
        `Cannot verify: the warehouse holds batch ${entry.batch}, ${zone.url} holds none`,
        {
          subject: zone.url,
          hint: `Check ${name.toUpperCase()}_URL`,
        },
      );
    } finally {
      zone.close();
    }
  }
}
