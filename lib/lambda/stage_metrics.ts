import type { StageResult } from "../stage.ts";
import type { Metric } from "./metrics.ts";

/** Clocks of two machines differ by a little. */
const CLOCKS_DIFFER_SECONDS_MAX = 60;

/**
 * How old a snapshot is, of which a clock says so. Undefined when its time is
 * in the future: then the clock that gave it was wrong, and so is its age.
 */
export function ageSeconds(seconds: number): number | undefined {
  if (!(seconds >= -CLOCKS_DIFFER_SECONDS_MAX)) return undefined;
  return Math.max(0, seconds);
}

/** What the dashboards and alarms know of a stage's run. */
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
  // Where there is no lag to be told, an alarm rings since none is.
  if (lag === undefined) return metrics;
  metrics.push({ name: "LagSeconds", unit: "Seconds", value: lag });
  if (stage === "load") {
    metrics.push({ name: "FreshnessSeconds", unit: "Seconds", value: lag });
  }
  return metrics;
}
