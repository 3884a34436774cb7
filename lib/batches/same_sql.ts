import type { ProjectSql } from "../project/project_sql.ts";
import type { ProcessedManifest } from "./manifest.ts";

/** Whether a batch was made by this SQL, apart from comments and whitespace. */
export function isOfSameSql(
  { transformHash }: Pick<ProcessedManifest, "transformHash">,
  sql: Pick<ProjectSql, "transformHash" | "earlierHashes">,
): boolean {
  return [sql.transformHash, ...sql.earlierHashes].includes(transformHash);
}

/**
 * Whether a person accepted what this SQL removes when transform made the first
 * batch with it.
 */
export function isAccepted(
  manifest: ProcessedManifest,
  sql: ProjectSql,
): boolean {
  return manifest.sql?.isAccepted === true && isOfSameSql(manifest, sql);
}
