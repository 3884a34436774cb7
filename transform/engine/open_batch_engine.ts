import type { IngestionManifest } from "../../lib/batches/manifest.ts";
import type { Engine } from "../../lib/engine.ts";
import type { StageContext } from "../../lib/stage.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { changedTables } from "../tables/quarantine.ts";
import type { BatchEngine } from "./batch_engine.ts";
import { removeEngineFolder } from "./engine_files.ts";
import { openTrino } from "./trino_engine.ts";
import { sum } from "../../lib/batches/sum.ts";

/**
 * Opens the engine that the settings name if a batch is large enough for it;
 * undefined if DuckDB makes it. Closing it removes the files that only the
 * engine needed; a killed run leaves them to sweep.
 */
export async function openBatchEngine(
  context: StageContext,
  options: { batch: IngestionManifest; zone: Zone; runId: string },
): Promise<(BatchEngine & AsyncDisposable) | undefined> {
  const { config, log } = context;
  const { zone } = options;
  const runner = await openRunner(context, options);
  if (runner === undefined) return undefined;
  const folders: string[] = [];
  return {
    runner,
    log,
    commitsFiles: config.icebergCatalogue === undefined,
    shown: new Set(),
    folders,
    [Symbol.asyncDispose]: async () => {
      await runner[Symbol.asyncDispose]();
      for (const folder of folders) {
        // A file that stays is garbage, which sweep removes.
        await removeEngineFolder({ processed: zone }, folder).catch(() => {});
      }
    },
  };
}

async function openRunner(
  context: StageContext,
  options: { batch: IngestionManifest; zone: Zone; runId: string },
): Promise<Engine | undefined> {
  const { config, signal, clock, openEngine } = context;
  const { batch, zone, runId } = options;
  if (openEngine !== undefined) return await openEngine(zone);
  const { transformEngine, transformEngineBytesMin, trino, athena, s3 } =
    config;
  const files = [...changedTables(batch).values()].flatMap(({ rows }) => rows);
  const bytes = sum(files, "bytes");
  if (bytes === 0 || bytes < transformEngineBytesMin) return undefined;
  const work = { zone, runId, now: clock(), signal };
  if (transformEngine === "trino" && trino !== undefined) {
    return await openTrino({ ...work, settings: trino });
  }
  if (transformEngine !== "athena" || athena === undefined) return undefined;
  if (s3 === undefined) return undefined;
  // The SDK takes long to load.
  const { openAthena } = await import("./athena_engine.ts");
  return await openAthena({ ...work, settings: athena, s3 });
}
