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

/**
 * Rebuilds every batch of the processed zone from the ingestion zone, as
 * another generation beside the active one, then activates it with one put.
 * Until then nobody reads it; a run that ends earlier leaves garbage. Throws a
 * `StageError` if it would lose a batch that exists now.
 */
export async function rebuildProcessed(
  context: StageContext,
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
    await checkLive(context, { input, live: active });
    await using duckdb = await resources.openDuckDb(config, {
      zones: [ingestion.url, processed.url],
    });
    const columns = await registerModels(duckdb, sql);
    const prepared = { duckdb, columns };
    const making = { input, output, prepare: () => Promise.resolve(prepared) };
    const made = await makeAll(context, { making, active, result });
    const newest = await checkReached({ ...making, made, active, isExpired });
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
    active: BatchLog<ProcessedManifest>;
    result: StageResult;
  },
): Promise<Reached | undefined> {
  const { making, active, result } = options;
  let made: Reached | undefined;
  for (let round = 1; round <= ROUNDS_MAX; round++) {
    const last = await making.input.newest();
    if (last === undefined) break;
    const previous = made?.committed;
    made = await makeBatches(context, { ...making, previous, last, result });
    if (await active.newestNumber() <= last.batch) break;
  }
  return made;
}

/** The newest batch of the rebuilt generation, which must have all batches. */
async function checkReached(
  options: {
    input: BatchLog<IngestionManifest>;
    made: Reached | undefined;
    active: BatchLog<ProcessedManifest>;
    isExpired: () => boolean;
  },
): Promise<ProcessedManifest> {
  const { input, made, active, isExpired } = options;
  const newest = made?.committed;
  const wanted = await active.newestNumber();
  const isAll = newest !== undefined && newest.batch >= wanted;
  const { url } = active.zone;
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
      "Nothing was changed. Check that INGESTION_URL is right, then run it again",
  });
}
