import { BatchLog } from "../lib/batches/batch_log.ts";
import type { ProcessedManifest } from "../lib/batches/manifest.ts";
import { inTransaction, serverName } from "../lib/postgres/postgres.ts";
import {
  openStageZone,
  type StageContext,
  type StageResult,
} from "../lib/stage.ts";
import { checkRemovalsByLoad } from "./tables/check_removals.ts";
import {
  checkLedgerFollowsLake,
  checkSameLake,
  findNewestEntry,
} from "../lib/warehouse/ledger.ts";
import { loadError } from "../lib/warehouse/load_error.ts";
import { loadPending } from "./load_pending.ts";
import { openLoader } from "./open_loader.ts";
import { warehouseOf } from "../lib/warehouse/warehouse_settings.ts";

/** The options of one run. */
export interface LoadOptions {
  /** Goes on although the models remove something from the warehouse. */
  accept?: boolean;
}

/**
 * Loads every batch that the processed zone holds and the warehouse does not,
 * in order. Each transaction holds whole batches: their rows, the checks on
 * them and the ledger. A second load at the same time exits at once. Throws a
 * `StageError` when the warehouse holds batches and the zone does not have them.
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
      await checkHoldsNone(context, zone.url);
      context.log.info("nothing new: no batch was transformed yet");
      return nothing;
    }
    await using loader = await openLoader(context, {
      check: (client) =>
        checkRemovalsByLoad(context, { client, accept, batches, newest }),
      checkLedger: (client) => checkSameLake(client, batches),
    });
    if (loader === undefined) return { ...nothing, overtaken: true };
    return await loadPending(context, { loader, batches, newest });
  } catch (error) {
    context.signal.throwIfAborted();
    throw loadError(error, server);
  } finally {
    context.progress.end();
    zone.close();
  }
}

/** A zone without any batch is a wrong or lost one if the warehouse has some. */
async function checkHoldsNone(
  context: StageContext,
  zone: string,
): Promise<void> {
  const { resources, signal } = context;
  await using connection = await resources.connect(warehouseOf(context), {
    purpose: "load",
    signal,
  });
  const { client } = connection;
  const entry = await inTransaction(
    client,
    { readOnly: true },
    () => findNewestEntry(client),
  );
  if (entry !== undefined) {
    checkLedgerFollowsLake(entry, { manifest: undefined, zone });
  }
}
