import { counted } from "../lib/counted.ts";
import type { StageStatus, Status } from "./stage_status.ts";

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
  lines.push(...status.stages.flatMap(pendingLines));
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
      : `${
        counted(differences, "differences").toUpperCase()
      }: run ./totesys verify`;
    lines.push(`verified: batch ${batch}, ${shortTime(verifiedAt)}, ${found}`);
  }
  if (status.verificationProblem !== undefined) {
    lines.push(`verified: ${status.verificationProblem}`);
  }
  lines.push(`quarantine: ${counted(status.quarantined, "rows")}`);
  for (const row of status.quarantine) {
    lines.push(`  ${row.table_name} ${row.row_key}: ${row.reason}`);
  }
  const others = status.quarantined - status.quarantine.length;
  if (others > 0) {
    lines.push(`  and ${others} more, in the warehouse's quarantine_current`);
  }
  return `${lines.join("\n")}\n`;
}

/** The batches pending for a stage, and why. */
function pendingLines({ stage, pending = 0, failure }: StageStatus): string[] {
  if (failure !== undefined) {
    const { batch, since, message, hint } = failure;
    return [
      `${stage}: failing at batch ${batch} since ${
        shortTime(since)
      }: ${message}`,
      ...(hint === undefined ? [] : [`  -> ${hint}`]),
    ];
  }
  if (pending === 0) return [];
  return [
    `${stage} is ${counted(pending, "batches")} behind`,
  ];
}

/** A time of day to the second, for people. */
export function shortTime(time: string | undefined): string {
  return time === undefined ? "-" : time.slice(0, 19).replace("T", " ");
}

/** A number of seconds in its largest fitting unit, for people. */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}
