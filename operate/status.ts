import type pg from "pg";
import { BatchLog } from "../lib/batches/batch_log.ts";
import {
  type FailureNote,
  readFailureNote,
} from "../lib/batches/failure_note.ts";
import {
  allVersionsOf,
  type IngestionManifest,
  type Manifest,
  type ProcessedManifest,
  rowsOf,
} from "../lib/batches/manifest.ts";
import { type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { EXIT, messageOf, StageError } from "../lib/errors.ts";
import { ageSeconds } from "../lib/lambda/stage_metrics.ts";
import {
  inTransaction,
  query,
  readServerMode,
  relationExists,
  type TextRow,
} from "../lib/postgres/postgres.ts";
import { openStageZone, type StageContext } from "../lib/stage.ts";
import { checkContinuity as checkLedger, newestEntry } from "../load/ledger.ts";
import { damagedError, damagedTables } from "../load/own_tables.ts";
import { checkContinuity } from "../transform/continuity.ts";
import { lastVerified } from "../verify/verification.ts";
import failureSql from "./failure.sql" with { type: "text" };
import newestVerificationSql from "./newest_verification.sql" with {
  type: "text",
};
import statusSql from "./status.sql" with { type: "text" };
import {
  type LockHolder,
  lockHolder,
  waitsTooLong,
} from "./waiting_batches.ts";

const USAGE = `deno task status [--json]

Shows where each stage stands. Exits 1 when the warehouse is not as fresh as
FRESHNESS_MINUTES_MAX says, when a stage fails at the next batch, when a batch
waits for a stage for over half of that time, when batches wait for a warehouse
that takes no writes, or whose lock is held by something other than a load, when
one of the pipeline's own tables is gone there, when the newest verification
found a difference or is over twice as old as VERIFY_EVERY_HOURS says, or when a
zone or the warehouse can't be read or doesn't belong to the others.

  --json  one JSON object, also on a terminal`;
const QUARANTINE_SHOWN = 20;

/** The status of one stage. */
export interface StageStatus {
  stage: string;
  batch?: number;
  snapshotTime?: string;
  committedAt?: string;
  rows?: number;
  /** Batches of the previous stage that it has not processed yet. */
  pending?: number;
  /** Why its status is unknown, or why the stage can't go on. */
  problem?: string;
  /** What to do about the problem. */
  hint?: string;
  /** The error of the newest run, while its batch still waits. */
  failure?: FailureNote;
}

/** The status of the platform. */
export interface Status {
  stages: StageStatus[];
  /** Now minus the snapshot time of the newest batch in the warehouse. */
  freshnessSeconds?: number;
  fresh: boolean;
  /** Why freshness is unknown, though something is loaded. */
  freshnessProblem?: string;
  /** The newest one; left out when there is none. */
  verification?: { batch: number; verifiedAt: string; differences: number };
  /** Why the newest one is too old, or that there is none. */
  verificationProblem?: string;
  quarantined: number;
  quarantine: TextRow[];
}

/** The warehouse's own account. */
type WarehouseStatus =
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
    /** Why it can't accept a batch. */
    takesNone?: string | undefined;
    /** The session that blocks load. */
    holder?: LockHolder | undefined;
  };

/**
 * Reads each zone and the warehouse; the status says which can't be reached, or
 * belongs to another lake than the zone before it.
 */
export async function readStatus(context: StageContext): Promise<Status> {
  const ingestion = openStageZone(context, "ingestion");
  const processed = openStageZone(context, "processed");
  try {
    return await readFrom(context, {
      extracted: new BatchLog<IngestionManifest>(ingestion, "extract"),
      transformed: new BatchLog<ProcessedManifest>(processed, "transform"),
    });
  } finally {
    ingestion.close();
    processed.close();
  }
}

interface Logs {
  extracted: BatchLog<IngestionManifest>;
  transformed: BatchLog<ProcessedManifest>;
}

