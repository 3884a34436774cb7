import { extract } from "../extract/extract.ts";
import { type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { ConfigError, StageError } from "../lib/errors.ts";
import { lacksTable } from "../lib/project/source_names.ts";
import type { StageContext, StageResult } from "../lib/stage.ts";
import { forStage } from "../lib/stage_context.ts";
import type { Reloaded } from "../load/repair/reload_models.ts";
import { resyncTables } from "../load/repair/resync_tables.ts";
import { transform } from "../transform/transform.ts";

const USAGE =
  `./totesys resync TABLE[,TABLE...] [--allow-mass-delete] [--allow-cascade] [--accept]

Reads these source tables whole, and repairs the lake and the warehouse where
the models that read them differ. Other commands may run meanwhile.

  --allow-mass-delete  let this run delete more than DELETE_SHARE_MAX of a table
  --accept             go on although sql/ does more than add, whatever it takes away
  --allow-cascade      lose rows of other tables in the warehouse that refer by
                       \`on delete\` to deleted rows
  --json               one JSON line per event, also on a terminal`;

/** A resync may be overtaken by runs that follow each other closely. */
const ATTEMPTS_MAX = 20;

/** The options of one resync. */
export interface ResyncOptions {
  tables: readonly string[];
  /** Lets it delete more of a table than the configured share. */
  allowMassDelete?: boolean;
  /** Goes on although `sql/` changed, whatever that takes away. */
  accept?: boolean;
  /**
   * Allows rows of others' tables in the warehouse to be deleted with its own.
   */
  allowCascade?: boolean;
}

/**
 * Makes all models that read these source tables agree with the source, in the
 * lake and in the warehouse, even while the stages run elsewhere. Throws a
 * `StageError` when others come first again and again.
 */
export async function resync(
  context: StageContext,
  options: ResyncOptions,
): Promise<Reloaded> {
  const {
    tables,
    allowMassDelete = false,
    allowCascade = false,
    accept = false,
  } = options;
  await retryUntilCommitted(
    "extract",
    () =>
      extract(forStage(context, "extract"), {
        fullRead: tables,
        allowMassDelete,
      }),
  );
  await retryUntilCommitted(
    "transform",
    () => transform(forStage(context, "transform"), { accept }),
  );
  return await resyncTables(forStage(context, "load"), {
    tables,
    allowCascade,
    accept,
  });
}

/** Runs `./totesys resync`; gives the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "resync",
      usage: USAGE,
      needs: ["source", "ingestion", "processed", "warehouse"],
      options: {
        "allow-mass-delete": { type: "boolean" },
        accept: { type: "boolean" },
        "allow-cascade": { type: "boolean" },
      },
      takesPositionals: true,
      run: async (context, { flags, positionals }) => {
        const tables = checkedTables(positionals, context);
        const allowMassDelete = flags["allow-mass-delete"] === true;
        const allowCascade = flags["allow-cascade"] === true;
        const accept = flags.accept === true;
        await resync(context, {
          tables,
          allowMassDelete,
          allowCascade,
          accept,
        });
      },
    },
    args,
    io,
  );
}

function checkedTables(
  positionals: readonly string[],
  { sql }: StageContext,
): string[] {
  const tables = positionals.flatMap((word) => word.split(","));
  const unknown = tables.filter((name) =>
    !sql.tables.some((table) => table.name === name)
  );
  if (tables.length > 0 && unknown.length === 0) return tables;
  throw new ConfigError([
    ...unknown.map((name) =>
      `Cannot resync "${name}": it ${lacksTable(name, sql.tables)}`
    ),
    USAGE,
  ]);
}

async function retryUntilCommitted(
  name: string,
  stage: () => Promise<StageResult>,
): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const { overtaken } = await stage();
    if (overtaken !== true) return;
  }
  throw new StageError(
    `Cannot resync: other runs of ${name} came first ${ATTEMPTS_MAX} times`,
    {
      subject: name,
      retryable: true,
      hint: "Let the other runs pause, or come less often, and run it again",
    },
  );
}

if (import.meta.main) Deno.exit(await main(Deno.args));
