import { StageError } from "../lib/errors.ts";
import type { StageContext } from "../lib/stage.ts";
import type { Zone } from "../lib/zone/zone.ts";
import type { Snapshot } from "./snapshot.ts";

const MS_PER_MINUTE = 60_000;

/**
 * Compares the source's clock, which stamps batches, with this machine's and,
 * if they are far apart, with the store's. Throws a `StageError` if the
 * source's clock is wrong; warns if another one is, or if the lake is ahead of
 * the source's clock.
 */
export async function checkClock(
  snapshot: Pick<Snapshot, "clockTime">,
  options: {
    context: Pick<StageContext, "config" | "log" | "clock">;
    zone: Pick<Zone, "now">;
    /** The newest batch and its snapshot time. */
    previous?: { batch: number; snapshotTime: string } | undefined;
  },
): Promise<void> {
  const { context, zone, previous } = options;
  const { config, log } = context;
  const maxMs = config.sourceClockSkewMinutesMax * MS_PER_MINUTE;
  if (maxMs === 0) return;
  const source = Date.parse(snapshot.clockTime);
  const machine = context.clock().getTime();
  if (Math.abs(source - machine) > maxMs) {
    const store = (await zone.now()).getTime();
    const clocks = {
      source: timeOf(source),
      machine: timeOf(machine),
      store: timeOf(store),
    };
    if (Math.abs(source - store) > maxMs) throw clockError(clocks);
    log.warn(
      "this machine's clock is wrong: it shows {machine}, the source's {source}, the store's {store}. Set it by NTP",
      clocks,
    );
  }
  if (previous === undefined) return;
  const aheadMs = Date.parse(previous.snapshotTime) - source;
  if (aheadMs <= maxMs) return;
  log.warn(
    "batch {batch} is stamped {time}, {minutes} minutes ahead of the source's clock: until the clock reaches it, batches are stamped with that time, and freshness and times in history are unknown. Wait, or start a new lake in empty places",
    {
      batch: previous.batch,
      time: previous.snapshotTime,
      minutes: Math.round(aheadMs / MS_PER_MINUTE),
    },
  );
}

function clockError(
  { source, machine, store }: Record<"source" | "machine" | "store", string>,
): StageError {
  return new StageError(
    `Cannot trust the source's clock: it shows ${source}, this machine's ${machine}, the store's ${store}`,
    {
      subject: "source",
      retryable: true,
      hint:
        "Set the source's clock by NTP, or raise SOURCE_CLOCK_SKEW_MINUTES_MAX to allow for the skew; history is stamped by this clock",
    },
  );
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
