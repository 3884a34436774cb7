import { type ProcessIo, runCommand } from "../lib/cli/command.ts";

const USAGE = `./totesys load [--accept]

Loads every batch that was transformed into the warehouse, in order.

  --accept  go on although sql/ takes something away from the warehouse; not
            needed for batches that transform --accept has made
  --json    one JSON line per event, also on a terminal`;

/** Runs `./totesys load`; gives the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "load",
      usage: USAGE,
      needs: ["processed", "warehouse"],
      options: { accept: { type: "boolean" } },
      run: async (context, { flags }) => {
        const accept = flags.accept === true;
        // The help needs neither.
        const { load } = await import("./load.ts");
        const { runStage } = await import("../lib/cli/run_stage.ts");
        await runStage(context, "load", (stage) => load(stage, { accept }));
      },
    },
    args,
    io,
  );
}

if (import.meta.main) Deno.exit(await main(Deno.args));
