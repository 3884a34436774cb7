import { counted } from "../lib/counted.ts";
import { type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { formatBytes } from "../lib/cli/progress.ts";
import { ConfigError } from "../lib/errors.ts";
import type { Need } from "../lib/settings/config.ts";
import { sweep, type SweepResult } from "./sweep.ts";

const USAGE = `./totesys sweep [processed|ingestion] [--dry-run]

Removes the files of a zone that no manifest lists and that are older than 48
hours by the store's clock: files that killed runs left, or a rebuild replaced.
Other tasks may run meanwhile. The ingestion zone is the only copy of history:
it is swept by hand only.

  --dry-run  only show what would be removed
  --json     one JSON line per event, also on a terminal`;

const ZONES = ["processed", "ingestion"] as const satisfies readonly Need[];

/** Runs `./totesys sweep`; gives the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  const asked = zoneOf(args.filter((arg) => !arg.startsWith("-")));
  return runCommand(
    {
      name: "sweep",
      usage: USAGE,
      needs: asked === undefined ? [] : [asked],
      options: { "dry-run": { type: "boolean" } },
      takesPositionals: true,
      run: async (context, { flags, positionals, write, json }) => {
        const zone = zoneOf(positionals);
        if (zone === undefined) {
          throw new ConfigError([
            `Cannot sweep "${
              positionals.join(" ")
            }": processed or ingestion is expected`,
            USAGE,
          ]);
        }
        const dryRun = flags["dry-run"] === true;
        const result = await sweep(context, { zone, dryRun });
        write(
          json ? `${JSON.stringify(result)}\n` : formatSweep(result, dryRun),
        );
      },
    },
    args,
    io,
  );
}

function zoneOf(
  positionals: readonly string[],
): SweepResult["zone"] | undefined {
  const [word = "processed", ...others] = positionals;
  return others.length > 0 ? undefined : ZONES.find((zone) => zone === word);
}

function formatSweep(result: SweepResult, dryRun: boolean): string {
  const { filesRemoved, bytesRemoved, unfinishedRemoved } = result;
  return `${dryRun ? "would remove" : "removed"} ${
    counted(filesRemoved, "files")
  }, ${
    formatBytes(bytesRemoved)
  }, and ${unfinishedRemoved} unfinished ones from the ${result.zone} zone\n`;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
