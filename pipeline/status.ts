import { BatchLog } from "../lib/batch_log.ts";
import { runCommand, type World } from "../lib/command.ts";
import { EXIT, messageOf } from "../lib/errors.ts";
import type {
  DataFile,
  IngestionManifest,
  Manifest,
  ProcessedManifest,
} from "../lib/manifest.ts";
import { query, type TextRow } from "../lib/postgres.ts";
import { openStageZone, type StageContext } from "../lib/stage.ts";
import statusSql from "./status.sql" with { type: "text" };

const USAGE = `deno task status [--json]

Where each stage stands. Exits 1 when the warehouse is not as fresh as
FRESHNESS_MINUTES_MAX says, or when that can't be told.`;
const QUARANTINE_SHOWN = 20;

/** Where one stage stands. */
export interface StageStatus {
  stage: string;
  batch?: number;
  snapshotTime?: string;
  committedAt?: string;
  rows?: number;
  /** Batches of the stage before that it has not taken yet. */
  pending?: number;
  /** Why it can't be told. */
  problem?: string;
}

/** Where the platform stands. */
export interface Status {
  stages: StageStatus[];
  /** Now minus the snapshot time of the newest batch in the warehouse. */
  freshnessSeconds?: number;
  fresh: boolean;
  quarantined: number;
  quarantine: TextRow[];
}

/** Asks each zone and the warehouse; what can't be reached is told so. */
export async function readStatus(context: StageContext): Promise<Status> {
  const extracted = await zoneStatus<IngestionManifest>(context, {
    stage: "extract",
    zone: "ingestion",
    files: (manifest) =>
      Object.values(manifest.tables).flatMap((table) => [
        ...table.rows,
        ...table.deletes,
      ]),
  });
  const transformed = await zoneStatus<ProcessedManifest>(context, {
    stage: "transform",
    zone: "processed",
    files: (manifest) =>
      Object.values(manifest.models).flatMap((model) => model.files),
  });
  const warehouse = await warehouseStatus(context);
  const stages = [extracted, transformed, warehouse.stage];
  stages.forEach((stage, index) => {
    const before = stages[index - 1]?.batch;
    if (before !== undefined && stage.problem === undefined) {
      stage.pending = Math.max(0, before - (stage.batch ?? 0));
    }
  });
  const { freshnessSeconds, quarantined, quarantine } = warehouse;
  return {
    stages,
    ...(freshnessSeconds === undefined ? {} : { freshnessSeconds }),
    fresh: freshnessSeconds !== undefined &&
      freshnessSeconds <= context.config.freshnessMinutesMax * 60,
    quarantined,
    quarantine,
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
  for (const { stage, problem } of status.stages) {
    if (problem !== undefined) lines.push(`${stage}: ${problem}`);
  }
  const seconds = status.freshnessSeconds;
  lines.push(
    seconds === undefined
      ? "freshness: unknown, nothing is loaded"
      : `freshness: ${duration(seconds)}${status.fresh ? "" : " - TOO OLD"}`,
  );
  lines.push(`quarantine: ${status.quarantined} rows`);
  for (const row of status.quarantine) {
    lines.push(`  ${row.table_name} ${row.row_key}: ${row.reason}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Runs `deno task status`; gives the exit code. */
export function main(args: readonly string[], world?: World): Promise<number> {
  return runCommand(
    {
      name: "status",
      usage: USAGE,
      needs: ["ingestion", "processed", "warehouse"],
      options: {},
      run: async (context, { write, flags }) => {
        const status = await readStatus(context);
        write(
          flags.json === true
            ? `${JSON.stringify(status)}\n`
            : formatStatus(status),
        );
        return status.fresh ? EXIT.ok : EXIT.failed;
      },
    },
    args,
    world,
  );
}

async function zoneStatus<M extends Manifest>(
  context: StageContext,
  options: {
    stage: M["stage"];
    zone: "ingestion" | "processed";
    files: (manifest: M) => DataFile[];
  },
): Promise<StageStatus> {
  const { stage, zone: name, files } = options;
  const zone = openStageZone(context, name);
  try {
    const newest = await new BatchLog<M>(zone, stage).newest();
    if (newest === undefined) return { stage };
    const { batch, snapshotTime, committedAt } = newest;
    const rows = files(newest).reduce((sum, file) => sum + file.rows, 0);
    return { stage, batch, snapshotTime, committedAt, rows };
  } catch (error) {
    return { stage, problem: messageOf(error) };
  } finally {
    zone.close();
  }
}

async function warehouseStatus(context: StageContext): Promise<
  Pick<Status, "freshnessSeconds" | "quarantined" | "quarantine"> & {
    stage: StageStatus;
  }
> {
  const unknown = { quarantined: 0, quarantine: [] };
  const stage = "load";
  const { warehouse } = context.config;
  if (warehouse === undefined) return { stage: { stage }, ...unknown };
  try {
    await using connection = await context.resources.connect(warehouse, {
      purpose: "status",
    });
    const { client } = connection;
    const [ledger] = await query(
      client,
      "select to_regclass('pipeline.batch') as name",
    );
    const [newest] = ledger?.name ? await query(client, statusSql) : [];
    if (newest === undefined) return { stage: { stage }, ...unknown };
    return {
      stage: {
        stage,
        batch: Number(newest.batch),
        snapshotTime: newest.snapshot_time ?? "",
        committedAt: newest.loaded_at ?? "",
        rows: Number(newest.rows),
      },
      freshnessSeconds: Number(newest.freshness_seconds),
      quarantined: Number(newest.quarantined),
      quarantine: await query(
        client,
        `select table_name, row_key, reason from quarantine_current
        order by table_name, row_key limit ${QUARANTINE_SHOWN}`,
      ),
    };
  } catch (error) {
    return { stage: { stage, problem: messageOf(error) }, ...unknown };
  }
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
