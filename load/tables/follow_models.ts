import type { Logger } from "@logtape/logtape";
import type pg from "pg";
import { messageOf, StageError } from "../../lib/errors.ts";
import { quoteName, sqlState } from "../../lib/postgres/postgres.ts";
import type { Model } from "../../lib/project/model.ts";
import {
  Changes,
  changesOfTables,
  linesOf,
  PlannedChanges,
} from "./column_changes.ts";
import type { TypedModel } from "./model_types.ts";
import {
  dropViews,
  hasViews,
  makeViews,
  makeViewsAgain,
} from "./warehouse_views.ts";

/** Somebody's object depends on what would change. */
const DEPENDENTS = ["2BP01", "0A000"];

/**
 * Adds to the warehouse's tables the columns that their models have gained, and
 * widens types where the models did; then renews their views. A column that a
 * model has lost stays, and may be null from then on, unless such columns are
 * to be dropped: then the lake's history is loaded again, and columns may
 * change their types freely. Throws a `StageError` that names the column, or
 * what depends on it, where that can't be done.
 */
export async function followModels(
  client: pg.Client,
  options: { models: readonly TypedModel[]; drop?: boolean; log: Logger },
): Promise<void> {
  const { drop = false, log } = options;
  for (const { model, columns } of options.models) {
    const changes = await changesOfTables(client, { model, columns }, drop);
    // The next read of the table reports that it is missing.
    if (changes.length === 0) continue;
    try {
      await apply(client, { model, changes });
      if (drop) await makeViewsAgain(client, model.name);
    } catch (error) {
      if (!DEPENDENTS.includes(sqlState(error) ?? "")) throw error;
      throw new StageError(
        `Cannot give the table "${model.name}" the columns of its model: ${
          messageOf(error)
        }`,
        {
          subject: model.name,
          hint:
            "Drop what depends on the column, run it again, and create it again afterwards",
          cause: error,
        },
      );
    }
    const { given, retyped, taken } = linesOf(changes);
    for (const change of [...given, ...retyped]) {
      log.info("{model}: {change}", { model: model.name, change });
    }
    for (const change of taken) {
      log.warn("{model}: {change}", { model: model.name, change });
    }
  }
}

/** What `followModels` would do; changes nothing, and throws as that does. */
export async function plannedChanges(
  client: pg.Client,
  typed: TypedModel,
  options: { drop: boolean },
): Promise<PlannedChanges> {
  return linesOf(await changesOfTables(client, typed, options.drop));
}

async function apply(
  client: pg.Client,
  options: { model: Model; changes: readonly Changes[] },
): Promise<void> {
  const { model: { name }, changes } = options;
  const isMade = await hasViews(client, name);
  const views = isMade && changes.some(({ reshapes }) => reshapes)
    ? await dropViews(client, {
      table: name,
      dropped: [...new Set(changes.flatMap(({ dropped }) => dropped))],
    })
    : undefined;
  for (const { table, actions } of changes) {
    if (actions.length === 0) continue;
    await client.query(
      `alter table ${quoteName(table)} ${actions.join(", ")}`,
    );
  }
  if (isMade) await makeViews(client, { table: name, views });
}
