import assert from "node:assert/strict";
import { stageMetrics } from "../../../lib/lambda/stage_metrics.ts";

const NOW = new Date("2026-01-01T00:10:00Z");

function valuesOf(result: Parameters<typeof stageMetrics>[0]) {
  return Object.fromEntries(
    stageMetrics(result, NOW).map(({ name, value }) => [name, value]),
  );
}

Deno.test("stageMetrics() reports how far a stage is behind the source", () => {
  const snapshotTime = "2026-01-01T00:05:00.000000Z";
  const result = { batches: [3, 4], rows: 5, bytes: 6, snapshotTime };

  const transform = valuesOf({ stage: "transform", ...result });
  const load = valuesOf({ stage: "load", ...result });

  assert.deepEqual(transform, {
    Batches: 2,
    Rows: 5,
    Bytes: 6,
    ChecksFailed: 0,
    Overtaken: 0,
    QuarantinedRows: 0,
    LagSeconds: 300,
  });
  assert.equal(load.FreshnessSeconds, 300);
});

Deno.test("stageMetrics() reports no lag for a snapshot of the future", () => {
  const lagAt = (snapshotTime: string) =>
    valuesOf({ stage: "load", batches: [3], rows: 5, bytes: 6, snapshotTime });

  const wrong = lagAt("2026-01-03T00:00:00.000000Z");
  const near = lagAt("2026-01-01T00:10:59.000000Z");

  assert.equal("LagSeconds" in wrong, false);
  assert.equal("FreshnessSeconds" in wrong, false);
  assert.equal(near.FreshnessSeconds, 0);
});

Deno.test("stageMetrics() reports the rows in quarantine", () => {
  const result = { batches: [3], rows: 5, bytes: 6, quarantined: 2 };

  assert.equal(valuesOf({ stage: "transform", ...result }).QuarantinedRows, 2);
  assert.equal(
    "QuarantinedRows" in valuesOf({ stage: "load", ...result }),
    false,
  );
});

Deno.test("stageMetrics() reports no lag before the first batch", () => {
  const none = { batches: [], rows: 0, bytes: 0 };

  const overtaken = valuesOf({ stage: "load", ...none, overtaken: true });

  assert.equal(overtaken.Overtaken, 1);
  assert.equal("LagSeconds" in overtaken, false);
});
