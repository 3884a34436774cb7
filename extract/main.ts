import { type ProcessIo, runCommand } from "../lib/cli/command.ts";

const USAGE = `./totesys extract [--full[=TABLE,...]] [--allow-mass-delete]

Ships what changed in the source to the ingestion zone, as one batch.

  --full               read every table whole, and compare by content
  --full=TABLE,...     read these tables whole
  --allow-mass-delete  let this run delete more than DELETE_SHARE_MAX of a table
  --json               one JSON line per event, also on a terminal`;

/** Runs `./totesys extract`; returns the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "extract",
      usage: USAGE,
      needs: ["source", "ingestion"],
      options: {
        full: { type: "string" },
        "allow-mass-delete": { type: "boolean" },
      },
      run: async (context, { flags }) => {
        const full = flags.full;
        const options = {
          ...(full === undefined
            ? {}
            : { fullRead: full === "" || String(full).split(",") }),
          allowMassDelete: flags["allow-mass-delete"] === true,
        };
        // The help needs neither.
        const { extract } = await import("./extract.ts");
        const { runStage } = await import("../lib/cli/run_stage.ts");
        await runStage(context, "extract", (stage) => extract(stage, options));
      },
    },
    args.map((arg) => arg === "--full" ? "--full=" : arg),
    io,
  );
}

if (import.meta.main) Deno.exit(await main(Deno.args));
