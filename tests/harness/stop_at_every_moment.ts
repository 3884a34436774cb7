import type { Platform } from "./platform.ts";

/** More moments than any stage has. */
const MOMENTS_MAX = 200;

/**
 * Runs a stage again and again, each time asked to stop at a later moment of
 * its work (whenever it tells of progress or reads the clock), until it ends
 * undisturbed. Gives how often it was stopped.
 */
export async function stopAtEveryMoment(
  platform: Platform,
  options: { run: () => Promise<unknown>; afterStop: () => Promise<void> },
): Promise<number> {
  const { context } = platform;
  const { signal, progress, clock } = context;
  for (let moment = 1; moment <= MOMENTS_MAX; moment++) {
    const stopping = new AbortController();
    let left = moment;
    const pass = () => {
      if (--left === 0) stopping.abort(new DOMException("stop", "AbortError"));
    };
    context.signal = stopping.signal;
    context.progress = { begin: pass, add: pass, end: pass };
    context.clock = () => {
      pass();
      return clock();
    };
    const stopped = await options.run().then(() => false, () => true);
    Object.assign(context, { signal, progress, clock });
    if (!stopped) return moment - 1;
    await options.afterStop();
  }
  throw new Error(`still stopped at moment ${MOMENTS_MAX}`);
}
