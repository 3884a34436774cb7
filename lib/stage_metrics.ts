import type { Metric } from "./metrics.ts";
import type { StageResult } from "./stage.ts";

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
  const lag = (now.getTime() - Date.parse(snapshotTime)) / 1000;
  metrics.push({ name: "LagSeconds", unit: "Seconds", value: lag });
  if (stage === "load") {
    metrics.push({ name: "FreshnessSeconds", unit: "Seconds", value: lag });
  }
  return metrics;
}
