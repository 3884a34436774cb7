import type pg from "pg";
import { BatchLog } from "../../lib/batches/batch_log.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { QUARANTINE } from "../../lib/project/quarantine_model.ts";
import type { StageContext } from "../../lib/stage.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { checkRemovalsByLoad } from "../tables/check_removals.ts";
import { checkedEntry, checkSameLake } from "../../lib/warehouse/ledger.ts";
import { loadPending } from "../load_pending.ts";
import { loadedModels } from "../../lib/warehouse/loaded_models.ts";
import { type Reloaded, reloadModels } from "./reload_models.ts";
import { newestBatch, withLoader } from "../with_loader.ts";

/**
 * Loads pending batches, and then makes the models that read these source
 * tables match the processed zone, with their whole history.
 */
export async function resyncTables(
  context: StageContext,
  options: {
    tables: readonly string[];
    /** Goes on although the models remove something from the warehouse. */
    accept?: boolean;
    /** Allows rows of others' tables to be deleted with those it removes. */
    allowCascade?: boolean;
    waitSeconds?: number;
  },
): Promise<Reloaded> {
  const { tables, accept = false, allowCascade, waitSeconds } = options;
  const check = async (client: pg.Client, zone: Zone) => {
    const batches = new BatchLog<ProcessedManifest>(zone, "transform");
    const newest = await newestBatch(context, { batches, task: "resync" });
    await checkRemovalsByLoad(context, { client, accept, batches, newest });
  };
  const checkOwn = (client: pg.Client, zone: Zone) =>
    checkSameLake(client, new BatchLog<ProcessedManifest>(zone, "transform"));
  return await withLoader(
    context,
    { waitSeconds, check, checkLedger: checkOwn },
    async (at) => {
      const batches = new BatchLog<ProcessedManifest>(at.zone, "transform");
      const newest = await newestBatch(context, { batches, task: "resync" });
      await loadPending(context, { loader: at.loader, batches, newest });
      const models = loadedModels(context.sql).filter((model) =>
        model.name === QUARANTINE.name ||
        model.reads.some((table) => tables.includes(table))
      );
      return await reloadModels(context, {
        ...at,
        models,
        drop: false,
        allowCascade,
        // The other models are as of the ledger's last batch.
        upTo: async (log) => {
          const entry = await checkedEntry(at.loader.client, log);
          return await log.read(entry?.batch ?? newest.batch);
        },
      });
    },
  );
}
