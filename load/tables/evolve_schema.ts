import type pg from "pg";
import type { BatchLog } from "../../lib/batches/batch_log.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { sqlBefore } from "../../lib/batches/sql_before.ts";
import type { StageContext } from "../../lib/stage.ts";
import { loadedModels } from "../../lib/warehouse/loaded_models.ts";
import { warnOfAbandoned } from "./abandoned_tables.ts";
import { addMissingReferences } from "../references/declared_references.ts";
import { evolveTables, type SchemaChange } from "./evolve_tables.ts";
import type { ModelTypes } from "./model_types.ts";
import { wantedSchema } from "./wanted_schema.ts";

/** How the warehouse's schema was changed with the models. */
export interface EvolvedSchema {
  schemaChanges: readonly SchemaChange[];
  /** Whether there are foreign keys to be validated once it is committed. */
  hasUnvalidatedKeys: boolean;
}

/** The same where there was nothing to change. */
export const SCHEMA_UNCHANGED: EvolvedSchema = {
  schemaChanges: [],
  hasUnvalidatedKeys: false,
};

/**
 * Changes the warehouse's tables as these models have changed, adds the foreign
 * keys of columns that are new, and warns of tables whose model is gone. What
 * the models of the batch in the warehouse lacked already was reported then.
 * Throws as `evolveTables` does.
 */
export async function evolveSchema(
  { sql, log }: Pick<StageContext, "sql" | "log">,
  options: {
    client: pg.Client;
    types: ModelTypes;
    /** The models to follow; by default all. */
    only?: readonly { name: string }[];
    drop?: boolean;
    /** The newest batch in the warehouse. */
    loaded?: { batches: BatchLog<ProcessedManifest>; batch: number };
  },
): Promise<EvolvedSchema> {
  const { client, types, only, drop = false, loaded } = options;
  const before = loaded === undefined ? undefined : await givenBy(loaded);
  const models = (await types.read()).filter(({ model }) =>
    only?.some(({ name }) => name === model.name) ?? true
  );
  const schemaChanges = (await evolveTables(client, { models, drop }))
    .map((change) => newChanges(change, before));
  const hasUnvalidatedKeys = await addMissingReferences(
    client,
    wantedSchema(sql),
  );
  await warnOfAbandoned(client, { models: loadedModels(sql), before, log });
  return { schemaChanges, hasUnvalidatedKeys };
}

/** The columns that each model had in a batch, if its manifests say so. */
async function givenBy(
  { batches, batch }: {
    batches: BatchLog<ProcessedManifest>;
    batch: number;
  },
): Promise<ProcessedManifest["given"]> {
  const manifest = await batches.find(batch);
  return manifest && (await sqlBefore(manifest, batches))?.given;
}

/** Leaves out columns that the model had lost before. */
function newChanges(
  { model, changes }: SchemaChange,
  before: ProcessedManifest["given"],
): SchemaChange {
  const gave = before?.[model.name];
  return {
    model,
    changes: changes.map((change) => ({
      ...change,
      unfilled: change.unfilled.filter((name) =>
        gave === undefined || Object.hasOwn(gave, name)
      ),
    })),
  };
}
