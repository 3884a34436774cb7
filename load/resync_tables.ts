import { QUARANTINE } from "../lib/quarantine_model.ts";
import type { StageContext } from "../lib/stage.ts";
import { loadWaiting } from "./load_waiting.ts";
import { loadedModels } from "./loaded_models.ts";
import { type Reloaded, reloadModels } from "./reload_models.ts";
import { withNewestBatch } from "./with_newest_batch.ts";

/**
 * Loads what waits, and then makes the models that read these source tables
 * what the processed zone holds of them, with the whole of their history.
 */
export async function resyncTables(
  context: StageContext,
  options: { tables: readonly string[]; waitSeconds?: number },
): Promise<Reloaded> {
  const { tables, waitSeconds } = options;
  return await withNewestBatch(
    context,
    { task: "resync", waitSeconds },
    async (at) => {
      await loadWaiting(context, at);
      const models = loadedModels(context.sql).filter((model) =>
        model.name === QUARANTINE.name ||
        model.reads.some((table) => tables.includes(table))
      );
      return await reloadModels(context, { ...at, models });
    },
  );
}
