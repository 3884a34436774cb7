import type pg from "pg";
import type { StageContext } from "../../lib/stage.ts";
import { loadedModels } from "../../lib/warehouse/loaded_models.ts";
import { warnOfAbandoned } from "./abandoned_tables.ts";
import { addMissingReferences } from "../references/declared_references.ts";
import { type Followed, followModels } from "./follow_models.ts";
import type { TypedModel } from "./model_types.ts";
import { wantedSchema } from "./wanted_schema.ts";

/** What has followed the models. */
export interface FollowedSql {
  followed: readonly Followed[];
  /** Whether there are foreign keys to be validated once it is committed. */
  hasUnvalidatedKeys: boolean;
}

/** Where there is nothing to follow. */
export const NOTHING_FOLLOWED: FollowedSql = {
  followed: [],
  hasUnvalidatedKeys: false,
};

/**
 * Changes the warehouse's tables as these models have changed, adds the foreign
 * keys of columns that are new, and warns of tables whose model is gone. Throws
 * as `followModels` does.
 */
export async function followSql(
  { sql, log }: Pick<StageContext, "sql" | "log">,
  options: {
    client: pg.Client;
    models: readonly TypedModel[];
    drop?: boolean;
  },
): Promise<FollowedSql> {
  const { client } = options;
  const followed = await followModels(client, options);
  const hasUnvalidatedKeys = await addMissingReferences(
    client,
    wantedSchema(sql),
  );
  await warnOfAbandoned(client, { models: loadedModels(sql), log });
  return { followed, hasUnvalidatedKeys };
}
