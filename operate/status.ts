import { type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { EXIT } from "../lib/errors.ts";

const USAGE = `./totesys status [--json]

Shows where each stage stands. Exits 1 when the warehouse is not as fresh as
FRESHNESS_MINUTES_MAX says, when a stage fails at the next batch, when a batch
waits for a stage for over half of that time, when batches wait for a warehouse
that is read-only, or whose lock is held by something other than a load, when
lake.duckdb can't be replaced, when one of the pipeline's own tables is gone
from the warehouse, when the newest verification found a difference or is over
twice as old as VERIFY_EVERY_HOURS says, or when a zone or the warehouse can't
be read or doesn't belong to the others.

  --json  one JSON object, also on a terminal`;

/** Runs `./totesys status`; gives the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "status",
      usage: USAGE,
      needs: ["ingestion", "processed", "warehouse"],
      options: {},
      writesNothing: true,
      run: async (context, { write, json }) => {
        // The help needs neither.
        const { readStatus } = await import("./read_status.ts");
        const { formatStatus } = await import("./format_status.ts");
        const status = await readStatus(context);
        write(
          json ? `${JSON.stringify(status)}\n` : formatStatus(status),
        );
        const well = status.fresh &&
          (status.verification?.differences ?? 0) === 0 &&
          status.verificationProblem === undefined &&
          status.stages.every(({ problem, failure }) =>
            problem === undefined && failure === undefined
          );
        return well ? EXIT.ok : EXIT.failed;
      },
    },
    args,
    io,
  );
}

if (import.meta.main) Deno.exit(await main(Deno.args));
