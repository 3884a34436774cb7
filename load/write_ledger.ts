import { counted } from "../lib/counted.ts";
import type pg from "pg";
import { LOAD_CHANNEL } from "../lib/batches/load_channel.ts";
import {
  allVersionsOf,
  type DataFile,
  type ProcessedManifest,
} from "../lib/batches/manifest.ts";
import { interceptedError } from "./dependents/check_triggers.ts";

/** A batch as in the ledger, without the time it was loaded. */
export interface LedgerRow {
  batch: number;
  snapshot_time: string;
  run_id: string;
  input_sha256: string;
  rows: number;
  deletes: number;
  transform_hash: string;
  lake_id: string;
  /** By the clocks of the machines that ran the stages. */
  extracted_at: string | null;
  transformed_at: string;
  /** Missing in manifests made before these were kept. */
  extracted_rows: number | null;
  extracted_bytes: number | null;
  transform_began_at: string | null;
  files: LedgerFile[];
}

/** A file of the processed zone, as in the ledger. */
export interface LedgerFile extends DataFile {
  batch: number;
  model: string;
}

/** The ledger's row for a batch. */
export function ledgerRow(manifest: ProcessedManifest): LedgerRow {
  const { batch } = manifest;
  const models = Object.entries(manifest.models);
  const files = models.flatMap(([model, { files }]) =>
    files.map((file) => ({ batch, model, ...file }))
  );
  return {
    batch,
    snapshot_time: manifest.snapshotTime,
    run_id: manifest.runId,
    input_sha256: manifest.inputSha256,
    rows: allVersionsOf(manifest),
    deletes: models.reduce((sum, [, { deletes }]) => sum + deletes, 0),
    transform_hash: manifest.transformHash,
    lake_id: manifest.lakeId,
    extracted_at: manifest.extractedAt ?? null,
    transformed_at: manifest.committedAt,
    extracted_rows: manifest.extracted?.rows ?? null,
    extracted_bytes: manifest.extracted?.bytes ?? null,
    transform_began_at: manifest.startedAt ?? null,
    files,
  };
}

const RESET = "reset";

const OWN = { model: { name: "pipeline.batch" }, interceptors: ["a trigger"] };
/** The columns that identify a batch. */
const COLUMNS = `batch, snapshot_time, run_id, input_sha256, rows, deletes,
  transform_hash, lake_id`;
/** These differ when the same batch is made again. */
const MAKING = `extracted_at, extracted_rows, extracted_bytes,
  transform_began_at, transformed_at`;
const GIVEN = `jsonb_to_recordset($1::jsonb) as given (
  batch bigint, snapshot_time timestamptz, run_id text, input_sha256 text,
  rows bigint, deletes bigint, transform_hash text, lake_id text,
  extracted_at timestamptz, extracted_rows bigint, extracted_bytes bigint,
  transform_began_at timestamptz, transformed_at timestamptz
)`;

/** Writes batches into the ledger, in the transaction that loads them. */
export async function enterBatches(
  client: pg.Client,
  manifests: readonly ProcessedManifest[],
): Promise<void> {
  await insertBatches(client, manifests.map(ledgerRow));
  const last = manifests.at(-1);
  if (last !== undefined) await notify(client, String(last.batch));
}

/**
 * Makes the ledger hold these batches and no others, in the transaction that
 * does so to the tables. Batches that are the same keep the time they were
 * loaded.
 */
export async function reconcileLedger(
  client: pg.Client,
  rows: readonly LedgerRow[],
): Promise<void> {
  await client.query(
    `with given as materialized (select ${COLUMNS} from ${GIVEN})
    delete from pipeline.batch as present where not exists (
      select from given where given.batch = present.batch
        and (${prefixed("given")}) is not distinct from (${prefixed("present")})
    )`,
    [batchesJson(rows)],
  );
  await client.query("delete from pipeline.batch_file");
  await insertBatches(
    client,
    rows,
    `on conflict (batch) do update set (${MAKING}) =
      (select ${MAKING.replace(/\w+/g, "excluded.$&")})`,
  );
}

/** Throws a `StageError` if a trigger kept one out: it would come again. */
async function insertBatches(
  client: pg.Client,
  rows: readonly LedgerRow[],
  onConflict = "",
): Promise<void> {
  const { rowCount } = await client.query(
    `insert into pipeline.batch (${COLUMNS}, ${MAKING})
    select ${COLUMNS}, ${MAKING} from ${GIVEN} ${onConflict}`,
    [batchesJson(rows)],
  );
  if (rowCount !== rows.length) {
    throw interceptedError(OWN, counted(rowCount ?? 0, "rows"));
  }
  await client.query(
    `insert into pipeline.batch_file (batch, model, key, rows, bytes, sha256)
    select batch, model, key, rows, bytes, sha256
    from jsonb_to_recordset($1::jsonb) as given (
      batch bigint, model text, key text, rows bigint, bytes bigint, sha256 text
    )`,
    [JSON.stringify(rows.flatMap(({ files }) => files))],
  );
}

/** The batches without their files, as `GIVEN` reads them. */
function batchesJson(rows: readonly LedgerRow[]): string {
  return JSON.stringify(rows.map(({ files: _, ...row }) => row));
}

/** Notifies listeners, once committed, that what they know may be wrong. */
export async function notifyReset(client: pg.Client): Promise<void> {
  await notify(client, RESET);
}

async function notify(client: pg.Client, payload: string): Promise<void> {
  await client.query("select pg_notify($1, $2)", [LOAD_CHANNEL, payload]);
}

function prefixed(relation: string): string {
  return COLUMNS.replace(/\w+/g, (column) => `${relation}.${column}`);
}
