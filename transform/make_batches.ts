import type { BatchLog } from "../lib/batch_log.ts";
import { checkFiles } from "../lib/data_files.ts";
import type { DuckDb } from "../lib/duckdb.ts";
import { StageError } from "../lib/errors.ts";
import {
  type IngestionManifest,
  manifestSha256,
  type ProcessedManifest,
} from "../lib/manifest.ts";
import { QUARANTINE } from "../lib/quarantine_model.ts";
import { type StageContext, type StageResult, startRun } from "../lib/stage.ts";
import type { Zone } from "../lib/zone.ts";
import { filesOfBatches, type LakeFile } from "./files_of_batches.ts";
import type { ModelColumn } from "./model_changes.ts";
import { prepare } from "./prepare.ts";
import { changedTables, isMendedLater } from "./quarantine.ts";
import { type BatchContent, transformBatch } from "./transform_batch.ts";

/**
 * Makes each batch that comes after `previous`, up to and with `last`, and
 * counts it in the result; ends early, and says so, when another run commits
 * one first. Gives the newest batch there is then.
 */
export async function makeBatches(
  context: StageContext,
  options: {
    input: BatchLog<IngestionManifest>;
    output: BatchLog<ProcessedManifest>;
    /** A DuckDB for the two zones that was prepared, and what that gave. */
    duckdb: DuckDb;
    columns: ReadonlyMap<string, readonly ModelColumn[]>;
    previous: ProcessedManifest | undefined;
    last: IngestionManifest;
    result: StageResult;
  },
): Promise<ProcessedManifest | undefined> {
  const { config, resources, sql } = context;
  const { input, output, last, result } = options;
  const ingestion = input.zone;
  const processed = output.zone;
  let { previous } = options;
  for (let batch = (previous?.batch ?? 0) + 1; batch <= last.batch; batch++) {
    context.signal.throwIfAborted();
    const before = previous;
    const next = batch === last.batch ? last : await input.read(batch);
    const committed = await commitBatch(context, {
      ...options,
      input: next,
      previous,
      ingestion,
      processed,
      isMendedLater: async () => {
        await using other = await resources.openDuckDb(config, {
          zones: [ingestion.url, processed.url],
        });
        await prepare(other, sql);
        return await isMendedLater(other, {
          state: before?.state[QUARANTINE.name],
          processed,
          ingestion,
          sql,
          inputs: batchesFrom(input, { from: batch, to: last.batch }),
          rowsMax: config.quarantineRowsMax,
        });
      },
    });
    if (committed === undefined) {
      result.overtaken = true;
      break;
    }
    previous = committed;
    const added = committed.quarantined - (before?.quarantined ?? 0);
    if (added > 0) result.quarantined = (result.quarantined ?? 0) + added;
    result.batches.push(batch);
    for (const model of Object.values(committed.models)) {
      for (const file of model.files) {
        result.rows += file.rows;
        result.bytes += file.bytes;
      }
    }
  }
  return previous;
}

async function* batchesFrom(
  log: BatchLog<IngestionManifest>,
  range: { from: number; to: number },
): AsyncGenerator<IngestionManifest> {
  for (let batch = range.from; batch <= range.to; batch++) {
    yield await log.read(batch);
  }
}

async function commitBatch(
  context: StageContext,
  options: {
    duckdb: DuckDb;
    columns: ReadonlyMap<string, readonly ModelColumn[]>;
    ingestion: Zone;
    processed: Zone;
    input: IngestionManifest;
    previous: ProcessedManifest | undefined;
    output: BatchLog<ProcessedManifest>;
    isMendedLater: () => Promise<boolean>;
  },
): Promise<ProcessedManifest | undefined> {
  const { config, sql, log, progress, clock } = context;
  const { input, previous, output, processed } = options;
  const { batch } = input;
  const { runId, tooOld } = startRun(context);
  const startedAt = clock().toISOString();
  let earlier: Promise<LakeFile[]> | undefined;
  const extracted = extractedOf(input);
  progress.begin(`transform ${batch}`, { rows: extracted.rows });
  const content = await transformBatch({
    ...options,
    sql,
    runId,
    progress,
    quarantineRowsMax: config.quarantineRowsMax,
    earlierFiles: async (model) => {
      earlier ??= filesOfBatches(output, { from: 1, to: batch - 1 });
      const files = (await earlier).filter((file) => file.model === model);
      await checkFiles(processed, files);
      return files;
    },
  });
  progress.end();
  const manifest: ProcessedManifest = {
    format: 1,
    stage: "transform",
    batch,
    runId,
    lakeId: input.lakeId,
    snapshotTime: input.snapshotTime,
    committedAt: clock().toISOString(),
    engine: { duckdb: await duckDbVersion(options.duckdb) },
    inputSha256: manifestSha256(input),
    extractedAt: input.committedAt,
    extracted,
    startedAt,
    transformHash: sql.transformHash,
    ...content,
  };
  if (tooOld()) {
    throw new StageError(
      `Cannot commit batch ${batch}: this run began over 12 hours ago`,
      {
        subject: processed.url,
        retryable: true,
        hint: "Run transform again",
      },
    );
  }
  context.signal.throwIfAborted();
  if (!await output.commit(manifest)) {
    log.warn("batch {batch} was committed by another run first", { batch });
    return undefined;
  }
  const rows = count(content, (model) => model.files[0]?.rows ?? 0);
  log.info("batch {batch}: {rows} versions in {files} models, {bytes} bytes", {
    batch,
    rows,
    files: Object.keys(content.models).length,
    bytes: count(content, (model) => model.files[0]?.bytes ?? 0),
    deletes: count(content, (model) => model.deletes),
    runId,
  });
  const before = previous?.quarantined ?? 0;
  if (content.quarantined > before) {
    log.error(
      "{quarantined} rows are in quarantine, {added} more than before: `deno task status` shows them",
      {
        quarantined: content.quarantined,
        added: content.quarantined - before,
        batch,
      },
    );
  }
  return manifest;
}

function count(
  content: BatchContent,
  of: (model: BatchContent["models"][string]) => number,
): number {
  return Object.values(content.models).reduce(
    (sum, model) => sum + of(model),
    0,
  );
}

async function duckDbVersion(duckdb: DuckDb): Promise<string> {
  const [row] = await duckdb.rows("select version() as version");
  return row?.version ?? "";
}

/** What extract shipped for a batch. */
function extractedOf(
  input: IngestionManifest,
): { rows: number; bytes: number } {
  const files = [...changedTables(input).values()]
    .flatMap((table) => [...table.rows, ...table.deletes]);
  return {
    rows: files.reduce((sum, file) => sum + file.rows, 0),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
  };
}
