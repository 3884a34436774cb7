import type { StageResult } from "../stage.ts";
import type { Metric } from "./metrics.ts";

/** The clocks of two machines may differ by this much. */
const CLOCKS_DIFFER_SECONDS_MAX = 60;

/**
 * The age of a snapshot, at least 0. Undefined if its time is in the future:
 * then the clock that stamped it was wrong, and so is its age.
 */
export function ageSeconds(seconds: number): number | undefined {
  if (!(seconds >= -CLOCKS_DIFFER_SECONDS_MAX)) return undefined;
  return Math.max(0, seconds);
}

/** The metrics of a stage's run, for dashboards and alarms. */
export function stageMetrics(result: StageResult, now: Date): Metric[] {
  const { stage, batches, rows, bytes, snapshotTime, overtaken } = result;
  const metrics: Metric[] = [
    { name: "Batches", unit: "Count", value: batches.length },
    { name: "Rows", unit: "Count", value: rows },
    { name: "Bytes", unit: "Bytes", value: bytes },
    { name: "ChecksFailed", unit: "Count", value: 0 },
    { name: "Overtaken", unit: "Count", value: overtaken === true ? 1 : 0 },
  ];
  if (stage === "transform") {
    const value = result.quarantined ?? 0;
    metrics.push({ name: "QuarantinedRows", unit: "Count", value });
  }
  if (snapshotTime === undefined) return metrics;
  const lag = ageSeconds((now.getTime() - Date.parse(snapshotTime)) / 1000);
  // Without a known lag the metric is missing, which sets off an alarm.
  if (lag === undefined) return metrics;
  metrics.push({ name: "LagSeconds", unit: "Seconds", value: lag });
  if (stage === "load") {
    metrics.push({ name: "FreshnessSeconds", unit: "Seconds", value: lag });
  }
  return metrics;
}
