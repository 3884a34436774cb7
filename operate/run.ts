import {
  type Command,
  type ProcessIo,
  runCommand,
} from "../lib/cli/command.ts";

const ONCE_USAGE = `./totesys pipeline [--accept]

Extract, transform and load, once. ./totesys run does it for ever.

  --accept  go on although sql/ does more than add to what it was, whatever it
            takes away: for new batches only
  --json    one JSON line per event, also on a terminal`;
const FOREVER_USAGE = `./totesys run [--every 15m] [--accept]

Extract, transform and load for ever, in one process.

  --every 10s|15m|1h  how often; by default 15m
  --accept            go on although sql/ does more than add to what it was,
                      whatever it takes away: for new batches only
  --json              one JSON line per event, also on a terminal`;
const EVERY = "15m";

/** Runs `./totesys pipeline` or, with `--forever`, `./totesys run`. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  const needs = ["source", "ingestion", "processed", "warehouse"] as const;
  const once: Command = {
    name: "pipeline",
    usage: ONCE_USAGE,
    needs,
    options: { accept: { type: "boolean" } },
    run: async (context, { flags }) => {
      // The help doesn't need it.
      const { runOnce } = await import("./run_stages.ts");
      await runOnce(context, { accept: flags.accept === true });
    },
  };
  const forever: Command = {
    name: "run",
    usage: FOREVER_USAGE,
    needs,
    options: {
      forever: { type: "boolean" },
      every: { type: "string" },
      accept: { type: "boolean" },
    },
    run: async (context, { flags }) => {
      const { parseInterval, runForever } = await import("./run_stages.ts");
      const everyMs = parseInterval(String(flags.every ?? EVERY));
      await runForever(context, { everyMs, accept: flags.accept === true });
      context.log.info("stopped as asked");
    },
  };
  const command = args.includes("--forever") ? forever : once;
  return runCommand(command, args, io);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
