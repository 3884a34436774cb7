import { BatchLog } from "../lib/batches/batch_log.ts";
import type { ProcessedManifest } from "../lib/batches/manifest.ts";
import { serverName } from "../lib/postgres/postgres.ts";
import {
  openStageZone,
  type StageContext,
  type StageResult,
} from "../lib/stage.ts";
import { checkTakenByLoad } from "./tables/check_taken.ts";
import { loadError } from "./load_error.ts";
import { loadPending } from "./load_pending.ts";
import { openLoader, warehouseOf } from "./open_loader.ts";

/** The options of one run. */
export interface LoadOptions {
  /** Goes on although the models remove something from the warehouse. */
  accept?: boolean;
}

/**
 * Loads every batch that the processed zone holds and the warehouse does not,
 * in order. Each transaction holds whole batches: their rows, the checks on
 * them and the ledger. A second load at the same time exits at once.
 */
export async function load(
  context: StageContext,
  options: LoadOptions = {},
): Promise<StageResult> {
  const { accept = false } = options;
  const server = serverName(warehouseOf(context));
  const nothing: StageResult = {
    stage: "load",
    batches: [],
    rows: 0,
    bytes: 0,
  };
  const zone = openStageZone(context, "processed");
  try {
    const batches = new BatchLog<ProcessedManifest>(zone, "transform");
    const newest = await batches.newest();
    if (newest === undefined) {
      context.log.info("nothing new: no batch was transformed yet");
      return nothing;
    }
    await using loader = await openLoader(context, {
      check: (client) =>
        checkTakenByLoad(context, { client, accept, batches, newest }),
    });
    if (loader === undefined) return { ...nothing, overtaken: true };
    return await loadPending(context, { loader, batches, newest });
  } catch (error) {
    throw loadError(error, server);
  } finally {
    context.progress.end();
    zone.close();
  }
}
