import type pg from "pg";
import { BatchLog } from "../../lib/batches/batch_log.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { StageError } from "../../lib/errors.ts";
import { query, serverName } from "../../lib/postgres/postgres.ts";
import type { StageContext } from "../../lib/stage.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { findNewestEntry } from "../../lib/warehouse/ledger.ts";
import { checkRemovalsByRebuild } from "../tables/check_removals.ts";
import { loadedModels } from "../../lib/warehouse/loaded_models.ts";
import { type Reloaded, reloadModels } from "./reload_models.ts";
import { newestBatch, withLoader } from "../with_loader.ts";
import { warehouseOf } from "../../lib/warehouse/warehouse_settings.ts";

/** The options of one rebuild. */
export interface RebuildWarehouseOptions {
  /** Replaces another lake, or later batches, by this lake. */
  replaceLake?: boolean;
  /** Drops columns that no model has, and changes the types of others. */
  accept?: boolean;
  /** Allows rows of others' tables to be deleted with those it removes. */
  allowCascade?: boolean;
  /** How long it waits for another load to end. */
  waitSeconds?: number;
}

/**
 * Makes the warehouse what a first load of the whole processed zone would make
 * it, whatever it holds now; migrations first. Throws a `StageError` when it
 * holds another lake or later batches, unless these are to be replaced, or
 * columns that no model has, unless these may be dropped.
 */
export async function rebuildWarehouse(
  context: StageContext,
  options: RebuildWarehouseOptions = {},
): Promise<Reloaded> {
  const {
    replaceLake = false,
    accept = false,
    allowCascade,
    waitSeconds,
  } = options;
  const checkOwn = async (client: pg.Client, zone: Zone) => {
    if (replaceLake) return;
    const batches = new BatchLog<ProcessedManifest>(zone, "transform");
    await checkNoOtherBatches(context, { client, batches });
  };
  return await withLoader(
    context,
    {
      waitSeconds,
      reloads: true,
      check: async (client, zone) => {
        await checkOwn(client, zone);
        await checkRemovalsByRebuild(context, { client, accept });
      },
      checkLedger: checkOwn,
    },
    (at) =>
      reloadModels(context, {
        ...at,
        models: loadedModels(context.sql),
        drop: true,
        allowCascade,
        upTo: async (batches) => {
          const { client } = at.loader;
          if (!replaceLake) {
            await checkNoOtherBatches(context, { client, batches });
          }
          return await newestOf(context, batches);
        },
      }),
  );
}

async function newestOf(
  context: StageContext,
  batches: BatchLog<ProcessedManifest>,
): Promise<ProcessedManifest> {
  return await newestBatch(context, { batches, task: "rebuild" });
}

/** Throws a `StageError` if the warehouse holds batches that the log has not. */
async function checkNoOtherBatches(
  context: StageContext,
  options: { client: pg.Client; batches: BatchLog<ProcessedManifest> },
): Promise<void> {
  const { client, batches } = options;
  const newest = await newestOf(context, batches);
  if (await findNewestEntry(client) === undefined) return;
  const zone = batches.zone.url;
  const server = serverName(warehouseOf(context));
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
