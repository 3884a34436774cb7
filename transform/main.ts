import { type Flags, type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { ConfigError } from "../lib/errors.ts";
import type { Share } from "./shares/share_note.ts";

const USAGE =
  `./totesys transform [--accept] [--compact] [--share 3/8 [--batch N]]

Makes the star schemas of every batch that was extracted and not transformed.

  --accept   go on although sql/ does more than add to what it was, whatever it
             takes away: for new batches only; load goes on with them, too.
             Also: --accept-sql-change
  --compact  merge all files of the lake that are due, however long it takes;
             they are committed with the next batch
  --share    makes nothing: types the third of eight parts of the CSV of the next
             batch, or of --batch N, for the run that makes it, here or on
             another machine
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
        share: { type: "string" },
        batch: { type: "string" },
      },
      run: async (context, { flags }) => {
        const accept = flags.accept === true ||
          flags["accept-sql-change"] === true;
        const compact = flags.compact === true;
        const share = readShare(flags);
        // The help needs none of what follows.
        if (share !== undefined) {
          const { forStage } = await import("../lib/stage_context.ts");
          const { typeShare } = await import("./shares/type_share.ts");
          return await typeShare(forStage(context, "transform"), share);
        }
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

/** The part that this process types, if it is to type one. */
function readShare(
  { share, batch }: Flags,
): Share & { batch?: number } | undefined {
  if (share === undefined && batch === undefined) return undefined;
  const [, part = 0, of = 0] =
    /^([1-9]\d{0,3})\/([1-9]\d{0,3})$/.exec(String(share))?.map(Number) ?? [];
  const number = batch === undefined ? 1 : Number(batch);
  if (part === 0 || part > of || !Number.isSafeInteger(number) || number < 1) {
    throw new ConfigError([
      "Cannot type a share: --share 3/8, the third of eight, is expected, and --batch with a batch's number only beside it",
      USAGE,
    ]);
  }
  return { part, of, ...batch === undefined ? {} : { batch: number } };
}

if (import.meta.main) Deno.exit(await main(Deno.args));
