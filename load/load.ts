import type pg from "pg";
import { BatchLog } from "../lib/batch_log.ts";
import { checkFiles } from "../lib/data_files.ts";
import type { DuckDb } from "../lib/duckdb.ts";
import { ConfigError, messageOf, StageError } from "../lib/errors.ts";
import type { ProcessedManifest } from "../lib/manifest.ts";
import { queryRow, serverName, sqlState } from "../lib/postgres.ts";
import { QUARANTINE } from "../lib/quarantine_model.ts";
import {
  openStageZone,
  type StageContext,
  type StageResult,
} from "../lib/stage.ts";
import type { Zone } from "../lib/zone.ts";
import { checkContinuity, enterBatches, newestEntry } from "./ledger.ts";
import { fillGroup, type GroupWork, mergeGroup } from "./load_group.ts";
import { migrate } from "./migrate.ts";
import { readWarehouseTable, type WarehouseTable } from "./warehouse_table.ts";

/** One load at a time: the key of the warehouse's advisory lock. */
const LOCK_KEY = "7235419846134";
/** Waiting batches share a transaction up to so many of them, or rows. */
const GROUP_BATCHES_MAX = 200;
const GROUP_ROWS_MAX = 5_000_000;
const READS_AT_ONCE = 16;

const SESSION = "set lock_timeout = '2min'; " +
  "set statement_timeout = 0; " +
  "set idle_in_transaction_session_timeout = '15min'; " +
  "set maintenance_work_mem = '256MB'; set work_mem = '64MB'; set jit = off";

/**
 * Loads every batch that the processed zone holds and the warehouse does not,
 * in order. Each transaction holds whole batches: their rows, the checks on
 * them and the ledger. A second load at the same time leaves at once.
 */
export async function load(context: StageContext): Promise<StageResult> {
  const { config, resources, sql, log } = context;
  if (config.warehouse === undefined) {
    throw new ConfigError(["WAREHOUSE_URL is missing"]);
  }
  const server = serverName(config.warehouse);
  const result: StageResult = { stage: "load", batches: [], rows: 0, bytes: 0 };
  const zone = openStageZone(context, "processed");
  try {
    const batches = new BatchLog<ProcessedManifest>(zone, "transform");
    const newest = await batches.newest();
    if (newest === undefined) {
      log.info("nothing new: no batch was transformed yet");
      return result;
    }
    await using connection = await resources.connect(config.warehouse, {
      purpose: "load",
      signal: context.signal,
    });
    const { client } = connection;
    await client.query(SESSION);
    const lock = await queryRow(
      client,
      "select pg_try_advisory_lock($1::bigint) as held",
      [LOCK_KEY],
    );
    if (lock.held !== "t") {
      log.warn("another load is at work in {server}", { server });
      return { ...result, overtaken: true };
    }
    for (const name of await migrate(client, sql.migrations)) {
      log.info("migration {name} applied", { name });
    }
    const entry = await newestEntry(client);
    if (entry !== undefined) {
      checkContinuity(entry, {
        manifest: await batches.find(entry.batch),
        zone: zone.url,
      });
    }
    let next = (entry?.batch ?? 0) + 1;
    if (next > newest.batch) {
      log.info("nothing new: batch {batch} is the newest", {
        batch: newest.batch,
      });
      result.snapshotTime = newest.snapshotTime;
      return result;
    }
    await using duckdb = await resources.openDuckDb(config, {
      zones: [zone.url],
    });
    while (next <= newest.batch) {
      context.signal.throwIfAborted();
      const manifests = await nextGroup(batches, { next, last: newest.batch });
      const loaded = await loadGroup(context, {
        client,
        duckdb,
        zone,
        manifests,
      });
      result.batches.push(...manifests.map((manifest) => manifest.batch));
      result.rows += loaded.rows;
      result.bytes += loaded.bytes;
      next += manifests.length;
    }
    result.snapshotTime = newest.snapshotTime;
    return result;
  } catch (error) {
    throw loadError(error, server);
  } finally {
    context.progress.end();
    zone.close();
  }
}

