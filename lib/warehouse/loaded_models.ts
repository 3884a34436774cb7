import type { Model } from "../project/model.ts";
import type { ProjectSql } from "../project/project_sql.ts";
import { QUARANTINE } from "../project/quarantine_model.ts";

/**
 * All models that are loaded, in order: those that facts refer to come first.
 */
export function loadedModels(sql: ProjectSql): readonly Model[] {
  return [...sql.models, QUARANTINE];
}
