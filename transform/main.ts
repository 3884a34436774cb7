import { type ProcessIo, runCommand } from "../lib/cli/command.ts";

const USAGE = `./totesys transform [--accept] [--compact]

Makes the star schemas of every batch that was extracted and not transformed.

  --accept   go on although sql/ does more than add to what it was, whatever it
             takes away: for new batches only; load goes on with them, too.
             Also: --accept-sql-change
  --compact  merge all files of the lake that are due, however long it takes;
             they are committed with the next batch
  --json     one JSON line per event, also on a terminal`;

/** Runs `./totesys transform`; gives the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "transform",
      usage: USAGE,
      needs: ["ingestion", "processed"],
      options: {
        accept: { type: "boolean" },
        "accept-sql-change": { type: "boolean" },
        compact: { type: "boolean" },
      },
      run: async (context, { flags }) => {
        const accept = flags.accept === true ||
          flags["accept-sql-change"] === true;
        const compact = flags.compact === true;
        // The help needs neither.
        const { transform } = await import("./transform.ts");
        const { runStage } = await import("../lib/cli/run_stage.ts");
        await runStage(
          context,
          "transform",
          (stage) => transform(stage, { accept, compact }),
        );
      },
    },
    args,
    io,
  );
}

if (import.meta.main) Deno.exit(await main(Deno.args));
