import { counted } from "../lib/counted.ts";
import { type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { EXIT } from "../lib/errors.ts";
import { describeKeys } from "./describe_keys.ts";
import type { Verification } from "./verification.ts";

const USAGE = `./totesys verify [--json]

Extracts, transforms and loads a batch, and compares by content what source,
lake and warehouse hold as of it, and the history of the warehouse with the
lake's. Exits 3 when something differs, 1 when it could not verify.
Needs room in TEMP_DIRECTORY: for the source as CSV, later replaced by its
tables and the models, compressed; and for two models of the warehouse as CSV.

  --json  one JSON object a line, also on a terminal`;

/** Runs `./totesys verify`; gives the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "verify",
      usage: USAGE,
      needs: ["source", "ingestion", "processed", "warehouse"],
      options: {},
      run: async (context, { write, json }) => {
        const { verify } = await import("./verify.ts");
        const verification = await verify(context);
        write(
          json
            ? `${JSON.stringify(verification)}\n`
            : formatVerification(verification),
        );
        return verification.same ? EXIT.ok : EXIT.check;
      },
    },
    args,
    io,
  );
}

/** The outcome as a table for people. */
function formatVerification(verification: Verification): string {
  const { comparisons, batch, snapshotTime, seconds } = verification;
  const rows = [
    ["model", "place", "rows", "differences"],
    ...comparisons.map((one) => [
      one.model,
      one.place,
      one.rows.toLocaleString("en"),
      one.differences.toLocaleString("en"),
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  );
  const lines = rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")
      .trimEnd()
  );
  for (const one of comparisons) {
    if (one.differences === 0) continue;
    lines.push(
      `${one.model} in the ${one.place}: ${describeKeys(one)}`,
      ...one.repairs.map((task) => `-> ${task}`),
    );
  }
  for (const { check, severity, findings, hint } of verification.brokenRules) {
    lines.push(
      `${severity}: check ${check}: ${counted(findings, "findings")}`,
      `-> repair the rows in the source: ${hint}`,
    );
  }
  lines.push(
    `${
      verification.same ? "the same" : "NOT THE SAME"
    } as of batch ${batch}, ${snapshotTime}, in ${seconds.toFixed(1)} s`,
  );
  return `${lines.join("\n")}\n`;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
