import { StageError } from "../../lib/errors.ts";
import type { ProjectSql, SqlFile } from "../../lib/project/project_sql.ts";
import { QUARANTINE_TABLE } from "../../lib/project/quarantine_model.ts";
import { readDeclaredTables } from "../../lib/project/warehouse_ddl.ts";
import { ENGINE_SCHEMA } from "../schema/engine_schema.ts";
import type { DerivedModel } from "./derived_table_sql.ts";
import { isCopy, isRetired } from "./migrate.ts";
import { foldName } from "../../lib/sql/fold_name.ts";

/** The migrations and models of a warehouse. */
export interface WantedSchema {
  /** The company's own migrations. */
  company: readonly SqlFile[];
  /** These and the pipeline's. */
  known: readonly SqlFile[];
  models: readonly DerivedModel[];
  /** Whether a model's table derives from it: no migration declares it. */
  isDerived: (model: Pick<DerivedModel, "name">) => boolean;
  /** Whether a migration may have given it foreign keys. */
  mayRefer: (model: Pick<DerivedModel, "name">) => boolean;
}

/** What `sql/` wants of the warehouse. */
export function wantedSchema(sql: ProjectSql): WantedSchema {
  const company = ownMigrations(sql);
  const declared = readDeclaredTables(company);
  return {
    company,
    known: [...ENGINE_SCHEMA, ...company],
    models: [...sql.models, QUARANTINE_TABLE],
    isDerived: ({ name }) => !declared.has(name),
    mayRefer: ({ name }) =>
      company.some(({ text }) =>
        !isRetired({ text }) && /\breferences\b/i.test(text) &&
        foldName(text).includes(foldName(name))
      ),
  };
}

/**
 * The migrations that come before these derived tables: up to the last one that
 * declares models' tables, which may go through all that it finds as if they
 * were its own. One that names a derived table needs it, and so do the next.
 */
export function leadingMigrations(
  { company, models, isDerived }: WantedSchema,
  derived: readonly DerivedModel[],
): readonly SqlFile[] {
  const needs = company.findIndex(({ text }) =>
    derived.some(({ name }) => foldName(text).includes(foldName(name)))
  );
  const free = needs < 0 ? company : company.slice(0, needs);
  const last = free.findLastIndex((file) => {
    const declared = readDeclaredTables([file]);
    return models.some((model) =>
      !isDerived(model) && declared.has(model.name)
    );
  });
  return free.slice(0, last + 1);
}

/** The models whose tables no migration declares. */
export function derivedModels(
  { models, isDerived }: WantedSchema,
): DerivedModel[] {
  return models.filter(isDerived);
}

/**
 * The company's migrations, without copies of the pipeline's own, which were
 * once among them.
 */
function ownMigrations({ migrations }: ProjectSql): SqlFile[] {
  return migrations.filter((file) => {
    const engine = ENGINE_SCHEMA.find(({ name }) => name === file.name);
    if (engine === undefined) return true;
    if (isCopy(file, engine)) return false;
    throw new StageError(
      `Cannot apply the migration ${file.name}: a migration of the pipeline's own has this name`,
      {
        subject: file.name,
        hint:
          `Remove sql/warehouse/${file.name}.sql if it came with the pipeline, or give it another name`,
      },
    );
  });
}
