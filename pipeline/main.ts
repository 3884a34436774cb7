import { runCommand, type World } from "../lib/command.ts";
import { parseInterval, runForever, runOnce } from "./pipeline.ts";

const USAGE = `deno task pipeline
deno task run [--every 15m]

Extract, transform and load: once, or for ever in one process.

  --every 10s|15m|1h  how often; 15m if it isn't said
  --json              one JSON line per event, also on a terminal`;
const EVERY = "15m";

/** Runs `deno task pipeline` or, with `--forever`, `deno task run`. */
export function main(args: readonly string[], world?: World): Promise<number> {
  return runCommand(
    {
      name: "pipeline",
      usage: USAGE,
      needs: ["source", "ingestion", "processed", "warehouse"],
      options: { forever: { type: "boolean" }, every: { type: "string" } },
      run: async (context, { flags }) => {
        if (flags.forever !== true) return void await runOnce(context);
        const everyMs = parseInterval(String(flags.every ?? EVERY));
        await runForever(context, { everyMs });
        context.log.info("stopped as asked");
      },
    },
    args,
    world,
  );
}

if (import.meta.main) Deno.exit(await main(Deno.args));
