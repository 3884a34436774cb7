import type pg from "pg";
import type { BatchLog } from "../lib/batches/batch_log.ts";
import type { ProcessedManifest } from "../lib/batches/manifest.ts";
import loadFailureSql from "../lib/batches/load_failure.sql" with {
  type: "text",
};
import { loadFailureOf } from "../lib/batches/stage_progress.ts";
import { readServerMode } from "../lib/postgres/connect.ts";
import {
  inTransaction,
  query,
  relationExists,
} from "../lib/postgres/postgres.ts";
import type { StageContext } from "../lib/stage.ts";
import {
  checkLedgerFollowsLake,
  newestEntry,
} from "../lib/warehouse/ledger.ts";
import { type LockHolder, lockHolder } from "../lib/warehouse/load_lock.ts";
import { nameLockHolders } from "../lib/warehouse/lock_error.ts";
import { damagedError, damagedTables } from "../load/schema/own_tables.ts";
import { lastVerified } from "../verify/verification.ts";
import { duration } from "./format_status.ts";
import { freshnessOf } from "./freshness.ts";
import newestVerificationSql from "./newest_verification.sql" with {
  type: "text",
};
import { noteProblem, type StageStatus, type Status } from "./stage_status.ts";
import statusSql from "./status.sql" with { type: "text" };

const QUARANTINE_SHOWN = 20;
/** Whoever asks how it stands wants to know soon. */
const READING = { readOnly: true, settings: { lock_timeout: "5s" } };
/** The warehouse's own account. */
export type WarehouseStatus =
  & Pick<
    Status,
    | "freshnessSeconds"
    | "freshnessProblem"
    | "verification"
    | "verificationProblem"
    | "quarantined"
    | "quarantine"
  >
  & {
    stage: StageStatus;
    /** Why it refuses writes. */
    readOnlyReason?: string | undefined;
    /** The session that blocks load. */
    holder?: LockHolder | undefined;
  };

/** Without a log, the warehouse's batches are not compared with it. */
export async function warehouseStatus(
  context: StageContext,
  options: { log: BatchLog<ProcessedManifest> | undefined },
): Promise<WarehouseStatus> {
  const { log } = options;
  const stage: StageStatus = { stage: "load" };
  const found = { stage, quarantined: 0, quarantine: [] };
  const { warehouse } = context.config;
  if (warehouse === undefined) return found;
  try {
    await using connection = await context.resources.connect(warehouse, {
      purpose: "status",
    });
    const { client } = connection;
    const read = async () => {
      const hasLedger = await relationExists(client, "pipeline.batch");
      const [damaged] = await damagedTables(client);
      if (damaged !== undefined) noteProblem(stage, damagedError(damaged));
      Object.assign(stage, await loadFailure(client));
      const readOnlyReason = await whyReadOnly(client);
      const [newest] = hasLedger ? await query(client, statusSql) : [];
      const holder = await lockHolder(client, warehouse);
      if (newest === undefined) return { ...found, readOnlyReason, holder };
      stage.batch = Number(newest.batch);
      stage.snapshotTime = newest.snapshot_time ?? "";
      stage.committedAt = newest.loaded_at ?? "";
      stage.rows = Number(newest.rows);
      if (log !== undefined) await noteLedgerFault(client, { log, stage });
      return {
        stage,
        readOnlyReason,
        holder,
        ...freshnessOf(Number(newest.freshness_seconds)),
        ...await verificationStatus(client),
        ...verificationAge(context, await lastVerified(client)),
        ...await quarantineStatus(client),
      };
    };
    return await nameLockHolders(
      { ...context, task: "read" },
      client,
      () => inTransaction(client, READING, read),
    );
  } catch (error) {
    noteProblem(stage, error);
    return { ...found, freshnessProblem: "the warehouse could not be read" };
  }
}

/** The error of the newest load, while its batch is not in the ledger. */
async function loadFailure(
  client: pg.Client,
): Promise<Pick<StageStatus, "failure">> {
  const [row] = await relationExists(client, "pipeline.failure")
    ? await query(client, loadFailureSql)
    : [];
  const failure = loadFailureOf(row);
  return failure === undefined ? {} : { failure };
}

/** Why load can't write there, if it can't. */
async function whyReadOnly(client: pg.Client): Promise<string | undefined> {
  const { isStandby, isReadOnly } = await readServerMode(client);
  if (isStandby) return "the warehouse is a standby";
  return isReadOnly
    ? "the warehouse is read-only: default_transaction_read_only is on"
    : undefined;
}

/** Twice the interval of verifications: one was missed. */
function verificationAge(
  { config, clock }: StageContext,
  since: Date | undefined,
): Pick<Status, "verificationProblem"> {
  const secondsMax = 2 * 3600 * config.verifyEveryHours;
  if (since === undefined || secondsMax === 0) return {};
  const seconds = (clock().getTime() - since.getTime()) / 1000;
  return seconds <= secondsMax ? {} : {
    verificationProblem: `not for ${
      duration(seconds)
    } - TOO LONG: run ./totesys verify, or set VERIFY_EVERY_HOURS`,
  };
}

/** A load creates a missing view last. */
async function quarantineStatus(
  client: pg.Client,
): Promise<Pick<Status, "quarantined" | "quarantine">> {
  const [view] = await query(
    client,
    "select to_regclass('quarantine_current') as name",
  );
  if (!view?.name) return { quarantined: 0, quarantine: [] };
  const [found] = await query(
    client,
    "select count(*) as rows from quarantine_current",
  );
  return {
    quarantined: Number(found?.rows),
    quarantine: await query(
      client,
      `select table_name, row_key, reason from quarantine_current
      order by table_name, row_key limit ${QUARANTINE_SHOWN}`,
    ),
  };
}

async function verificationStatus(
  client: pg.Client,
): Promise<Pick<Status, "verification">> {
  const [newest] = await relationExists(client, "pipeline.verification")
    ? await query(client, newestVerificationSql)
    : [];
  if (newest === undefined) return {};
  return {
    verification: {
      batch: Number(newest.batch),
      verifiedAt: newest.verified_at ?? "",
      differences: Number(newest.differences),
    },
  };
}

/** Notes that the ledger does not match the log. */
async function noteLedgerFault(
  client: pg.Client,
  { log, stage }: { log: BatchLog<ProcessedManifest>; stage: StageStatus },
): Promise<void> {
  try {
    const entry = await newestEntry(client);
    if (entry === undefined) return;
    const manifest = await log.find(entry.batch);
    checkLedgerFollowsLake(entry, { manifest, zone: log.zone.url });
  } catch (error) {
    noteProblem(stage, error);
  }
}
