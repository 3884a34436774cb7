import type pg from "pg";
import type { BatchLog } from "../lib/batches/batch_log.ts";
import type { ProcessedManifest } from "../lib/batches/manifest.ts";
import { StageError } from "../lib/errors.ts";
import { serverName } from "../lib/postgres/postgres.ts";
import { openStageZone, type StageContext } from "../lib/stage.ts";
import type { Zone } from "../lib/zone/zone.ts";
import { loadError } from "../lib/warehouse/load_error.ts";
import { type Loader, openLoader } from "./open_loader.ts";
import { warehouseOf } from "../lib/warehouse/warehouse_settings.ts";

/** Longer than any load takes, except a first one. */
const WAIT_SECONDS = 1800;

/** The loader and the zone to reload from. */
export interface LoaderAtZone {
  /** Each of its transactions waits for other loads. */
  loader: Loader;
  zone: Zone;
}

/**
 * Runs some work with the warehouse and the processed zone. Throws a
 * `StageError` when others load for longer than it waits.
 */
export async function withLoader<Result>(
  context: StageContext,
  options: {
    waitSeconds?: number | undefined;
    /** Whether it loads the rows of all models again. */
    reloads?: boolean;
    /** Examines the tables before anything is created. */
    check: (client: pg.Client, zone: Zone) => Promise<void>;
    /** Throws if the warehouse may hold batches of another lake. */
    checkLedger: (client: pg.Client, zone: Zone) => Promise<void>;
  },
  work: (at: LoaderAtZone) => Promise<Result>,
): Promise<Result> {
  const { waitSeconds = WAIT_SECONDS, reloads, check, checkLedger } = options;
  const zone = openStageZone(context, "processed");
  try {
    await using loader = await openLoader(context, {
      waitSeconds,
      reloads,
      check: (client) => check(client, zone),
      checkLedger: (client) => checkLedger(client, zone),
    });
    return await work({ loader, zone });
  } catch (error) {
    context.signal.throwIfAborted();
    throw loadError(error, serverName(warehouseOf(context)));
  } finally {
    context.progress.end();
    zone.close();
  }
}

/**
 * The newest batch of the processed zone; throws a `StageError` that names the
 * task, a verb, when it holds none.
 */
export async function newestBatch(
  context: StageContext,
  options: { batches: BatchLog<ProcessedManifest>; task: string },
): Promise<ProcessedManifest> {
  const { batches, task } = options;
  const newest = await batches.newest();
  if (newest !== undefined) return newest;
  const { url } = batches.zone;
  throw new StageError(
    `Cannot ${task} ${serverName(warehouseOf(context))}: ${url} holds no batch`,
    {
      subject: url,
      hint: "Check that PROCESSED_URL is right, and run transform",
    },
  );
}