async function readFrom(context: StageContext, logs: Logs): Promise<Status> {
  const extracted = await zoneStatus(logs.extracted, {
    rows: (manifest) =>
      Object.values(manifest.tables)
        .reduce((sum, table) => sum + rowsOf(table), 0),
  });
  const transformed = await zoneStatus(logs.transformed, {
    rows: allVersionsOf,
    ...(extracted.problem === undefined
      ? {
        check: (newest) => checkContinuity(newest, { input: logs.extracted }),
      }
      : {}),
  });
  const warehouse = await warehouseStatus(context, {
    log: transformed.batch === undefined && transformed.problem !== undefined
      ? undefined
      : logs.transformed,
  });
  const stages = [extracted, transformed, warehouse.stage];
  stages.forEach((stage, index) => {
    const before = stages[index - 1]?.batch;
    if (before !== undefined && stage.problem === undefined) {
      stage.pending = Math.max(0, before - (stage.batch ?? 0));
    }
    // A stage with nothing pending is not stuck: no batch caused its failure.
    if (index > 0 && stage.pending === 0) delete stage.failure;
  });
  const { stage, takesNone, holder, freshnessSeconds, ...rest } = warehouse;
  // A load at work holds its lock, too: only the time it takes shows a fault.
  const obstacle = takesNone ??
    (holder?.isLoad === false ? holder.name : undefined);
  if (obstacle !== undefined && (stage.pending ?? 0) > 0) {
    stage.problem ??= obstacle;
  }
  await tellWaiting(context, transformed, { log: logs.extracted });
  await tellWaiting(context, stage, {
    log: logs.transformed,
    why: holder?.name,
  });
  return {
    stages,
    ...(freshnessSeconds === undefined ? {} : { freshnessSeconds }),
    fresh: freshnessSeconds !== undefined &&
      freshnessSeconds <= context.config.freshnessMinutesMax * 60,
    ...rest,
  };
}

