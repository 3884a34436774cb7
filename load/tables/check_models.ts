import { isOfSameSql } from "../../lib/batches/same_sql.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { StageError } from "../../lib/errors.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { loadedModels } from "../../lib/warehouse/loaded_models.ts";

/**
 * Throws a `StageError` when a batch has a model that `sql/` lacks, unless it
 * was removed since: then the newest batch is of this SQL.
 */
export function checkModels(
  manifest: ProcessedManifest,
  { sql, newest }: { sql: ProjectSql; newest: ProcessedManifest },
): void {
  if (isOfSameSql(newest, sql)) return;
  const models = loadedModels(sql);
  const unknown = Object.keys(manifest.models).find((name) =>
    !models.some((model) => model.name === name)
  );
  if (unknown === undefined) return;
  throw new StageError(
    `Cannot load batch ${manifest.batch}: it has the model "${unknown}", which sql/models lacks`,
    {
      subject: unknown,
      hint: "Run the version that made the batch, or a newer one",
    },
  );
}
