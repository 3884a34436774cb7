import type pg from "pg";
import type { BatchLog } from "../lib/batches/batch_log.ts";
import { LOAD_CHANNEL } from "../lib/batches/load_channel.ts";
import {
  allVersionsOf,
  type DataFile,
  type ProcessedManifest,
} from "../lib/batches/manifest.ts";
import { StageError } from "../lib/errors.ts";
import { query, relationExists } from "../lib/postgres/postgres.ts";
import { interceptedError } from "./dependents/check_triggers.ts";

/** The newest batch in the warehouse. */
export interface LedgerEntry {
  batch: number;
  runId: string;
  inputSha256: string;
  lakeId: string;
  transformHash: string;
}

const RESET = "reset";

const OTHER_SQL = "was made by other SQL";

/** The newest batch in the warehouse; undefined when it holds none. */
export async function newestEntry(
  client: pg.Client,
): Promise<LedgerEntry | undefined> {
  const [row] = await query(
    client,
    `select batch, run_id, input_sha256, lake_id, transform_hash
    from pipeline.batch order by batch desc limit 1`,
  );
  return row === undefined ? undefined : {
    batch: Number(row.batch),
    runId: row.run_id ?? "",
    inputSha256: row.input_sha256 ?? "",
    lakeId: row.lake_id ?? "",
    transformHash: row.transform_hash ?? "",
  };
}

/** The same where there may be no ledger yet. */
export async function findNewestEntry(
  client: pg.Client,
): Promise<LedgerEntry | undefined> {
  return await relationExists(client, "pipeline.batch")
    ? await newestEntry(client)
    : undefined;
}

/** The newest batch in the warehouse, which must be the log's. */
export async function checkedEntry(
  client: pg.Client,
  batches: BatchLog<ProcessedManifest>,
): Promise<LedgerEntry | undefined> {
  const entry = await newestEntry(client);
  if (entry === undefined) return undefined;
  const manifest = await batches.find(entry.batch);
  checkLedgerFollowsLake(entry, { manifest, zone: batches.zone.url });
  await checkSameSql(client, { entry, manifest, batches });
  return entry;
}

/**
 * Throws a `StageError` if the newest batch in the warehouse, where there may be
 * no ledger yet, is not this log's, by whatever SQL each was made: nothing may
 * be made in the warehouse of another lake.
 */
export async function checkSameLake(
  client: pg.Client,
  batches: BatchLog<ProcessedManifest>,
): Promise<void> {
  const entry = await findNewestEntry(client);
  if (entry === undefined) return;
  const manifest = await batches.find(entry.batch);
  const { transformHash } = manifest ?? entry;
  checkLedgerFollowsLake({ ...entry, transformHash }, {
    manifest,
    zone: batches.zone.url,
  });
}

/** The newest entry once this batch is loaded. */
export function ledgerEntry(manifest: ProcessedManifest): LedgerEntry {
  const { batch, runId, inputSha256, lakeId, transformHash } = manifest;
  return { batch, runId, inputSha256, lakeId, transformHash };
}

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
  if (rowCount !== rows.length) throw interceptedError(OWN, `${rowCount} rows`);
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

/**
 * The warehouse accepts batches of one lake only, and continues from the batch
 * it holds: throws a `StageError` when the zone has a different one there.
 */
export function checkLedgerFollowsLake(
  entry: LedgerEntry,
  options: { manifest: ProcessedManifest | undefined; zone: string },
): void {
  const { manifest, zone } = options;
  const found = manifest === undefined
    ? "is missing"
    : manifest.lakeId !== entry.lakeId
    ? "belongs to another lake"
    : manifest.inputSha256 !== entry.inputSha256
    ? "is another one"
    : manifest.transformHash !== entry.transformHash
    ? OTHER_SQL
    : undefined;
  if (found !== undefined) throw continuityError(entry, { found, zone });
}

/**
 * After a rebuild of the zone, other SQL may have made any of its batches:
 * throws a `StageError` unless all were made by the SQL of those in the
 * warehouse. Costs requests only until the next batch is loaded.
 */
export async function checkSameSql(
  client: pg.Client,
  options: {
    entry: LedgerEntry;
    manifest: ProcessedManifest | undefined;
    batches: BatchLog<ProcessedManifest>;
  },
): Promise<void> {
  const { entry, manifest, batches } = options;
  if (manifest?.runId === entry.runId) return;
  const rows = await query(
    client,
    "select batch, transform_hash from pipeline.batch",
  );
  const loaded = new Map(
    rows.map((row) => [Number(row.batch), row.transform_hash]),
  );
  for await (const made of batches.range({ from: 1, to: entry.batch })) {
    const hash = loaded.get(made.batch);
    if (hash === undefined || hash === made.transformHash) continue;
    throw continuityError({ ...entry, batch: made.batch }, {
      found: OTHER_SQL,
      zone: batches.zone.url,
    });
  }
}

function continuityError(
  entry: Pick<LedgerEntry, "batch">,
  options: { found: string; zone: string },
): StageError {
  const { found, zone } = options;
  return new StageError(
    `Cannot continue the warehouse after batch ${entry.batch}: in ${zone} it ${found}`,
    {
      subject: zone,
      hint: found === OTHER_SQL
        ? "Run `./totesys rebuild warehouse`"
        : "Check that PROCESSED_URL and WAREHOUSE_URL belong together; `./totesys rebuild warehouse` makes the warehouse what the zone holds",
    },
  );
}
