import assert from "node:assert/strict";
import { createDisplay, type DisplayOptions } from "../../demo/display.ts";
import type { StageResult } from "../../lib/stage.ts";

const AT = "2024-05-01T12:00:00.000000Z";
const LOADED: StageResult = {
  stage: "load",
  batches: [3],
  rows: 1234,
  bytes: 56_789,
  snapshotTime: AT,
};

function open(options: Partial<DisplayOptions> = {}) {
  const written: string[] = [];
  const display = createDisplay({
    write: (text) => written.push(text),
    color: false,
    size: () => ({ columns: 80, rows: 50 }),
    now: () => Date.parse(AT) + 2500,
    hints: () => "  look here\n  and there",
    ...options,
  });
  return { display, written, text: () => written.join("") };
}

/** What a terminal shows after all that was written to it. */
function screenOf(written: readonly string[], columns: number): string[] {
  const rows: string[] = [""];
  let at = 0;
  for (const text of written) {
    // deno-lint-ignore no-control-regex
    for (const part of text.split(/(\x1b\[\d*[A-Za-z]|\n)/)) {
      // deno-lint-ignore no-control-regex
      const [, count = "", code] = /^\x1b\[(\d*)([A-Za-z])$/.exec(part) ?? [];
      if (part === "\n") rows[++at] ??= "";
      else if (code === "A") at -= Number(count || 1);
      else if (code === "J") rows.splice(at, Infinity, "");
      else if (code !== "m") {
        for (const character of part) {
          if (rows[at]?.length === columns) rows[++at] ??= "";
          rows[at] += character;
        }
      }
      assert(at >= 0, "the cursor left the screen");
    }
  }
  return rows.slice(0, -1);
}

Deno.test("createDisplay() replaces the table that it drew before", () => {
  const { display, written } = open({
    size: () => ({ columns: 200, rows: 50 }),
  });
  display.draw();
  assert.match(screenOf(written, 200).join("\n"), /extract +waiting\n/);
  assert.match(screenOf(written, 200).join("\n"), /nothing loaded yet/);

  display.stage({ ...LOADED, stage: "extract" }, 12);
  display.stage(LOADED, 34);
  display.stage({ ...LOADED, batches: [4], rows: 1 }, 35);
  display.traffic({ kind: "insert", table: "t", count: 1500 });
  display.traffic({ kind: "insert", table: "u", count: 1 });
  display.traffic({ kind: "rollback", table: "t", count: 2 });
  for (let times = 0; times < 3; times++) display.draw();

  const screen = screenOf(written, 200);
  assert.deepEqual(screen.filter((line) => /^ {2}(load|extract)/.test(line)), [
    "  extract    batch    3    1,234 rows   56.8 kB      12 ms      1,234 in all",
    "  load       batch    4        1 rows   56.8 kB      35 ms      1,235 in all",
  ]);
  assert(screen.includes("  transform  waiting"));
  assert(screen.includes("  the warehouse is 2.5 s behind the source"));
  assert(screen.some((line) => /1,501 insert.*, 2 roll/.test(line)));
  assert.equal(screen.filter((line) => line === "  look here").length, 1);
});

Deno.test("createDisplay() replaces its table also when lines wrap", () => {
  for (const columns of [30, 58, 80]) {
    const { display, written } = open({
      color: true,
      size: () => ({ columns, rows: 50 }),
      hints: () => `  ${"h".repeat(columns - 2)}\n  ${"i".repeat(columns)}`,
    });
    display.stage(LOADED, 34);
    display.notice("a warning ".repeat(12));
    display.draw();
    const once = screenOf(written, columns);
    for (let times = 0; times < 4; times++) display.draw();

    assert.deepEqual(screenOf(written, columns), once, `${columns} columns`);
  }
});

Deno.test("createDisplay() shows the newest notices, in colour if colours are allowed", () => {
  const plain = open({ size: () => ({ columns: 200, rows: 50 }) });
  const painted = open({
    color: true,
    size: () => ({ columns: 200, rows: 50 }),
  });
  for (const { display } of [plain, painted]) {
    display.stage(LOADED, 1);
    for (let number = 1; number <= 9; number++) {
      display.notice(`notice ${number}`);
    }
    display.draw();
  }

  const screen = screenOf(plain.written, 200);
  assert.deepEqual(
    screen.filter((line) => line.includes("notice")),
    [6, 7, 8, 9].map((number) => `  notice ${number}`),
  );
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(plain.text(), /\x1b\[\d+m/);
  // deno-lint-ignore no-control-regex
  assert.match(painted.text(), /\x1b\[36mload {5}\x1b\[0m/);
});

Deno.test("createDisplay() still shows a stage's last batch after a run with nothing to do", () => {
  const { display, written } = open({
    size: () => ({ columns: 200, rows: 50 }),
  });
  display.stage(LOADED, 1);

  display.stage({ stage: "load", batches: [], rows: 0, bytes: 0 }, 2);
  display.draw();

  const screen = screenOf(written, 200).join("\n");
  assert.match(screen, /load +batch +3 +0 rows/);
  assert.match(screen, /2\.5 s behind/);
});

Deno.test("createDisplay() draws no more than the terminal has room for", () => {
  const size = { columns: 60, rows: 12 };
  const { display, written } = open({
    size: () => size,
    hints: () => Array.from({ length: 20 }, (_, n) => `  hint ${n}`).join("\n"),
  });
  display.stage(LOADED, 34);
  display.notice("a warning that is as long as two rows of it, or even more");
  for (let times = 0; times < 3; times++) display.draw();

  const screen = screenOf(written, size.columns);
  assert(screen.length < size.rows, screen.join("\n"));
  assert.match(screen.join("\n"), /Ctrl-C stops/);
  assert.match(screen.at(-1) ?? "", /more in a taller window/);

  display.end();
  const last = screenOf(written, size.columns);
  assert.equal(last.at(-1), "  hint 19");
  assert.equal(last.filter((line) => /^ {2}load/.test(line)).length, 1);
});

Deno.test("createDisplay() replaces its table after the terminal has become narrower", () => {
  let columns = 100;
  const { display, written } = open({
    size: () => ({ columns, rows: 60 }),
  });
  display.stage(LOADED, 34);
  display.draw();
  columns = 40;
  // The terminal wraps what it shows: as if it had been written so.
  display.draw();

  const screen = screenOf(written, columns);
  assert.equal(screen.filter((line) => /^ {2}load/.test(line)).length, 1);
});

Deno.test("createDisplay() draws a stage in 80 columns, up to millions of rows", () => {
  const { display, written } = open();
  const many = { ...LOADED, rows: 1_234_567, bytes: 987_654_321 };
  display.stage({ ...many, stage: "transform", batches: [9999] }, 123_456);
  display.draw();

  const screen = screenOf(written, 200);
  const line = screen.find((text) => text.startsWith("  transform"));
  assert((line?.length ?? 0) <= 80, line ?? "");
});

Deno.test("createDisplay() shows the progress of a stage that is running", () => {
  let nowMs = Date.parse(AT);
  const { display, written } = open({ now: () => nowMs });
  const atWork = () =>
    screenOf(written, 80).find((line) => line.startsWith("  at work"));

  display.draw();
  assert.match(atWork() ?? "", /waiting for the next run/);
  display.progress.begin("extract 1", { rows: 40_000 });
  assert.equal(atWork(), "  at work    extract 1");
  nowMs += 1000;
  display.progress.add({ rows: 10_000, bytes: 2_000_000 });
  display.draw();
  assert.equal(
    atWork(),
    "  at work    extract 1: 10,000 of about 40,000 rows, 2.0 MB, 3 s left",
  );
  display.progress.end();
  display.draw();
  assert.match(atWork() ?? "", /waiting for the next run/);
});

Deno.test("createDisplay() draws on a terminal without a known size", () => {
  const { display, written } = open({ size: () => ({ columns: 0, rows: 0 }) });
  display.stage(LOADED, 34);
  for (let times = 0; times < 2; times++) display.draw();

  const screen = screenOf(written, 80);
  assert.equal(screen.filter((line) => /^ {2}load/.test(line)).length, 1);
});
