import type { BatchLog } from "./batch_log.ts";
import type { ProcessedManifest } from "./manifest.ts";

/** The part of a manifest about the SQL that made its batch. */
export type SqlBefore = Pick<ProcessedManifest, "given" | "queries" | "parts">;

/** Finds that part; undefined if no manifest has it. */
export async function sqlBefore(
  { sql }: ProcessedManifest,
  output: BatchLog<ProcessedManifest>,
): Promise<SqlBefore | undefined> {
  return sql === undefined ? undefined : await output.find(sql.since);
}
