import type { Logger } from "@logtape/logtape";
import type { Progress } from "../lib/cli/progress.ts";
import type { Display } from "./display.ts";
import type { DemoHints } from "./hints.ts";

/** Where a display without a terminal writes. */
export interface EventDisplayOptions {
  write: (text: string) => void;
  log: Logger;
  progress: Progress;
  now: () => number;
  hints: () => DemoHints;
}

/**
 * Makes the demo's display without a terminal: lines of JSON. The stages log
 * what they do; this adds freshness and, once, the hints.
 */
export function createEventDisplay(options: EventDisplayOptions): Display {
  const { write, log, progress, now, hints } = options;
  let hinted = false;
  return {
    progress,
    stage({ stage, snapshotTime }) {
      if (stage !== "load" || snapshotTime === undefined) return;
      const ms = Math.max(0, now() - Date.parse(snapshotTime));
      log.info("the warehouse is {freshnessSeconds} s behind the source", {
        freshnessSeconds: ms / 1000,
      });
      if (hinted) return;
      hinted = true;
      // Not through the log, which would remove the passwords from the URLs.
      write(`${
        JSON.stringify({
          time: new Date(now()).toISOString(),
          level: "info",
          stage: "demo",
          message: "what to look at",
          ...hints(),
        })
      }\n`);
    },
    traffic() {},
    notice() {},
    draw() {},
    end() {},
  };
}
