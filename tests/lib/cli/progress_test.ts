import assert from "node:assert/strict";
import {
  createProgress,
  formatBytes,
  type ProgressFigures,
  SILENT,
} from "../../../lib/cli/progress.ts";

Deno.test("progress shows rows, bytes and the time left on a terminal", () => {
  const shown: string[] = [];
  let nowMs = 0;
  const progress = createProgress({
    show: (line) => shown.push(line),
    report: () => assert.fail("reported"),
    nowMs: () => nowMs,
  });

  progress.begin("extract 1", { rows: 4000 });
  progress.add({ rows: 500, bytes: 100 });
  nowMs = 1000;
  progress.add({ rows: 500, bytes: 1_500_000 });
  progress.end();

  assert.deepEqual(shown, [
    "extract 1: 1,000 of about 4,000 rows, 1.5 MB, 3 s left",
    "",
  ]);
});

Deno.test("progress is reported every ten seconds without a terminal", () => {
  const reported: ProgressFigures[] = [];
  let nowMs = 0;
  const progress = createProgress({
    show: undefined,
    report: (figures) => reported.push(figures),
    nowMs: () => nowMs,
  });

  progress.begin("load 2");
  for (nowMs = 1000; nowMs <= 25_000; nowMs += 1000) progress.add({ rows: 1 });
  progress.end();
  SILENT.begin("nothing");
  SILENT.add({ rows: 1 });
  SILENT.end();

  assert.deepEqual(reported, [
    { what: "load 2", rows: 10, bytes: 0 },
    { what: "load 2", rows: 20, bytes: 0 },
  ]);
});

Deno.test("formatBytes() chooses the unit", () => {
  assert.deepEqual([999, 1500, 2_340_000].map(formatBytes), [
    "999 B",
    "1.5 kB",
    "2.3 MB",
  ]);
});
