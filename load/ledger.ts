import type pg from "pg";
import { StageError } from "../lib/errors.ts";
import type { ProcessedManifest } from "../lib/manifest.ts";
import { query } from "../lib/postgres.ts";

/** The newest batch in the warehouse. */
export interface LedgerEntry {
  batch: number;
  inputSha256: string;
  lakeId: string;
  transformHash: string;
}

/** The channel on which each load tells the batches it committed. */
export const CHANNEL = "pipeline_batch";

/** The newest batch in the warehouse; undefined when it holds none. */
export async function newestEntry(
  client: pg.Client,
): Promise<LedgerEntry | undefined> {
  const [row] = await query(
    client,
    `select batch, input_sha256, lake_id, transform_hash from pipeline.batch
    order by batch desc limit 1`,
  );
  return row === undefined ? undefined : {
    batch: Number(row.batch),
    inputSha256: row.input_sha256 ?? "",
    lakeId: row.lake_id ?? "",
    transformHash: row.transform_hash ?? "",
  };
}

/** Writes batches into the ledger, in the transaction that loads them. */
export async function enterBatches(
  client: pg.Client,
  manifests: readonly ProcessedManifest[],
): Promise<void> {
  const rows = manifests.map((manifest) => {
    const models = Object.values(manifest.models);
    const files = models.flatMap((model) => model.files);
    return {
      batch: manifest.batch,
      snapshot_time: manifest.snapshotTime,
      run_id: manifest.runId,
      input_sha256: manifest.inputSha256,
      rows: files.reduce((sum, file) => sum + file.rows, 0),
      deletes: models.reduce((sum, model) => sum + model.deletes, 0),
      transform_hash: manifest.transformHash,
      lake_id: manifest.lakeId,
    };
  });
  await client.query(
    `insert into pipeline.batch (batch, snapshot_time, run_id, input_sha256,
      rows, deletes, transform_hash, lake_id)
    select batch, snapshot_time, run_id, input_sha256, rows, deletes,
      transform_hash, lake_id
    from jsonb_to_recordset($1::jsonb) as manifest (
      batch bigint, snapshot_time timestamptz, run_id text, input_sha256 text,
      rows bigint, deletes bigint, transform_hash text, lake_id text
    )`,
    [JSON.stringify(rows)],
  );
  const last = manifests.at(-1);
  if (last !== undefined) {
    await client.query("select pg_notify($1, $2)", [
      CHANNEL,
      String(last.batch),
    ]);
  }
}

/**
 * The warehouse takes batches of one lake only, and goes on from the batch it
 * holds: throws a `StageError` when the zone has another one there.
 */
export function checkContinuity(
  entry: LedgerEntry,
  options: { manifest: ProcessedManifest | undefined; zone: string },
): void {
  const { manifest, zone } = options;
  const found = manifest === undefined
    ? "is missing"
    : manifest.lakeId !== entry.lakeId
    ? "is of another lake"
    : manifest.inputSha256 !== entry.inputSha256
    ? "is another one"
    : manifest.transformHash !== entry.transformHash
    ? "was made by other SQL"
    : undefined;
  if (found === undefined) return;
  throw new StageError(
    `Cannot go on from batch ${entry.batch}, which the warehouse holds: in ${zone} it ${found}`,
    {
      subject: zone,
      hint:
        "Check that PROCESSED_URL and WAREHOUSE_URL belong together; load another lake into an empty warehouse",
    },
  );
}
