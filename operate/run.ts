import {
  type Command,
  type ProcessIo,
  runCommand,
} from "../lib/cli/command.ts";
import { parseInterval, runForever, runOnce } from "./pipeline.ts";

const ONCE_USAGE = `deno task pipeline

Extract, transform and load, once. deno task run does it for ever.

  --json  one JSON line per event, also on a terminal`;
const FOREVER_USAGE = `deno task run [--every 15m]

Extract, transform and load for ever, in one process.

  --every 10s|15m|1h  how often; 15m if it isn't said
  --json              one JSON line per event, also on a terminal`;
const EVERY = "15m";

/** Runs `deno task pipeline` or, with `--forever`, `deno task run`. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  const needs = ["source", "ingestion", "processed", "warehouse"] as const;
  const once: Command = {
    name: "pipeline",
    usage: ONCE_USAGE,
    needs,
    options: {},
    run: async (context) => void await runOnce(context),
  };
  const forever: Command = {
    name: "run",
    usage: FOREVER_USAGE,
    needs,
    options: { forever: { type: "boolean" }, every: { type: "string" } },
    run: async (context, { flags }) => {
      const everyMs = parseInterval(String(flags.every ?? EVERY));
      await runForever(context, { everyMs });
      context.log.info("stopped as asked");
    },
  };
  const command = args.includes("--forever") ? forever : once;
  return runCommand(command, args, io);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
