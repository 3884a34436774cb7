import { BatchLog } from "../lib/batch_log.ts";
import { checkFiles } from "../lib/data_files.ts";
import type { DuckDb } from "../lib/duckdb.ts";
import { StageError } from "../lib/errors.ts";
import {
  type IngestionManifest,
  manifestSha256,
  type ProcessedManifest,
} from "../lib/manifest.ts";
import { quoteName } from "../lib/postgres.ts";
import type { ProjectSql } from "../lib/project_sql.ts";
import { QUARANTINE } from "../lib/quarantine_model.ts";
import {
  openStageZone,
  type StageContext,
  type StageResult,
  startRun,
} from "../lib/stage.ts";
import type { Zone } from "../lib/zone.ts";
import { emptyTableSql } from "./arrive.ts";
import { filesOfBatches } from "./files_of_batches.ts";
import { type ModelColumn, modelColumns } from "./model_changes.ts";
import { publishLake } from "./publish_lake.ts";
import { changedTables, isMendedLater, rowsOf } from "./quarantine.ts";
import { type BatchContent, transformBatch } from "./transform_batch.ts";

/** What a person may ask of one run. */
export interface TransformOptions {
  /** Goes on although `sql/` changed: what changed is for new batches only. */
  acceptSqlChange?: boolean;
}

const SCHEMAS = [
  "arrived",
  "quarantined",
  "changed",
  "gone",
  "deleted",
  "current",
  "before",
  "after",
  "result_before",
  "result_after",
];

/**
 * Makes the star schemas of every batch that the ingestion zone holds and the
 * processed zone does not, one by one, in order, and publishes `lake.duckdb`
 * over what is committed.
 */
export async function transform(
  context: StageContext,
  options: TransformOptions = {},
): Promise<StageResult> {
  const { config, resources, sql } = context;
  const ingestion = openStageZone(context, "ingestion");
  const processed = openStageZone(context, "processed");
  try {
    const input = new BatchLog<IngestionManifest>(ingestion, "extract");
    const output = new BatchLog<ProcessedManifest>(processed, "transform");
    const newestInput = await input.newest();
    let previous = await output.newest();
    const result: StageResult = {
      stage: "transform",
      batches: [],
      rows: 0,
      bytes: 0,
    };
    if (newestInput === undefined) return result;
    const last = newestInput.batch;
    if (previous !== undefined) {
      await checkContinuity({ input, previous, ingestion });
    }
    if (previous !== undefined && previous.batch < last) {
      checkSql(previous, { sql, accept: options.acceptSqlChange === true });
    }
    await using duckdb = await resources.openDuckDb(config, {
      zones: [ingestion.url, processed.url],
    });
    const columns = await prepare(duckdb, sql);
    for (let batch = (previous?.batch ?? 0) + 1; batch <= last; batch++) {
      context.signal.throwIfAborted();
      const before = previous;
      const next = batch === last ? newestInput : await input.read(batch);
      const committed = await commitBatch(context, {
        duckdb,
        columns,
        ingestion,
        processed,
        input: next,
        previous,
        output,
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
            inputs: batchesFrom(input, { from: batch, to: last }),
            rowsMax: config.quarantineRowsMax,
          });
        },
      });
      if (committed === undefined) {
        result.overtaken = true;
        break;
      }
      previous = committed;
      result.batches.push(batch);
      for (const model of Object.values(committed.models)) {
        for (const file of model.files) {
          result.rows += file.rows;
          result.bytes += file.bytes;
        }
      }
    }
    if (previous !== undefined) {
      await publishLake(duckdb, {
        zone: processed,
        batches: output,
        newest: previous,
        sql,
        columns,
        log: context.log,
      });
      result.snapshotTime = previous.snapshotTime;
    }
    return result;
  } finally {
    context.progress.end();
    ingestion.close();
    processed.close();
  }
}

async function* batchesFrom(
  log: BatchLog<IngestionManifest>,
  range: { from: number; to: number },
): AsyncGenerator<IngestionManifest> {
  for (let batch = range.from; batch <= range.to; batch++) {
    yield await log.read(batch);
  }
}

/** Makes the schemas, and says which columns each model gives. */
export async function prepare(
  duckdb: DuckDb,
  sql: ProjectSql,
): Promise<Map<string, readonly ModelColumn[]>> {
  for (const schema of SCHEMAS) await duckdb.run(`create schema ${schema}`);
  for (const table of sql.tables) {
    for (const schema of ["changed", "current"]) {
      await duckdb.run(
        `create view ${schema}.${quoteName(table.name)} as ${
          emptyTableSql(table)
        }`,
      );
    }
  }
  const columns = new Map<string, readonly ModelColumn[]>();
  for (const model of sql.models) {
    columns.set(model.name, await modelColumns(duckdb, model.sql));
  }
  return columns;
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
  const rowsToRead = [...changedTables(input).values()].map(rowsOf)
    .reduce((sum, rows) => sum + rows, 0);
  progress.begin(`transform ${batch}`, { rows: rowsToRead });
  const content = await transformBatch({
    ...options,
    sql,
    runId,
    progress,
    quarantineRowsMax: config.quarantineRowsMax,
    earlierFiles: async (model) => {
      const all = await filesOfBatches(output, { from: 1, to: batch - 1 });
      const files = all.filter((file) => file.model === model);
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

/**
 * The batch that was transformed last must still be what was extracted:
 * otherwise this is another lake, or its log was cut and written anew.
 */
async function checkContinuity(options: {
  input: BatchLog<IngestionManifest>;
  previous: ProcessedManifest;
  ingestion: Zone;
}): Promise<void> {
  const { input, previous, ingestion } = options;
  const source = await input.find(previous.batch);
  if (
    source !== undefined && manifestSha256(source) === previous.inputSha256
  ) return;
  throw new StageError(
    `Cannot go on from batch ${previous.batch}: in ${ingestion.url} it is ${
      source === undefined ? "missing" : "another one"
    } now`,
    {
      subject: ingestion.url,
      hint:
        "Check that INGESTION_URL and PROCESSED_URL belong together and that one deployment alone writes there; restore the manifest from the bucket's versions",
    },
  );
}

function checkSql(
  previous: ProcessedManifest,
  options: { sql: ProjectSql; accept: boolean },
): void {
  if (options.accept) return;
  if (previous.transformHash === options.sql.transformHash) return;
  throw new StageError(
    `Cannot go on from batch ${previous.batch}: sql/ (contract, models or quarantine) has changed since`,
    {
      subject: "sql/",
      hint:
        "If the change concerns new batches only, run transform once with --accept-sql-change; if not, point PROCESSED_URL and WAREHOUSE_URL to empty places, and both are built anew from the ingestion zone",
    },
  );
}
