import {
  createProgress,
  formatBytes,
  type Progress,
} from "../lib/cli/progress.ts";
import type { StageResult } from "../lib/stage.ts";
import type { TrafficEvent } from "./traffic.ts";

/** What the demo shows while it runs. */
export interface Display {
  /** Receives how far the running stage has come. */
  progress: Progress;
  /** Takes the result of a stage's run. */
  stage(result: StageResult, ms: number): void;
  traffic(event: TrafficEvent): void;
  /** Takes a warning or an error of the pipeline. */
  notice(line: string): void;
  /** Redraws as much as fits on the terminal. */
  draw(): void;
  /** Draws all of it, for the last time. */
  end(): void;
}

/** Where and how a display draws. */
export interface DisplayOptions {
  write: (text: string) => void;
  color: boolean;
  /** The terminal's size in characters; zeros if the terminal doesn't know. */
  size: () => TerminalSize;
  now: () => number;
  /** What to look at, shown once there are batches. */
  hints: () => string;
}

interface TerminalSize {
  columns: number;
  rows: number;
}

interface StageLine {
  batch: number;
  rows: number;
  bytes: number;
  ms: number;
  totalRows: number;
  snapshotTime?: string;
}

const NOTICES_SHOWN = 4;
const USUAL_SIZE: TerminalSize = { columns: 80, rows: 24 };
const CUT_OFF = "  (more in a taller window, and at the end)";
const STAGES = ["extract", "transform", "load"] as const;

/** Makes the demo's display on a terminal: a table, drawn in place. */
export function createDisplay(options: DisplayOptions): Display {
  const { write, now } = options;
  const stages = new Map<string, StageLine>();
  const counts = new Map<string, number>();
  const notices: string[] = [];
  let drawn: string[] = [];
  let working = "";
  const lines = () => linesOf({ stages, counts, notices, working }, options);
  function redraw(text: string[]): void {
    const { columns } = sizeOf(options);
    // Lines drawn before wrap differently if the terminal's width has changed.
    const up = drawn.reduce((sum, line) => sum + rowsOf(line, columns), 0);
    write(`${up === 0 ? "" : `\x1b[${up}A`}\x1b[J${text.join("\n")}\n`);
    drawn = text;
  }
  const draw = () => redraw(fitted(lines(), sizeOf(options)));
  const progress = createProgress({
    show: (line) => working = line,
    report: () => {},
    nowMs: now,
  });
  return {
    progress: {
      ...progress,
      begin(what, total) {
        progress.begin(what, total);
        working = what;
        draw();
      },
    },
    stage(result, ms) {
      const before = stages.get(result.stage);
      const time = result.snapshotTime ?? before?.snapshotTime;
      stages.set(result.stage, {
        batch: result.batches.at(-1) ?? before?.batch ?? 0,
        rows: result.rows,
        bytes: result.bytes,
        ms,
        totalRows: (before?.totalRows ?? 0) + result.rows,
        ...(time === undefined ? {} : { snapshotTime: time }),
      });
    },
    traffic(event) {
      counts.set(event.kind, (counts.get(event.kind) ?? 0) + event.count);
    },
    notice(line) {
      notices.push(line);
      if (notices.length > NOTICES_SHOWN) notices.shift();
    },
    draw,
    end: () => redraw(lines()),
  };
}

/** What has happened so far. */
interface Shown {
  stages: ReadonlyMap<string, StageLine>;
  /** How often the traffic did each thing. */
  counts: ReadonlyMap<string, number>;
  notices: readonly string[];
  working: string;
}

function linesOf(shown: Shown, options: DisplayOptions): string[] {
  const { stages, counts, notices, working } = shown;
  const paint = (code: number, text: string) =>
    options.color ? `\x1b[${code}m${text}\x1b[0m` : text;
  const table = STAGES.map((name) => {
    const line = stages.get(name);
    if (line === undefined) return `  ${name.padEnd(9)}  waiting`;
    const { batch, rows, bytes, ms, totalRows } = line;
    return [
      `  ${paint(36, name.padEnd(9))}`,
      `batch ${String(batch).padStart(4)}`,
      `${rows.toLocaleString("en").padStart(7)} rows`,
      formatBytes(bytes).padStart(8),
      `${Math.round(ms).toLocaleString("en").padStart(6)} ms`,
      `${totalRows.toLocaleString("en").padStart(9)} in all`,
    ].join("  ");
  });
  const traffic = [...counts].map(([kind, count]) =>
    `${count.toLocaleString("en")} ${kind}`
  ).join(", ");
  return [
    ...table,
    `  at work    ${working || "waiting for the next run"}`,
    `  ${paint(32, freshnessOf(stages.get("load"), options.now()))}`,
    `  traffic: ${traffic || "starting"}`,
    ...notices.map((line) => `  ${paint(33, line)}`),
    "  Ctrl-C stops; the next demo goes on from here.",
    ...(stages.has("load") ? ["", ...options.hints().split("\n")] : []),
  ];
}

function freshnessOf(load: StageLine | undefined, now: number): string {
  if (load?.snapshotTime === undefined) return "nothing loaded yet";
  const seconds = Math.max(0, (now - Date.parse(load.snapshotTime)) / 1000);
  return `the warehouse is ${seconds.toFixed(1)} s behind the source`;
}

/** The terminal's size; serial lines and some containers report 0 by 0. */
function sizeOf(options: DisplayOptions): TerminalSize {
  const { columns, rows } = options.size();
  return columns > 0 && rows > 0 ? { columns, rows } : USUAL_SIZE;
}

/**
 * The lines that fit on a terminal: lines that have scrolled away can't be
 * redrawn.
 */
function fitted(
  lines: string[],
  { columns, rows }: TerminalSize,
): string[] {
  const heights = lines.map((line) => rowsOf(line, columns));
  const room = rows - 1;
  if (heights.reduce((sum, height) => sum + height, 0) <= room) return lines;
  let used = rowsOf(CUT_OFF, columns);
  const fit = lines.findIndex((_, index) =>
    (used += heights[index] ?? 0) > room
  );
  return [...lines.slice(0, fit), CUT_OFF];
}

/** How many of the terminal's rows a line takes. */
function rowsOf(line: string, columns: number): number {
  // deno-lint-ignore no-control-regex
  const visible = line.replace(/\x1b\[\d+m/g, "").length;
  return Math.max(1, Math.ceil(visible / columns));
}
