import type { BatchLog } from "../../lib/batches/batch_log.ts";
import {
  type IngestionManifest,
  type ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import { StageError } from "../../lib/errors.ts";
import { manifestSha256 } from "../../lib/batches/encode_manifest.ts";

/**
 * Checks that the batch transformed last is still what was extracted: throws a
 * `StageError` if this is another lake, or its log was cut, emptied or
 * rewritten.
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
    `Cannot continue the lake after batch ${previous.batch}: in ${url} it is ${
      source === undefined ? "missing" : "another one"
    } now`,
    {
      subject: url,
      hint:
        "Check that INGESTION_URL and PROCESSED_URL belong together and that only one deployment writes there; restore the manifest from the bucket's versions. If it is lost, since the zone was restored from an older copy: `./totesys rebuild processed --replace-lake`, then `./totesys rebuild warehouse --replace-lake`, make both what the ingestion zone holds",
    },
  );
}
