import { BatchLog } from "../lib/batches/batch_log.ts";
import { type LiveList, readLiveFiles } from "../lib/batches/live_files.ts";
import { isOfSameSql } from "../lib/batches/same_sql.ts";
import type {
  IngestionManifest,
  ProcessedManifest,
} from "../lib/batches/manifest.ts";
import {
  openStageZone,
  type StageContext,
  type StageResult,
} from "../lib/stage.ts";
import { checkSql } from "./checks/check_sql.ts";
import { compactionBounds, countDue } from "./files/compact.ts";
import { checkContinuity } from "./batches/check_continuity.ts";
import type { MakeOptions, Prepare, Prepared } from "./batches/make_batch.ts";
import { makeBatches, type Reached } from "./batches/make_batches.ts";
import { shownHash } from "./lake/build_lake.ts";
import { readShown } from "./lake/shown_lake.ts";
import { changedTables } from "./tables/quarantine.ts";

type Logs = Pick<MakeOptions, "input" | "output">;

/** Options that a person may give one run. */
export interface TransformOptions {
  /**
   * Goes on although `sql/` changed, whatever that takes away: the change is
   * for new batches only.
   */
  accept?: boolean;
  /** Merges all files that are due, with the first batch that it makes. */
  compact?: boolean;
}

/**
 * Makes the star schemas of every batch that the ingestion zone holds and the
 * processed zone does not, one by one, in order, and publishes `lake.duckdb`
 * over what is committed.
 */
export async function transform(
  context: StageContext,
  options: TransformOptions = {},
): Promise<StageResult> {
  const ingestion = openStageZone(context, "ingestion");
  const processed = openStageZone(context, "processed");
  try {
    return await transformPending(context, {
      ...options,
      input: new BatchLog<IngestionManifest>(ingestion, "extract"),
      output: new BatchLog<ProcessedManifest>(processed, "transform"),
    });
  } finally {
    context.progress.end();
    ingestion.close();
    processed.close();
  }
}

async function transformPending(
  context: StageContext,
  options: TransformOptions & Logs,
): Promise<StageResult> {
  const { log } = context;
  const { input, output, accept = false, compact = false } = options;
  const last = await input.newest();
  const previous = await output.newest();
  const result: StageResult = {
    stage: "transform",
    batches: [],
    rows: 0,
    bytes: 0,
  };
  if (previous !== undefined) await checkContinuity(previous, { input });
  reportNothingNew(log, { previous, last });
  if (last === undefined) return result;
  await using opened = new AsyncDisposableStack();
  const prepare = preparer(context, { input, output, opened });
  const work = { input, output, prepare };
  const shown = mayStay(context, { previous, last })
    ? await readShown(output.zone)
    : undefined;
  // What it shows is of SQL that has been checked: other SQL may be refused.
  if (!await isShownBy(shown, context, { output, newest: previous })) {
    await prepare();
  }
  if (previous !== undefined && previous.batch < last.batch) {
    await checkSql(context, { ...work, accept, previous, last });
  }
  const [made] = await Promise.allSettled([
    makeBatches(context, {
      ...work,
      accept,
      previous,
      last,
      result,
      compactAll: compact,
    }),
  ]);
  const reached = made.status === "fulfilled" ? made.value : undefined;
  const newest = await publishReached(context, {
    output,
    prepare,
    shown,
    reached,
  });
  if (newest !== undefined) {
    result.snapshotTime = newest.snapshotTime;
    result.quarantined = newest.quarantined;
  }
  if (made.status === "rejected") throw made.reason;
  if (compact && result.batches.length === 0) {
    await reportDueMerges(context, { output, newest });
  }
  return result;
}

function reportNothingNew(
  log: StageContext["log"],
  batches: {
    previous: ProcessedManifest | undefined;
    last: IngestionManifest | undefined;
  },
): void {
  const { previous, last } = batches;
  if (last === undefined) {
    log.info("nothing new: no batch was extracted yet");
  } else if (previous?.batch === last.batch) {
    log.info("nothing new: batch {batch} is the newest", { batch: last.batch });
  }
}

/** Opens DuckDB and checks the SQL there when that is first needed. */
function preparer(
  { resources, config, sql }: StageContext,
  { input, output, opened }: Logs & { opened: AsyncDisposableStack },
): Prepare {
  let prepared: Promise<Prepared> | undefined;
  const open = async (): Promise<Prepared> => {
    const zones = [input.zone.url, output.zone.url];
    const duckdb = opened.use(await resources.openDuckDb(config, { zones }));
    const { registerModels } = await import("../lib/models/register_models.ts");
    return { duckdb, columns: await registerModels(duckdb, sql) };
  };
  return () => prepared ??= open();
}

/** Whether a run may leave what readers open as it is. */
function mayStay(
  { config }: StageContext,
  batches: { previous: ProcessedManifest | undefined; last: IngestionManifest },
): boolean {
  const { previous, last } = batches;
  if (config.icebergCatalogue !== undefined) return false;
  return last.batch === previous?.batch ||
    last.batch - 1 === previous?.batch && changedTables(last).size === 0;
}

/** Whether `lake.duckdb`, which shows this, shows what a batch holds. */
async function isShownBy(
  shown: string | undefined,
  { sql, log }: StageContext,
  batch: {
    output: BatchLog<ProcessedManifest>;
    newest: ProcessedManifest | undefined;
    live?: LiveList | undefined;
  },
): Promise<boolean> {
  const { output, newest, live } = batch;
  if (shown === undefined || newest === undefined) return false;
  if (!isOfSameSql(newest, sql)) return false;
  const options = {
    zone: output.zone,
    batches: output,
    newest,
    live,
    sql,
    log,
  };
  // Whoever needs the list has the error.
  return await shownHash(options).catch(() => undefined) === shown;
}

/**
 * Publishes what is committed and returns the newest batch: if one can't be
 * made, those before it are published too. What is shown already stays.
 */
async function publishReached(
  context: StageContext,
  options: Pick<MakeOptions, "output" | "prepare"> & {
    shown: string | undefined;
    reached: Reached | undefined;
  },
): Promise<ProcessedManifest | undefined> {
  const { sql } = context;
  const { output, prepare, shown, reached } = options;
  const newest = reached === undefined
    ? await output.newest().catch(() => undefined)
    : reached.committed;
  // Nobody has accepted yet what the other SQL shows.
  if (newest === undefined || !isOfSameSql(newest, sql)) return newest;
  const live = reached?.live;
  if (await isShownBy(shown, context, { output, newest, live })) return newest;
  const { duckdb, columns } = await prepare();
  const { publishBatch } = await import("./lake/publish_batch.ts");
  await publishBatch(context, {
    duckdb,
    batches: output,
    newest,
    live,
    columns,
  });
  return newest;
}

/** Reports merges that are due when no batch was made to list merged files. */
async function reportDueMerges(
  context: StageContext,
  options: {
    output: BatchLog<ProcessedManifest>;
    newest: ProcessedManifest | undefined;
  },
): Promise<void> {
  const { output, newest } = options;
  const { sql, log } = context;
  const work = { sql, bounds: compactionBounds(context), all: true };
  const merges = countDue(work, await readLiveFiles(output, newest));
  if (merges === 0) return log.info("nothing to merge");
  log.warn(
    "nothing was merged: the {merges} merges that are due are committed with a batch, and none is pending. Run `./totesys extract`, which makes one, then this again",
    { merges },
  );
}
