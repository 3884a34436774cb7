import { type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { EXIT } from "../lib/errors.ts";

const USAGE = `./totesys doctor [--aws]

Finds out, before a run, whether it can work: the source and its contract, the
two zones, DuckDB, room for the largest batch, the warehouse, and whether zones
and warehouse belong together. Exits 1 when something is wrong.

  --aws  also whether AWS delivers SMS and e-mail; needs AWS's credentials`;

/** Runs `./totesys doctor`; gives the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "doctor",
      usage: USAGE,
      needs: ["source", "ingestion", "processed", "warehouse"],
      options: { aws: { type: "boolean" } },
      run: async (context, { flags, write, json }) => {
        // The help needs none of what it looks at.
        const { examine, formatFindings } = await import("./examine.ts");
        const findings = await examine(context);
        if (flags.aws === true) {
          const { examineSns } = await import("./examine_sns.ts");
          findings.push(...await examineSns(context.config.region));
        }
        write(
          json ? `${JSON.stringify(findings)}\n` : formatFindings(findings),
        );
        return findings.some(({ hint }) => hint !== undefined)
          ? EXIT.failed
          : EXIT.ok;
      },
    },
    args,
    io,
  );
}

if (import.meta.main) Deno.exit(await main(Deno.args));
