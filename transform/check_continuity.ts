import type { BatchLog } from "../lib/batch_log.ts";
import { StageError } from "../lib/errors.ts";
import {
  type IngestionManifest,
  manifestSha256,
  type ProcessedManifest,
} from "../lib/manifest.ts";

/**
 * The batch that was transformed last must still be what was extracted: throws
 * a `StageError` where this is another lake, or its log was cut, emptied or
 * written anew.
 */
export async function checkContinuity(
  previous: ProcessedManifest,
  { input }: { input: BatchLog<IngestionManifest> },
): Promise<void> {
  const source = await input.find(previous.batch);
  if (
    source !== undefined && manifestSha256(source) === previous.inputSha256
  ) return;
  const { url } = input.zone;
  throw new StageError(
    `Cannot go on from batch ${previous.batch}: in ${url} it is ${
      source === undefined ? "missing" : "another one"
    } now`,
    {
      subject: url,
      hint:
        "Check that INGESTION_URL and PROCESSED_URL belong together and that one deployment alone writes there; restore the manifest from the bucket's versions",
    },
  );
}
