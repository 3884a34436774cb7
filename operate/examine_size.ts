import { counted } from "../lib/counted.ts";
import { statfs } from "node:fs/promises";
import { BatchLog } from "../lib/batches/batch_log.ts";
import type { IngestionManifest } from "../lib/batches/manifest.ts";
import { formatBytes } from "../lib/cli/progress.ts";
import { StageError } from "../lib/errors.ts";
import { openStageZone, type StageContext } from "../lib/stage.ts";
import { changedTables } from "../transform/tables/quarantine.ts";
import { sum } from "../lib/batches/sum.ts";

/** How many of the newest batches are looked at, with a request each. */
const NEWEST = 8;
/** The disk of a Lambda function, at most. */
const LAMBDA_BYTES = 10_000_000_000;

/**
 * Whether this machine has room for the largest batch, in words. Throws a
 * `StageError` if `TEMP_DIRECTORY` has less than its rows may take there: as
 * much as their CSV. Of the batches it knows the first, which a rebuild makes
 * again, and the newest.
 */
export async function examineSize(
  context: StageContext,
  freeBytesOf: (folder: string) => Promise<number> = freeBytes,
): Promise<string> {
  const { tempDirectory } = context.config;
  const largest = await largestBatch(context);
  if (largest === undefined) return "no batch yet";
  await Deno.mkdir(tempDirectory, { recursive: true });
  const free = await freeBytesOf(tempDirectory);
  const what = `${counted(largest.rows, "rows")}, ${
    formatBytes(largest.bytes)
  } of CSV`;
  if (largest.bytes > free) {
    throw new StageError(
      `Cannot make a batch as large as batch ${largest.batch} here: it has ${what}, and ${tempDirectory} has ${
        formatBytes(free)
      } free`,
      {
        subject: tempDirectory,
        hint:
          "Set TEMP_DIRECTORY to a folder on a larger disk, or run `./totesys rebuild processed` on a machine that has one; docs/scale.md says when Trino helps",
      },
    );
  }
  return `the largest batch is ${largest.batch}: ${what}; ${
    formatBytes(free)
  } free for it${
    largest.bytes > LAMBDA_BYTES
      ? ". A Lambda function's disk is too small for it: docs/scale.md"
      : ""
  }`;
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** The largest of the first batch and the newest. */
async function largestBatch(
  context: StageContext,
): Promise<{ batch: number; rows: number; bytes: number } | undefined> {
  const zone = openStageZone(context, "ingestion");
  try {
    const log = new BatchLog<IngestionManifest>(zone, "extract");
    const to = await log.newestNumber();
    if (to === 0) return undefined;
    const from = Math.max(2, to - NEWEST + 1);
    const manifests = [
      await log.read(1),
      ...await Array.fromAsync(log.range({ from, to })),
    ];
    return manifests.map(sizeOf).reduce((largest, one) =>
      one.bytes > largest.bytes ? one : largest
    );
  } finally {
    zone.close();
  }
}

function sizeOf(manifest: IngestionManifest) {
  const files = [...changedTables(manifest).values()]
    .flatMap(({ rows }) => rows);
  return {
    batch: manifest.batch,
    rows: sum(files, "rows"),
    bytes: sum(files, "bytes"),
  };
}
