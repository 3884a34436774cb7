import type pg from "pg";
import { BatchLog } from "../lib/batch_log.ts";
import { StageError } from "../lib/errors.ts";
import type { ProcessedManifest } from "../lib/manifest.ts";
import { query, serverName } from "../lib/postgres.ts";
import { openStageZone, type StageContext } from "../lib/stage.ts";
import { loadError } from "./load_error.ts";
import { loadedModels } from "./loaded_models.ts";
import { openLoader, warehouseOf } from "./open_loader.ts";
import { type Reloaded, reloadModels } from "./reload_models.ts";

/** What a person may ask of one rebuild. */
export interface RebuildWarehouseOptions {
  /** Puts this lake in place of another one, or of later batches. */
  replaceLake?: boolean;
  /** How long it waits for another load to end. */
  waitSeconds?: number;
}

/** Longer than any load but a first one takes. */
export const WAIT_SECONDS = 1800;

/**
 * Makes the warehouse what a first load of the whole processed zone would make
 * it, whatever it holds now; migrations first. Throws a `StageError` when it
 * holds another lake or later batches, unless these are to be replaced.
 */
export async function rebuildWarehouse(
  context: StageContext,
  options: RebuildWarehouseOptions = {},
): Promise<Reloaded> {
  const { replaceLake = false, waitSeconds = WAIT_SECONDS } = options;
  const server = serverName(warehouseOf(context));
  const zone = openStageZone(context, "processed");
  try {
    await using loader = await openLoader(context, { waitSeconds });
    // What was in force before the wait may be replaced by now.
    const batches = new BatchLog<ProcessedManifest>(zone, "transform");
    const newest = await batches.newest();
    if (newest === undefined) {
      throw new StageError(
        `Cannot rebuild ${server}: ${zone.url} holds no batch`,
        {
          subject: zone.url,
          hint: "Check that PROCESSED_URL is right, and run transform",
        },
      );
    }
    if (!replaceLake) {
      await checkLake(loader.client, { newest, server, zone: zone.url });
    }
    return await reloadModels(context, {
      client: loader.client,
      batches,
      newest,
      models: loadedModels(context.sql),
    });
  } catch (error) {
    throw loadError(error, server);
  } finally {
    context.progress.end();
    zone.close();
  }
}

async function checkLake(
  client: pg.Client,
  options: { newest: ProcessedManifest; server: string; zone: string },
): Promise<void> {
  const { newest, server, zone } = options;
  const [entry] = await query(
    client,
    `select batch, lake_id <> $1 as is_other from pipeline.batch
    where lake_id <> $1 or batch > $2 order by is_other desc, batch desc limit 1`,
    [newest.lakeId, newest.batch],
  );
  if (entry === undefined) return;
  const isOther = entry.is_other === "t";
  throw new StageError(
    `Cannot rebuild ${server}: it holds batch ${entry.batch}${
      isOther
        ? ` of another lake than ${zone}`
        : `, ${zone} ends with ${newest.batch}`
    }`,
    {
      subject: server,
      hint: `${
        isOther
          ? "Check that PROCESSED_URL and WAREHOUSE_URL belong together"
          : "Run transform first"
      }; with --replace-lake the warehouse becomes what the zone holds`,
    },
  );
}
