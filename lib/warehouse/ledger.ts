import type pg from "pg";
import type { BatchLog } from "../batches/batch_log.ts";
import type { ProcessedManifest } from "../batches/manifest.ts";
import { StageError } from "../errors.ts";
import { query, relationExists } from "../postgres/postgres.ts";

/** The newest batch in the warehouse. */
export interface LedgerEntry {
  batch: number;
  runId: string;
  inputSha256: string;
  lakeId: string;
  transformHash: string;
}

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

/** The newest entry once this batch is loaded. */
export function ledgerEntry(manifest: ProcessedManifest): LedgerEntry {
  const { batch, runId, inputSha256, lakeId, transformHash } = manifest;
  return { batch, runId, inputSha256, lakeId, transformHash };
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
async function checkSameSql(
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
