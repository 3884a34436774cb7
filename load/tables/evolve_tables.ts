import type { Logger } from "@logtape/logtape";
import type pg from "pg";
import { messageOf, StageError } from "../../lib/errors.ts";
import { sqlState } from "../../lib/postgres/postgres.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import type { Model } from "../../lib/project/model.ts";
import {
  dropRetyped,
  restoreRetyped,
} from "../references/retyped_references.ts";
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

/**
 * Somebody's object depends on what would change; or a foreign key does, whose
 * other side has a type that can't be compared with the new one.
 */
const DEPENDENTS = ["2BP01", "0A000", "42804"];
/** A view would show one of its columns under another name. */
const RENAMED = "42P16";

/** A model whose tables were changed. */
export interface SchemaChange {
  model: Model;
  changes: readonly Changes[];
}

/**
 * Adds to the warehouse's tables the columns that their models have gained, and
 * widens types where the models did; then renews their views, and the foreign
 * keys between them. A column that a model has lost stays, and may be null from
 * then on, unless such columns are to be dropped: then the lake's history is
 * loaded again, and columns may change their types freely. Throws a
 * `StageError` that names the column, or what depends on it, where that can't
 * be done. Returns what changed, to be reported once it is committed.
 */
export async function evolveTables(
  client: pg.Client,
  options: { models: readonly TypedModel[]; drop?: boolean },
): Promise<readonly SchemaChange[]> {
  const { models, drop = false } = options;
  const changes = await changesOfTables(client, models, drop);
  // The next read of a table that is missing reports that.
  const all = models.map(({ model }, index): SchemaChange => ({
    model,
    changes: changes[index] ?? [],
  })).filter((change) => change.changes.length > 0);
  const retyped = await dropRetyped(client, {
    models: models.map(({ model }) => model.name),
    changes: all.flatMap(({ changes }) => changes),
  });
  for (const change of all) {
    const { model } = change;
    await named(model.name, async () => {
      await apply(client, change);
      if (drop) await makeViewsAgain(client, model.name);
    });
  }
  for (const { table, constraint } of await restoreRetyped(client, retyped)) {
    all.flatMap(({ changes }) => changes)
      .find((change) => change.table === table)?.removed
      .push(
        `the foreign key ${constraint} is gone: its two sides now have types that can't be compared`,
      );
  }
  return all;
}

/** Names the table in an error about what depends on its columns. */
async function named(table: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const state = sqlState(error) ?? "";
    if (![...DEPENDENTS, RENAMED].includes(state)) throw error;
    throw new StageError(
      `Cannot give the table "${table}" the columns of its model: ${
        messageOf(error)
      }`,
      {
        subject: table,
        hint: state === RENAMED
          ? "Somebody renamed a column of it: give it its name again, or run `./totesys rebuild warehouse --accept`"
          : "Drop what depends on the column, run it again, and create it again afterwards",
        cause: error,
      },
    );
  }
}

/** Logs what models gave to their tables, and what they took. */
export function reportSchemaChanges(
  log: Logger,
  schemaChanges: readonly SchemaChange[],
): void {
  for (const { model, changes } of schemaChanges) {
    const { given, retyped, removed } = linesOf(changes);
    for (const change of [...given, ...retyped]) {
      log.info("{model}: {change}", { model: model.name, change });
    }
    for (const change of removed) {
      log.warn("{model}: {change}", { model: model.name, change });
    }
  }
}

/** What `evolveTables` would do; changes nothing, and throws as that does. */
export async function plannedChanges(
  client: pg.Client,
  typed: TypedModel,
  options: { drop: boolean },
): Promise<PlannedChanges> {
  const [changes = []] = await changesOfTables(client, [typed], options.drop);
  return linesOf(changes);
}

async function apply(
  client: pg.Client,
  { model: { name }, changes }: SchemaChange,
): Promise<void> {
  const isReshaped = changes.some(({ reshapes }) => reshapes) &&
    await hasViews(client, name);
  const views = isReshaped
    ? await dropViews(client, {
      table: name,
      dropped: [...new Set(changes.flatMap(({ dropped }) => dropped))],
    })
    : undefined;
  for (const { table, actions, empties } of changes) {
    if (actions.length === 0) continue;
    if (empties) await client.query(`truncate ${quoteName(table)}`);
    await client.query(
      `alter table ${quoteName(table)} ${actions.join(", ")}`,
    );
  }
  await makeViews(client, { table: name, views });
}
