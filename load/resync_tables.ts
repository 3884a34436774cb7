import { BatchLog } from "../lib/batch_log.ts";
import { StageError } from "../lib/errors.ts";
import type { ProcessedManifest } from "../lib/manifest.ts";
import { serverName } from "../lib/postgres.ts";
import { QUARANTINE } from "../lib/quarantine_model.ts";
import { openStageZone, type StageContext } from "../lib/stage.ts";
import { loadError } from "./load_error.ts";
import { loadWaiting } from "./load_waiting.ts";
import { loadedModels } from "./loaded_models.ts";
import { openLoader, warehouseOf } from "./open_loader.ts";
import { WAIT_SECONDS } from "./rebuild_warehouse.ts";
import { type Reloaded, reloadModels } from "./reload_models.ts";

/**
 * Loads what waits, and then makes the models that read these source tables
 * what the processed zone holds of them, with the whole of their history.
 */
export async function resyncTables(
  context: StageContext,
  options: { tables: readonly string[]; waitSeconds?: number },
): Promise<Reloaded> {
  const { tables, waitSeconds = WAIT_SECONDS } = options;
  const server = serverName(warehouseOf(context));
  const zone = openStageZone(context, "processed");
  try {
    await using loader = await openLoader(context, { waitSeconds });
    const batches = new BatchLog<ProcessedManifest>(zone, "transform");
    const newest = await batches.newest();
    if (newest === undefined) {
      throw new StageError(
        `Cannot resync ${server}: ${zone.url} holds no batch`,
        { subject: zone.url, hint: "Run transform first" },
      );
    }
    const { client } = loader;
    await loadWaiting(context, { client, batches, newest });
    return await reloadModels(context, {
      client,
      batches,
      newest,
      models: loadedModels(context.sql).filter((model) =>
        model.name === QUARANTINE.name ||
        model.reads.some((table) => tables.includes(table))
      ),
    });
  } catch (error) {
    throw loadError(error, server);
  } finally {
    context.progress.end();
    zone.close();
  }
}