/** The status as a table for people. */
export function formatStatus(status: Status): string {
  const rows = [
    ["stage", "batch", "snapshot", "committed", "rows", "pending"],
    ...status.stages.map((stage) => [
      stage.stage,
      String(stage.batch ?? "-"),
      shortTime(stage.snapshotTime),
      shortTime(stage.committedAt),
      stage.rows?.toLocaleString("en") ?? "-",
      String(stage.pending ?? "-"),
    ]),
  ];
  const widths =
    rows[0]?.map((_, column) =>
      Math.max(...rows.map((row) => row[column]?.length ?? 0))
    ) ?? [];
  const lines = rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")
      .trimEnd()
  );
  for (const { stage, problem, hint } of status.stages) {
    if (problem !== undefined) lines.push(`${stage}: ${problem}`);
    if (hint !== undefined) lines.push(`  -> ${hint}`);
  }
  lines.push(...status.stages.flatMap(waitingLines));
  const seconds = status.freshnessSeconds;
  lines.push(
    seconds === undefined
      ? `freshness: unknown, ${status.freshnessProblem ?? "nothing is loaded"}`
      : `freshness: ${duration(seconds)}${status.fresh ? "" : " - TOO OLD"}`,
  );
  const { verification } = status;
  if (verification !== undefined) {
    const { batch, verifiedAt, differences } = verification;
    const found = differences === 0
      ? "the same"
      : `${differences} DIFFERENCES: run deno task verify`;
    lines.push(`verified: batch ${batch}, ${shortTime(verifiedAt)}, ${found}`);
  }
  if (status.verificationProblem !== undefined) {
    lines.push(`verified: ${status.verificationProblem}`);
  }
  lines.push(`quarantine: ${status.quarantined} rows`);
  for (const row of status.quarantine) {
    lines.push(`  ${row.table_name} ${row.row_key}: ${row.reason}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Runs `deno task status`; gives the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "status",
      usage: USAGE,
      needs: ["ingestion", "processed", "warehouse"],
      options: {},
      writesNothing: true,
      run: async (context, { write, json }) => {
        const status = await readStatus(context);
        write(
          json ? `${JSON.stringify(status)}\n` : formatStatus(status),
        );
        const well = status.fresh &&
          (status.verification?.differences ?? 0) === 0 &&
          status.verificationProblem === undefined &&
          status.stages.every(({ problem, failure }) =>
            problem === undefined && failure === undefined
          );
        return well ? EXIT.ok : EXIT.failed;
      },
    },
    args,
    io,
  );
}

async function zoneStatus<M extends Manifest>(
  log: BatchLog<M>,
  options: {
    rows: (manifest: M) => number;
    check?: (newest: M) => Promise<void>;
  },
): Promise<StageStatus> {
  const status: StageStatus = { stage: log.stage };
  try {
    const newest = await log.newest();
    const note = await readFailureNote(log);
    if (note !== undefined && note.batch > (newest?.batch ?? 0)) {
      status.failure = note;
    }
    if (newest === undefined) return status;
    status.batch = newest.batch;
    status.snapshotTime = newest.snapshotTime;
    status.committedAt = newest.committedAt;
    status.rows = options.rows(newest);
    await options.check?.(newest);
  } catch (error) {
    tellProblem(status, error);
  }
  return status;
}

/** Notes that a batch has waited for a stage for too long, and why. */
async function tellWaiting(
  context: StageContext,
  stage: StageStatus,
  options: { log: BatchLog<Manifest>; why?: string | undefined },
): Promise<void> {
  const { log, why = "it does not run, or something keeps it from writing" } =
    options;
  const { pending = 0, problem, failure } = stage;
  if (pending === 0 || problem !== undefined || failure !== undefined) return;
  const batch = (stage.batch ?? 0) + 1;
  const since = await waitsTooLong(context, { log, batch });
  if (since === undefined) return;
  stage.problem = `batch ${batch} has waited for it since ${
    shortTime(since.toISOString())
  }: ${why}`;
  stage.hint = "Its log says why; `deno task doctor` says what takes no writes";
}

/** Without a log, the warehouse's batches are not compared with it. */
async function warehouseStatus(
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
    return await inTransaction(client, { readOnly: true }, async () => {
      const hasLedger = await relationExists(client, "pipeline.batch");
      const [damaged] = await damagedTables(client);
      if (damaged !== undefined) tellProblem(stage, damagedError(damaged));
      Object.assign(stage, await loadFailure(client));
      const takesNone = await whyReadOnly(client);
      const [newest] = hasLedger ? await query(client, statusSql) : [];
      const holder = await lockHolder(client, warehouse);
      if (newest === undefined) return { ...found, takesNone, holder };
      stage.batch = Number(newest.batch);
      stage.snapshotTime = newest.snapshot_time ?? "";
      stage.committedAt = newest.loaded_at ?? "";
      stage.rows = Number(newest.rows);
      if (log !== undefined) await tellLedger(client, { log, stage });
      return {
        stage,
        takesNone,
        holder,
        ...freshnessOf(Number(newest.freshness_seconds)),
        ...await verificationStatus(client),
        ...verificationAge(context, await lastVerified(client)),
        ...await quarantineStatus(client),
      };
    });
  } catch (error) {
    tellProblem(stage, error);
    return { ...found, freshnessProblem: "the warehouse could not be read" };
  }
}

/** The first problem of a stage explains those that follow from it. */
function tellProblem(stage: StageStatus, error: unknown): void {
  if (stage.problem !== undefined) return;
  stage.problem = messageOf(error);
  if (error instanceof StageError && error.hint !== undefined) {
    stage.hint = error.hint;
  }
}

/** A snapshot in the future does not show how old the warehouse is. */
function freshnessOf(
  seconds: number,
): Pick<Status, "freshnessSeconds" | "freshnessProblem"> {
  const age = ageSeconds(seconds);
  if (age !== undefined) return { freshnessSeconds: age };
  return {
    freshnessProblem: `the newest snapshot's time is ${
      duration(-seconds)
    } in the future: the source's clock was wrong when it was taken, or the warehouse's is now`,
  };
}

/** The error of the newest load, while its batch is not in the ledger. */
async function loadFailure(
  client: pg.Client,
): Promise<Pick<StageStatus, "failure">> {
  const [row] = await relationExists(client, "pipeline.failure")
    ? await query(client, failureSql)
    : [];
  if (row === undefined) return {};
  return {
    failure: {
      batch: Number(row.batch),
      since: row.since ?? "",
      at: row.at ?? "",
      message: row.message ?? "",
      ...(row.hint ? { hint: row.hint } : {}),
      retryable: row.retryable === "t",
    },
  };
}

/** Why load can't write there, if it can't. */
async function whyReadOnly(client: pg.Client): Promise<string | undefined> {
  const { isStandby, isReadOnly } = await readServerMode(client);
  if (isStandby) return "the warehouse is a standby";
  return isReadOnly
    ? "the warehouse takes no writes: default_transaction_read_only is on"
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
    } - TOO LONG: run deno task verify, or set VERIFY_EVERY_HOURS`,
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
async function tellLedger(
  client: pg.Client,
  { log, stage }: { log: BatchLog<ProcessedManifest>; stage: StageStatus },
): Promise<void> {
  try {
    const entry = await newestEntry(client);
    if (entry === undefined) return;
    const manifest = await log.find(entry.batch);
    checkLedger(entry, { manifest, zone: log.zone.url });
  } catch (error) {
    tellProblem(stage, error);
  }
}

/** The batches that wait for a stage, and why. */
function waitingLines({ stage, pending = 0, failure }: StageStatus): string[] {
  if (failure !== undefined) {
    const { batch, since, message, hint } = failure;
    return [
      `${stage}: batch ${batch} has not come through since ${
        shortTime(since)
      }: ${message}`,
      ...(hint === undefined ? [] : [`  -> ${hint}`]),
    ];
  }
  if (pending === 0) return [];
  return [
    `${stage} is ${pending} ${pending === 1 ? "batch" : "batches"} behind`,
  ];
}

function shortTime(time: string | undefined): string {
  return time === undefined ? "-" : time.slice(0, 19).replace("T", " ");
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
