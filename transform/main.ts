import { notingFailure } from "../lib/batches/failure_note.ts";
import { forStage, type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { transform } from "./transform.ts";

const USAGE = `deno task transform [--accept-sql-change] [--compact]

Makes the star schemas of every batch that was extracted and not transformed.

  --accept-sql-change  go on although sql/ changed: for new batches only
  --compact            merge all files of the lake that are due, however long
                       it takes; they are committed with the next batch
  --json               one JSON line per event, also on a terminal`;

/** Runs `deno task transform`; gives the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "transform",
      usage: USAGE,
      needs: ["ingestion", "processed"],
      options: {
        "accept-sql-change": { type: "boolean" },
        compact: { type: "boolean" },
      },
      run: async (context, { flags }) => {
        const acceptSqlChange = flags["accept-sql-change"] === true;
        const compact = flags.compact === true;
        await notingFailure(
          forStage(context, "transform"),
          "transform",
          (stage) => transform(stage, { acceptSqlChange, compact }),
        );
      },
    },
    args,
    io,
  );
}

if (import.meta.main) Deno.exit(await main(Deno.args));
