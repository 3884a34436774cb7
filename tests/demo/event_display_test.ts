import assert from "node:assert/strict";
import { createEventDisplay } from "../../demo/event_display.ts";
import { TOTESYS } from "../../demo/examples.ts";
import { demoHints } from "../../demo/hints.ts";
import { SILENT } from "../../lib/cli/progress.ts";
import { openLog } from "../../lib/log.ts";
import type { StageResult } from "../../lib/stage.ts";

const AT = "2024-05-01T12:00:00.000000Z";
const LOADED: StageResult = {
  stage: "load",
  batches: [3],
  rows: 1234,
  bytes: 56_789,
  snapshotTime: AT,
};
const PLACES = {
  sourceUrl: "postgres://postgres:pw@127.0.0.1:1/totesys",
  warehouseUrl: "postgres://postgres:pw@127.0.0.1:1/warehouse",
  dashboardUrl: "http://127.0.0.1:1/",
  lake: "/tmp/lake",
  s3: undefined,
  batch: 3,
  fact: TOTESYS.fact,
};

Deno.test("createEventDisplay() reports freshness as JSON, and once the addresses to open", async () => {
  let text = "";
  const write = (piece: string) => void (text += piece);
  const log = await openLog({
    json: true,
    color: false,
    write: (line) => write(`${line}\n`),
  });
  const display = createEventDisplay({
    write,
    log: log.getChild("demo"),
    progress: SILENT,
    now: () => Date.parse(AT) + 2500,
    hints: () => demoHints(PLACES),
  });

  display.stage({ ...LOADED, stage: "extract" }, 12);
  display.stage(LOADED, 34);
  display.traffic({ kind: "insert", table: "t", count: 1 });
  display.notice("a warning that the stage has logged itself");
  display.draw();
  display.stage(LOADED, 34);
  display.end();

  const events = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(
    events.map(({ stage, message }) => `${stage}: ${message}`),
    [
      "demo: the warehouse is 2.5 s behind the source",
      "demo: what to look at",
      "demo: the warehouse is 2.5 s behind the source",
    ],
  );
  const { sourceUrl, queries } = events[1];
  assert.equal(sourceUrl, PLACES.sourceUrl);
  assert.match(queries.now, /^select/);
});
