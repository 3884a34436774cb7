import type { ModelColumn } from "../../lib/models/model_column.ts";
import type { BatchLog } from "../../lib/batches/batch_log.ts";
import { noteLake } from "../../lib/batches/lake_note.ts";
import type { LiveList } from "../../lib/batches/live_files.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import type { TableCatalogue } from "../../lib/iceberg/table_catalogue.ts";
import { RestCatalogue } from "../../lib/iceberg/rest_catalogue.ts";
import type { StageContext } from "../../lib/stage.ts";
import { publishTables } from "../iceberg/publish_tables.ts";
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
  if (!isHere || config.icebergCatalogue === undefined) return;
  const catalogue = await openCatalogue(context);
  try {
    await publishTables({ ...work, duckdb, newRunId, catalogue });
  } finally {
    catalogue?.close();
  }
}

/** The catalogue beside the zone, if the settings name one. */
async function openCatalogue(
  { config: { glue, icebergRest, s3 }, signal }: Pick<
    StageContext,
    "config" | "signal"
  >,
): Promise<TableCatalogue | undefined> {
  if (icebergRest !== undefined) {
    return new RestCatalogue(icebergRest, { signal });
  }
  if (glue === undefined || s3 === undefined) return undefined;
  // The SDK takes long to load.
  const { GlueCatalogue } = await import("../../lib/glue/glue_catalogue.ts");
  return new GlueCatalogue(glue, { s3 });
}
