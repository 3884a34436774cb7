import type pg from "pg";
import type { StageContext } from "../../lib/stage.ts";
import { loadedModels } from "../../lib/warehouse/loaded_models.ts";
import { warnOfAbandoned } from "./abandoned_tables.ts";
import { addMissingReferences } from "../references/declared_references.ts";
import { evolveTables, type SchemaChange } from "./evolve_tables.ts";
import type { TypedModel } from "./model_types.ts";
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
 * keys of columns that are new, and warns of tables whose model is gone. Throws
 * as `evolveTables` does.
 */
export async function evolveSchema(
  { sql, log }: Pick<StageContext, "sql" | "log">,
  options: {
    client: pg.Client;
    models: readonly TypedModel[];
    drop?: boolean;
  },
): Promise<EvolvedSchema> {
  const { client } = options;
  const schemaChanges = await evolveTables(client, options);
  const hasUnvalidatedKeys = await addMissingReferences(
    client,
    wantedSchema(sql),
  );
  await warnOfAbandoned(client, { models: loadedModels(sql), log });
  return { schemaChanges, hasUnvalidatedKeys };
}
