import type { Logger } from "@logtape/logtape";
import type { Progress } from "../lib/cli/progress.ts";
import type { Display } from "./display.ts";
import type { DemoHints } from "./hints.ts";

/** What a display where nobody watches needs of the io. */
export interface EventDisplayOptions {
  write: (text: string) => void;
  log: Logger;
  progress: Progress;
  now: () => number;
  hints: () => DemoHints;
}

/**
 * Makes the demo's display where there is no terminal: lines of JSON. The
 * stages log what they do; this adds freshness, and once what to look at.
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
      // Not by the log, which would take the passwords out of the URLs.
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