/** The next batches that share a transaction: one at least. */
async function nextGroup(
  batches: BatchLog<ProcessedManifest>,
  range: { next: number; last: number },
): Promise<ProcessedManifest[]> {
  const group: ProcessedManifest[] = [];
  let rows = 0;
  const to = Math.min(range.last, range.next + GROUP_BATCHES_MAX - 1);
  for (let batch = range.next; batch <= to; batch += READS_AT_ONCE) {
    const length = Math.min(READS_AT_ONCE, to - batch + 1);
    const read = await Promise.all(
      Array.from({ length }, (_, index) => batches.read(batch + index)),
    );
    for (const manifest of read) {
      rows += filesOf(manifest).reduce((sum, file) => sum + file.rows, 0);
      if (group.length > 0 && rows > GROUP_ROWS_MAX) return group;
      group.push(manifest);
    }
  }
  return group;
}

async function loadGroup(
  context: StageContext,
  options: {
    client: pg.Client;
    duckdb: DuckDb;
    zone: Zone;
    manifests: ProcessedManifest[];
  },
): Promise<{ rows: number; bytes: number }> {
  const { sql, log, progress } = context;
  const { client, zone, manifests } = options;
  const first = manifests[0]?.batch ?? 0;
  const last = manifests.at(-1)?.batch ?? 0;
  const name = first === last ? `${first}` : `${first} to ${last}`;
  const files = manifests.flatMap(filesOf);
  const rows = files.reduce((sum, file) => sum + file.rows, 0);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  progress.begin(`load ${name}`, { rows });
  const intact = checkFiles(zone, files);
  const [, done] = await Promise.allSettled([
    intact,
    inTransaction(client, {
      work: async () => {
        const tables = await readTables(client, context, manifests);
        const work: GroupWork = {
          ...options,
          tables,
          checks: sql.checks,
          progress,
          log,
        };
        if (tables.every((table) => table.empty)) await fillGroup(work);
        else await mergeGroup(work);
        await enterBatches(client, manifests);
        // Nothing is committed of a file that is not as it was written.
        await intact;
      },
    }),
  ]);
  await intact;
  if (done.status === "rejected") throw done.reason;
  progress.end();
  log.info("batch {name}: {rows} versions, {bytes} bytes", {
    name,
    rows,
    bytes,
    batch: last,
    snapshotTime: manifests.at(-1)?.snapshotTime,
  });
  return { rows, bytes };
}

/** The tables of the models that these batches have, references first. */
async function readTables(
  client: pg.Client,
  context: StageContext,
  manifests: ProcessedManifest[],
): Promise<WarehouseTable[]> {
  const models = [...context.sql.models, QUARANTINE];
  const known = new Set(models.map((model) => model.name));
  for (const manifest of manifests) {
    const unknown = Object.keys(manifest.models).find((name) =>
      !known.has(name)
    );
    if (unknown === undefined) continue;
    throw new StageError(
      `Cannot load batch ${manifest.batch}: it has the model "${unknown}", which sql/models does not`,
      {
        subject: unknown,
        hint: "Run the version that made the batch, or a newer one",
      },
    );
  }
  const tables: WarehouseTable[] = [];
  for (const model of models) {
    tables.push(await readWarehouseTable(client, model));
  }
  return tables;
}

async function inTransaction(
  client: pg.Client,
  options: { work: () => Promise<void> },
): Promise<void> {
  await client.query("begin");
  try {
    await options.work();
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}

function filesOf(manifest: ProcessedManifest) {
  return Object.values(manifest.models).flatMap((model) => model.files);
}

function loadError(error: unknown, server: string): unknown {
  if (error instanceof StageError || error instanceof ConfigError) return error;
  const state = sqlState(error);
  if (state === undefined && !(error instanceof Error)) return error;
  if (error instanceof Error && error.name === "AbortError") return error;
  const hints: Record<string, string> = {
    "42501":
      "Give the loader's role its rights; see sql/roles/warehouse_roles.sql",
    "25006": "The server takes no writes: a standby, or set read only",
    "55P03": "Somebody holds a lock on a table for long; the next run retries",
    "53100": "The server's disk is full",
  };
  return new StageError(`Cannot load into ${server}: ${messageOf(error)}`, {
    subject: server,
    retryable: state !== "42501",
    hint: hints[state ?? ""] ??
      "Nothing of it was kept; the next run does it again",
    cause: error,
  });
}
