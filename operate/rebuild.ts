import { type Flags, type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { ConfigError, EXIT } from "../lib/errors.ts";
import type { Config, Need } from "../lib/settings/config.ts";
import { engineProblem, ENGINES } from "../lib/settings/engine_settings.ts";

const USAGE =
  `./totesys rebuild processed [--engine trino|athena] [--replace-lake]
./totesys rebuild warehouse [--accept] [--replace-lake] [--allow-cascade]

Rebuilds the processed zone from the ingestion zone, or the warehouse from the
processed zone. The old one can be read until the new one replaces it, all at
once. Other commands may run meanwhile.

  --engine NAME   duckdb, trino or athena: runs the models of every batch that is
                  made by itself, in place of TRANSFORM_ENGINE
  --accept        drop columns that no model has, change types, and leave tables
                  that no model makes without new rows
  --replace-lake  what is rebuilt may hold another lake, or later batches
  --allow-cascade lose rows of other tables in the warehouse that refer by
                  \`on delete\` to deleted rows
  --json          one JSON line per event, also on a terminal`;

const WAREHOUSE_FLAGS = {
  accept: { type: "boolean" },
  "allow-cascade": { type: "boolean" },
} as const;

const NEEDS: ReadonlyMap<string, readonly Need[]> = new Map([
  ["processed", ["ingestion", "processed"]],
  ["warehouse", ["processed", "warehouse"]],
]);

/** Runs `./totesys rebuild`; gives the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  const named = args.find((arg) => NEEDS.has(arg)) ?? "";
  return runCommand(
    {
      name: "rebuild",
      usage: USAGE,
      needs: NEEDS.get(named) ?? [],
      options: {
        ...WAREHOUSE_FLAGS,
        "replace-lake": { type: "boolean" },
        engine: { type: "string" },
      },
      takesPositionals: true,
      run: async (context, { flags, positionals }) => {
        const replaceLake = flags["replace-lake"] === true;
        const accept = flags.accept === true;
        const allowCascade = flags["allow-cascade"] === true;
        checkPositionals(positionals, flags);
        // The help needs none of these.
        const { forStage } = await import("../lib/stage_context.ts");
        const stage = forStage(context, "rebuild");
        if (named === "warehouse") {
          const { rebuildWarehouse } = await import(
            "../load/repair/rebuild_warehouse.ts"
          );
          await rebuildWarehouse(stage, { replaceLake, accept, allowCascade });
          return EXIT.ok;
        }
        const { rebuildProcessed } = await import(
          "../transform/rebuild_processed.ts"
        );
        const config = withEngine(stage.config, flags.engine);
        const { overtaken } = await rebuildProcessed(
          { ...stage, config },
          { replaceLake },
        );
        return overtaken === true ? EXIT.failed : EXIT.ok;
      },
    },
    args,
    io,
  );
}

function checkPositionals(positionals: readonly string[], flags: Flags): void {
  const [word = "", ...others] = positionals;
  if (!NEEDS.has(word) || others.length > 0) {
    throw new ConfigError([
      `Cannot rebuild ${
        word === "" ? "without a place" : `"${positionals.join(" ")}"`
      }: processed or warehouse is expected`,
      USAGE,
    ]);
  }
  if (flags.engine !== undefined && word !== "processed") {
    throw new ConfigError(["--engine is for the processed zone only", USAGE]);
  }
  const [flag] = Object.keys(flags).filter((name) => name in WAREHOUSE_FLAGS);
  if (flag !== undefined && word !== "warehouse") {
    throw new ConfigError([`--${flag} is for the warehouse only`, USAGE]);
  }
}

/** The settings with the engine that the command line names, if it does. */
function withEngine(config: Config, flag: Flags[string]): Config {
  if (flag === undefined) return config;
  const transformEngine = ENGINES.find((name) => name === flag);
  if (transformEngine === undefined) {
    throw new ConfigError([
      `--engine is "${flag}": ${ENGINES.join(" or ")} is expected`,
    ]);
  }
  const problem = engineProblem(transformEngine, config);
  if (problem !== undefined) throw new ConfigError([problem]);
  return { ...config, transformEngine, transformEngineBytesMin: 0 };
}

if (import.meta.main) Deno.exit(await main(Deno.args));
