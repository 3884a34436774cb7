import { setTimeout as sleep } from "node:timers/promises";
import { extract } from "../extract/extract.ts";
import { runStage } from "../lib/cli/run_stage.ts";
import { ConfigError, messageOf, StageError } from "../lib/errors.ts";
import type { StageContext, StageResult } from "../lib/stage.ts";
import { forStage } from "../lib/stage_context.ts";
import { load } from "../load/load.ts";
import { transform } from "../transform/transform.ts";
import { isVerificationDue } from "../verify/verification.ts";

const STAGE_NAMES = ["extract", "transform", "load"] as const;
/** A verification that could not be done is retried after this long. */
const VERIFY_RETRY_MS = 3_600_000;

/** The options of a process's runs. */
export interface RunOptions {
  /** Goes on with the `sql/` that it started with, whatever that takes away. */
  accept?: boolean;
}

/** The stages by their names, with these options. */
function stagesOf({ accept = false }: RunOptions) {
  return {
    extract,
    transform: (stage: StageContext) => transform(stage, { accept }),
    load: (stage: StageContext) => load(stage, { accept }),
  };
}

/** Runs the three stages once; the first that fails ends it. */
export async function runOnce(
  context: StageContext,
  options: RunOptions = {},
): Promise<StageResult[]> {
  const stages = stagesOf(options);
  const results: StageResult[] = [];
  for (const name of STAGE_NAMES) {
    results.push(await runStage(context, name, stages[name]));
  }
  return results;
}

/** How the stages are run repeatedly. */
export interface RunForeverOptions extends RunOptions {
  everyMs: number;
  /** Called with each stage's result, and how long it took. */
  onResult?: (result: StageResult, ms: number) => void;
}

/**
 * Runs the three stages at every tick, one after another, until the signal is
 * aborted. A stage that fails is reported and tried again at the next tick,
 * while the others go on: they work from logs. Runs that take longer than the
 * interval follow one another at once, and ticks are counted from the last of
 * them. A `ConfigError` ends it.
 *
 * Loaded batches are verified as often as `VERIFY_EVERY_HOURS` says.
 */
export async function runForever(
  context: StageContext,
  options: RunForeverOptions,
): Promise<void> {
  const { everyMs, onResult } = options;
  const stages = stagesOf(options);
  const { signal } = context;
  let tick = performance.now();
  let failedAt: number | undefined;
  while (!signal.aborted) {
    let loaded = false;
    for (const name of STAGE_NAMES) {
      const began = performance.now();
      const result = await attempt(context, {
        name,
        work: () => runStage(context, name, stages[name]),
      });
      if (result === undefined) continue;
      onResult?.(result, performance.now() - began);
      loaded = name === "load" && result.overtaken !== true;
    }
    const now = context.clock().getTime();
    if (
      loaded && (failedAt === undefined || now - failedAt >= VERIFY_RETRY_MS)
    ) {
      const done = await attempt(context, {
        name: "verify",
        work: () => verifyIfDue(context),
      });
      failedAt = done === undefined ? now : undefined;
    }
    const ended = performance.now();
    tick = Math.max(tick + everyMs, ended);
    await sleep(tick - ended, undefined, { signal }).catch(() => {});
  }
}

async function verifyIfDue(context: StageContext): Promise<boolean> {
  const due = await isVerificationDue(context);
  if (due) {
    const { verify } = await import("../verify/verify.ts");
    await verify(context);
  }
  return due;
}

/** Works unless asked to stop; a failure is reported, and gives undefined. */
async function attempt<Result>(
  context: StageContext,
  options: { name: string; work: (context: StageContext) => Promise<Result> },
): Promise<Result | undefined> {
  const { signal } = context;
  if (signal.aborted) return undefined;
  const stage = forStage(context, options.name);
  try {
    return await options.work(stage);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    if (signal.aborted) return undefined;
    stage.log.error("{message}", {
      message: messageOf(error),
      ...(error instanceof StageError
        ? { subject: error.subject, hint: error.hint }
        : {}),
    });
    return undefined;
  }
}

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Milliseconds of `10s`, `15m` or `1h`; throws a `ConfigError` for anything
 * else.
 */
export function parseInterval(text: string): number {
  const [, amount, unit = ""] = /^(\d+)([smh])$/.exec(text) ?? [];
  const ms = Number(amount) * (UNITS[unit] ?? Number.NaN);
  if (ms > 0) return ms;
  throw new ConfigError([
    `--every is "${text}": an interval such as 10s, 15m or 1h is expected`,
  ]);
}
