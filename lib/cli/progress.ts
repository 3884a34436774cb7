/** Receives how far a long task has come. */
export interface Progress {
  /** Names the task, and its size if known. */
  begin(what: string, total?: { rows: number }): void;
  add(done: { rows?: number; bytes?: number }): void;
  end(): void;
}

/** Where progress is shown. */
export interface ProgressOptions {
  /** Shows a line in place of the last; undefined without a terminal. */
  show: ((line: string) => void) | undefined;
  /** Reports the figures when there is no terminal. */
  report: (figures: ProgressFigures) => void;
  nowMs: () => number;
}

/** How far a task has come. */
export interface ProgressFigures {
  what: string;
  rows: number;
  bytes: number;
  secondsLeft?: number;
}

const SHOW_EVERY_MS = 200;
const REPORT_EVERY_MS = 10_000;

/** Progress that is not shown. */
export const SILENT: Progress = { begin() {}, add() {}, end() {} };

/** Shows progress in place on a terminal, or as an event every ten seconds. */
export function createProgress(options: ProgressOptions): Progress {
  let what = "";
  let total: number | undefined;
  let rows = 0;
  let bytes = 0;
  let startMs = 0;
  let lastMs = 0;

  function figures(): ProgressFigures {
    const elapsedMs = options.nowMs() - startMs;
    const left = total !== undefined && rows > 0 && rows < total
      ? { secondsLeft: Math.ceil(elapsedMs / rows * (total - rows) / 1000) }
      : {};
    return { what, rows, bytes, ...left };
  }
  return {
    begin(name, size) {
      what = name;
      total = size?.rows;
      rows = bytes = 0;
      startMs = lastMs = options.nowMs();
    },
    add(done) {
      rows += done.rows ?? 0;
      bytes += done.bytes ?? 0;
      const waitMs = options.show === undefined
        ? REPORT_EVERY_MS
        : SHOW_EVERY_MS;
      if (options.nowMs() - lastMs < waitMs) return;
      lastMs = options.nowMs();
      if (options.show === undefined) options.report(figures());
      else options.show(progressLine(figures(), total));
    },
    end() {
      options.show?.("");
    },
  };
}

/** The line shown on a terminal. */
function progressLine(
  figures: ProgressFigures,
  total: number | undefined,
): string {
  const share = total === undefined || total === 0
    ? ""
    : ` of about ${total.toLocaleString("en")}`;
  const left = figures.secondsLeft === undefined
    ? ""
    : `, ${figures.secondsLeft} s left`;
  return `${figures.what}: ${figures.rows.toLocaleString("en")}${share} rows, ${
    formatBytes(figures.bytes)
  }${left}`;
}

/** Bytes for people: `12.3 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
