import { notingFailure } from "../lib/batches/failure_note.ts";
import { forStage, type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { load } from "./load.ts";

const USAGE = `deno task load

Loads every batch that was transformed into the warehouse, in order.

  --json  one JSON line per event, also on a terminal`;

/** Runs `deno task load`; gives the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "load",
      usage: USAGE,
      needs: ["processed", "warehouse"],
      options: {},
      run: async (context) => {
        await notingFailure(forStage(context, "load"), "load", load);
      },
    },
    args,
    io,
  );
}

if (import.meta.main) Deno.exit(await main(Deno.args));
