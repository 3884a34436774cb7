import assert from "node:assert/strict";
import { openLog } from "../../lib/log.ts";

Deno.test("openLog() writes one JSON object for each event, secrets out", async () => {
  const lines: string[] = [];
  const log = await openLog({
    json: true,
    color: false,
    write: (line) => lines.push(line),
  });

  log.getChild("load").warn("at {url}", { url: "postgres://u:pw@h/d", n: 1 });

  const { time, ...event } = JSON.parse(lines[0] ?? "");
  assert.match(time, /^\d{4}-.*Z$/);
  assert.deepEqual(event, {
    level: "warning",
    stage: "load",
    message: "at postgres://u:***@h/d",
    url: "postgres://u:***@h/d",
    n: 1,
  });
});

Deno.test("openLog() writes lines for people, with colours or without", async () => {
  for (const color of [true, false]) {
    const lines: string[] = [];
    const log = await openLog({
      json: false,
      color,
      write: (line) => lines.push(line),
    });

    log.getChild("extract").info("batch {batch}", { batch: 7 });
    log.getChild("extract").error("broken");

    assert.match(lines[0] ?? "", /\d\d:\d\d:\d\d.* extract {3}.*batch 7$/);
    assert.match(lines[1] ?? "", /error: broken/);
    // deno-lint-ignore no-control-regex
    assert.equal(/\x1b/.test(lines.join("")), color);
  }
});

Deno.test("openLog() masks nothing that spans two fields", async () => {
  const lines: string[] = [];
  const log = await openLog({
    json: true,
    color: false,
    write: (line) => lines.push(line),
  });

  log.info("up", { url: "http://127.0.0.1:9000", user: "me@example.org" });

  const { url, user } = JSON.parse(lines[0] ?? "");
  assert.equal(url, "http://127.0.0.1:9000");
  assert.equal(user, "me@example.org");
});

Deno.test("openLog() names the stage, or else the command", async () => {
  const lines: string[] = [];
  const log = (await openLog({
    json: true,
    color: false,
    write: (line) => lines.push(line),
  })).getChild("run");

  log.info("stopped");
  log.getChild("extract").info("done");

  const stages = lines.map((line) => JSON.parse(line).stage);
  assert.deepEqual(stages, ["run", "extract"]);
});
