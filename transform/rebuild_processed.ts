import { BatchLog } from "../lib/batches/batch_log.ts";
import {
  activateGeneration,
  readGeneration,
} from "../lib/batches/generation.ts";
import type {
  IngestionManifest,
  ProcessedManifest,
} from "../lib/batches/manifest.ts";
import { messageOf, StageError } from "../lib/errors.ts";
import {
  expiredError,
  openStageZone,
  type StageContext,
  type StageResult,
  startRun,
} from "../lib/stage.ts";
import { checkContinuity } from "./batches/check_continuity.ts";
import type { MakeOptions } from "./batches/make_batch.ts";
import { makeBatches, type Reached } from "./batches/make_batches.ts";
import { publishBatch } from "./lake/publish_batch.ts";
import { registerModels } from "../lib/models/register_models.ts";

/** How often a rebuild catches up with batches that came while it ran. */
const ROUNDS_MAX = 10;

/** The options of one rebuild. */
export interface RebuildProcessedOptions {
  /** Replaces another lake, or later batches, by what the ingestion zone has. */
  replaceLake?: boolean;
}

/**
 * Rebuilds every batch of the processed zone from the ingestion zone, as
 * another generation beside the active one, then activates it with one put.
 * Until then nobody reads it; a run that ends earlier leaves garbage. Throws a
 * `StageError` if it would lose a batch that exists now, unless these are to be
 * replaced.
 */
export async function rebuildProcessed(
  context: StageContext,
  { replaceLake = false }: RebuildProcessedOptions = {},
): Promise<StageResult> {
  const { config, resources, sql, log } = context;
  const ingestion = openStageZone(context, "ingestion");
  const processed = openStageZone(context, "processed");
  try {
    const result: StageResult = {
      stage: "transform",
      batches: [],
      rows: 0,
      bytes: 0,
    };
    const { runId: generation, isExpired } = startRun(context);
    const from = await readGeneration(processed);
    const input = new BatchLog<IngestionManifest>(ingestion, "extract");
    const active = new BatchLog<ProcessedManifest>(processed, "transform", {
      generation: from.id,
    });
    const output = new BatchLog<ProcessedManifest>(processed, "transform", {
      generation,
    });
    if (!replaceLake) await checkLive(context, { input, live: active });
    // The number of the batch that has to be reached.
    const wanted = () =>
      replaceLake ? Promise.resolve(0) : active.newestNumber();
    await using duckdb = await resources.openDuckDb(config, {
      zones: [ingestion.url, processed.url],
    });
    const columns = await registerModels(duckdb, sql);
    const prepared = { duckdb, columns };
    const making = { input, output, prepare: () => Promise.resolve(prepared) };
    const made = await makeAll(context, { making, wanted, result });
    const reached = { made, wanted: await wanted(), isExpired };
    const newest = checkReached({ ...making, ...reached });
    context.signal.throwIfAborted();
    if (!await activateGeneration(processed, { from, to: generation })) {
      log.warn("another rebuild activated its generation first");
      return { ...result, batches: [], overtaken: true };
    }
    log.info("generation {generation} is active, up to batch {batch}", {
      generation,
      batch: newest.batch,
    });
    await publishBatch(context, {
      duckdb,
      batches: output,
      newest,
      live: made?.live,
      columns,
    });
    return { ...result, snapshotTime: newest.snapshotTime };
  } finally {
    context.progress.end();
    ingestion.close();
    processed.close();
  }
}

/**
 * The active generation must have come from this ingestion zone. It may be
 * damaged: it is to be replaced.
 */
async function checkLive(
  context: StageContext,
  options: {
    input: BatchLog<IngestionManifest>;
    live: BatchLog<ProcessedManifest>;
  },
): Promise<void> {
  const { input, live } = options;
  let previous: ProcessedManifest | undefined;
  try {
    previous = await live.newest();
  } catch (error) {
    if (!(error instanceof StageError) || error.retryable) throw error;
    context.log.warn("the generation to be replaced can't be read: {reason}", {
      reason: messageOf(error),
    });
  }
  if (previous !== undefined) await checkContinuity(previous, { input });
}

/** Makes all batches, also those that are extracted meanwhile. */
async function makeAll(
  context: StageContext,
  options: {
    making: MakeOptions;
    wanted: () => Promise<number>;
    result: StageResult;
  },
): Promise<Reached | undefined> {
  const { making, wanted, result } = options;
  let made: Reached | undefined;
  for (let round = 1; round <= ROUNDS_MAX; round++) {
    const last = await making.input.newest();
    if (last === undefined) break;
    const previous = made?.committed;
    made = await makeBatches(context, { ...making, previous, last, result });
    if (await wanted() <= last.batch) break;
  }
  return made;
}

/** The newest batch of the rebuilt generation, which must have all batches. */
function checkReached(
  options: {
    input: BatchLog<IngestionManifest>;
    output: BatchLog<ProcessedManifest>;
    made: Reached | undefined;
    wanted: number;
    isExpired: () => boolean;
  },
): ProcessedManifest {
  const { input, output, made, wanted, isExpired } = options;
  const newest = made?.committed;
  const isAll = newest !== undefined && newest.batch >= wanted;
  const { url } = output.zone;
  if (isAll) {
    if (isExpired()) throw expiredError(`rebuild ${url}`, url);
    return newest;
  }
  const found = newest === undefined
    ? `${input.zone.url} holds no batch`
    : `the rebuilt generation has batch ${newest.batch}, the active one has ${wanted}`;
  throw new StageError(`Cannot rebuild ${url}: ${found}`, {
    subject: url,
    hint:
      "Nothing was changed. Check that INGESTION_URL is right, then run it again; if that zone has lost its last batches for good, run it with --replace-lake",
  });
}
