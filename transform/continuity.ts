import type { BatchLog } from "../lib/batch_log.ts";
import { StageError } from "../lib/errors.ts";
import {
  type IngestionManifest,
  manifestSha256,
  type ProcessedManifest,
} from "../lib/manifest.ts";
import type { ProjectSql } from "../lib/project_sql.ts";

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

/** Throws a `StageError` when the batches before were made by other SQL. */
export function checkSql(
  previous: ProcessedManifest,
  options: { sql: ProjectSql; accept: boolean },
): void {
  if (options.accept) return;
  const { transformHash, earlierHashes } = options.sql;
  if ([transformHash, ...earlierHashes].includes(previous.transformHash)) {
    return;
  }
  throw new StageError(
    `Cannot go on from batch ${previous.batch}: sql/ (contract, models or quarantine) has changed since`,
    {
      subject: "sql/",
      hint:
        "If the change concerns new batches only, run transform once with --accept-sql-change; if not, run `deno task rebuild processed`, then `deno task rebuild warehouse`",
    },
  );
}
