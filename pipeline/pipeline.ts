import { setTimeout as sleep } from "node:timers/promises";
import { extract } from "../extract/extract.ts";
import { forStage } from "../lib/command.ts";
import { ConfigError, messageOf, StageError } from "../lib/errors.ts";
import type { StageContext, StageResult } from "../lib/stage.ts";
import { load } from "../load/load.ts";
import { transform } from "../transform/transform.ts";

const STAGES = { extract, transform, load };
const STAGE_NAMES = ["extract", "transform", "load"] as const;

/** Runs the three stages once; the first that fails ends it. */
export async function runOnce(context: StageContext): Promise<StageResult[]> {
  const results: StageResult[] = [];
  for (const name of STAGE_NAMES) {
    results.push(await STAGES[name](forStage(context, name)));
  }
  return results;
}

/** How the stages are run again and again. */
export interface RunForeverOptions {
  everyMs: number;
  /** Told of what each stage did, with how long it took. */
  onResult?: (result: StageResult, ms: number) => void;
}

/**
 * Runs the three stages at every tick, one after another, until the signal is
 * aborted. A stage that fails is reported and tried again at the next tick,
 * while the others go on: they work from logs. A tick that is missed because
 * the one before took long is left out. A `ConfigError` ends it.
 */
export async function runForever(
  context: StageContext,
  options: RunForeverOptions,
): Promise<void> {
  const { everyMs, onResult } = options;
  const { signal } = context;
  const start = performance.now();
  while (!signal.aborted) {
    for (const name of STAGE_NAMES) {
      if (signal.aborted) break;
      const stage = forStage(context, name);
      const began = performance.now();
      try {
        const result = await STAGES[name](stage);
        onResult?.(result, performance.now() - began);
      } catch (error) {
        if (error instanceof ConfigError) throw error;
        if (signal.aborted) break;
        stage.log.error("{message}", {
          message: messageOf(error),
          ...(error instanceof StageError
            ? { subject: error.subject, hint: error.hint }
            : {}),
        });
      }
    }
    const waitMs = everyMs - (performance.now() - start) % everyMs;
    await sleep(waitMs, undefined, { signal }).catch(() => {});
  }
}

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of `10s`, `15m` or `1h`; throws a `ConfigError` otherwise. */
export function parseInterval(text: string): number {
  const [, amount, unit = ""] = /^(\d+)([smh])$/.exec(text) ?? [];
  const ms = Number(amount) * (UNITS[unit] ?? Number.NaN);
  if (ms > 0) return ms;
  throw new ConfigError([
    `--every is "${text}": an interval such as 10s, 15m or 1h is expected`,
  ]);
}
