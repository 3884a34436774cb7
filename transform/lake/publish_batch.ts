import type { BatchLog } from "../../lib/batches/batch_log.ts";
import { noteLake } from "../../lib/batches/lake_note.ts";
import type { LiveList } from "../../lib/batches/live_files.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import type { StageContext } from "../../lib/stage.ts";
import { publishTables } from "../iceberg/publish_tables.ts";
import type { ModelColumn } from "../models/model_changes.ts";
import { publishLake } from "./publish_lake.ts";

/**
 * Publishes a committed batch to readers: `lake.duckdb` and, if they are set
 * up, the Iceberg tables. Neither failing is an error of the run.
 */
export async function publishBatch(
  context: StageContext,
  options: {
    duckdb: DuckDb;
    batches: BatchLog<ProcessedManifest>;
    newest: ProcessedManifest;
    live: LiveList | undefined;
    columns: ReadonlyMap<string, readonly ModelColumn[]>;
  },
): Promise<void> {
  const { config, sql, log, newRunId } = context;
  const { duckdb, ...batch } = options;
  const { zone } = batch.batches;
  const work = { ...batch, zone, sql, log };
  const isHere = await publishLake(duckdb, {
    ...work,
    noteFailure: (error, etag) => noteLake(context, { zone, error, etag }),
  });
  if (isHere && config.icebergCatalogue !== undefined) {
    await publishTables({ ...work, duckdb, newRunId });
  }
}
