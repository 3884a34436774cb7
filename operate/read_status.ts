import { BatchLog } from "../lib/batches/batch_log.ts";
import {
  allVersionsOf,
  type IngestionManifest,
  type Manifest,
  type ProcessedManifest,
  rowsOf,
} from "../lib/batches/manifest.ts";
import { LAKE_FILE, readLakeNote } from "../lib/batches/lake_note.ts";
import {
  pendingFor,
  readStageProgress,
} from "../lib/batches/stage_progress.ts";
import { openStageZone, type StageContext } from "../lib/stage.ts";
import type { Zone } from "../lib/zone/zone.ts";
import { checkContinuity } from "../transform/batches/check_continuity.ts";
import { shortTime } from "./format_status.ts";
import { noteProblem, type StageStatus, type Status } from "./stage_status.ts";
import { overdueSince } from "./freshness.ts";
import { warehouseStatus } from "./warehouse_status.ts";

/**
 * Reads each zone and the warehouse; the status says which can't be reached, or
 * belongs to another lake than the zone before it.
 */
export async function readStatus(context: StageContext): Promise<Status> {
  const ingestion = openStageZone(context, "ingestion");
  const processed = openStageZone(context, "processed");
  try {
    return await readFrom(context, {
      extracted: new BatchLog<IngestionManifest>(ingestion, "extract"),
      transformed: new BatchLog<ProcessedManifest>(processed, "transform"),
    });
  } finally {
    ingestion.close();
    processed.close();
  }
}

interface Logs {
  extracted: BatchLog<IngestionManifest>;
  transformed: BatchLog<ProcessedManifest>;
}

async function readFrom(context: StageContext, logs: Logs): Promise<Status> {
  const extracted = await zoneStatus(logs.extracted, {
    rows: (manifest) =>
      Object.values(manifest.tables)
        .reduce((sum, table) => sum + rowsOf(table), 0),
  });
  const transformed = await zoneStatus(logs.transformed, {
    rows: allVersionsOf,
    ...(extracted.problem === undefined
      ? {
        check: (newest) => checkContinuity(newest, { input: logs.extracted }),
      }
      : {}),
  });
  const warehouse = await warehouseStatus(context, {
    log: transformed.batch === undefined && transformed.problem !== undefined
      ? undefined
      : logs.transformed,
  });
  const stages = [extracted, transformed, warehouse.stage];
  stages.forEach((stage, index) => {
    const before = stages[index - 1]?.batch;
    if (before === undefined || stage.problem !== undefined) return;
    const { pending, failure } = pendingFor(stage, before);
    stage.pending = pending;
    if (failure === undefined) delete stage.failure;
  });
  const { stage, readOnlyReason, holder, freshnessSeconds, ...rest } =
    warehouse;
  // A load at work holds its lock, too: only the time it takes shows a fault.
  const obstacle = readOnlyReason ??
    (holder?.isLoad === false ? holder.name : undefined);
  if (obstacle !== undefined && (stage.pending ?? 0) > 0) {
    stage.problem ??= obstacle;
  }
  await noteWaiting(context, transformed, { log: logs.extracted });
  await noteWaiting(context, stage, {
    log: logs.transformed,
    why: holder?.name,
  });
  await noteUnpublished(transformed, logs.transformed.zone);
  return {
    stages,
    ...(freshnessSeconds === undefined ? {} : { freshnessSeconds }),
    fresh: freshnessSeconds !== undefined &&
      freshnessSeconds <= context.config.freshnessMinutesMax * 60,
    ...rest,
  };
}

async function zoneStatus<M extends Manifest>(
  log: BatchLog<M>,
  options: {
    rows: (manifest: M) => number;
    check?: (newest: M) => Promise<void>;
  },
): Promise<StageStatus> {
  const status: StageStatus = { stage: log.stage };
  try {
    const { newest, failure } = await readStageProgress(log);
    if (failure !== undefined) status.failure = failure;
    if (newest === undefined) return status;
    status.batch = newest.batch;
    status.snapshotTime = newest.snapshotTime;
    status.committedAt = newest.committedAt;
    status.rows = options.rows(newest);
    await options.check?.(newest);
  } catch (error) {
    noteProblem(status, error);
  }
  return status;
}

/** Notes that `lake.duckdb` could not be replaced, unless it has been since. */
async function noteUnpublished(stage: StageStatus, zone: Zone): Promise<void> {
  if (stage.problem !== undefined) return;
  try {
    const note = await readLakeNote(zone);
    if (note === undefined) return;
    stage.problem = `${LAKE_FILE} can't be replaced since ${
      shortTime(note.since)
    }: ${note.message}`;
    stage.hint =
      "Readers still see the previous lake: fix the cause; the next transform replaces it";
  } catch (error) {
    noteProblem(stage, error);
  }
}

/** Notes that a batch has waited for a stage for too long, and why. */
async function noteWaiting(
  context: StageContext,
  stage: StageStatus,
  options: { log: BatchLog<Manifest>; why?: string | undefined },
): Promise<void> {
  const { log, why = "it does not run, or something keeps it from writing" } =
    options;
  const { pending = 0, problem, failure } = stage;
  if (pending === 0 || problem !== undefined || failure !== undefined) return;
  const batch = (stage.batch ?? 0) + 1;
  const since = await overdueSince(context, { log, batch });
  if (since === undefined) return;
  stage.problem = `batch ${batch} has waited for it since ${
    shortTime(since.toISOString())
  }: ${why}`;
  stage.hint =
    "See its log; `./totesys doctor` shows which place refuses writes";
}
