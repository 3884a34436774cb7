import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { SILENT } from "../../lib/cli/progress.ts";
import { readConfig } from "../../lib/settings/config.ts";
import {
  createRunId,
  openStageZone,
  RESOURCES,
  type StageContext,
  startRun,
} from "../../lib/stage.ts";
import { PROJECT_SQL } from "../harness/platform.ts";

const START = Date.parse("2026-03-01T08:00:00Z");
const HOUR_MS = 3_600_000;

Deno.test("startRun() lets a run commit for 12 hours by the clock", () => {
  let now = START;
  const run = startRun(contextAt(() => now));

  const answers = [0, 12 * HOUR_MS, 12 * HOUR_MS + 1].map((passedMs) => {
    now = START + passedMs;
    return run.isExpired();
  });

  assert.equal(run.runId, "run");
  assert.deepEqual(answers, [false, false, true]);
});

Deno.test("startRun() counts elapsed time when the clock was set back", () => {
  const { now } = performance;
  let tick = 0;
  performance.now = () => tick;
  try {
    const run = startRun(contextAt(() => START));

    tick = 12 * HOUR_MS;
    assert.equal(run.isExpired(), false);
    tick += 1;
    assert.equal(run.isExpired(), true);
  } finally {
    performance.now = now;
  }
});

Deno.test("createRunId() contains the start time, and is unique", () => {
  const now = new Date("2026-03-01T08:09:10.123Z");

  const [first = "", second = ""] = [createRunId(now), createRunId(now)];

  assert.match(first, /^20260301T080910Z-[0-9a-f]{8}$/);
  assert.notEqual(first, second);
});

Deno.test("openStageZone() opens the requested zone", () => {
  const context = contextAt(() => START);

  assert.equal(openStageZone(context, "ingestion").url, "/zones/ingestion");
  assert.equal(openStageZone(context, "processed").url, "/zones/processed");
});

function contextAt(nowMs: () => number): StageContext {
  const env: Record<string, string> = {
    INGESTION_URL: "/zones/ingestion",
    PROCESSED_URL: "/zones/processed",
  };
  return {
    config: readConfig((name) => env[name], ["ingestion", "processed"]),
    resources: RESOURCES,
    sql: PROJECT_SQL,
    log: getLogger("totesys"),
    progress: SILENT,
    clock: () => new Date(nowMs()),
    newRunId: () => "run",
    signal: new AbortController().signal,
  };
}
