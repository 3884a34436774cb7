import type pg from "pg";
import type { BatchLog } from "../../lib/batches/batch_log.ts";
import { isAccepted, isOfSameSql } from "../../lib/batches/same_sql.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { StageError } from "../../lib/errors.ts";
import { serverName } from "../../lib/postgres/postgres.ts";
import type { StageContext } from "../../lib/stage.ts";
import { abandonedNote, abandonedTables } from "./abandoned_tables.ts";
import { plannedChanges } from "./evolve_tables.ts";
import { checkedEntry, findNewestEntry } from "../../lib/warehouse/ledger.ts";
import { loadedModels } from "../../lib/warehouse/loaded_models.ts";
import { ModelTypes, type TypedModel } from "./model_types.ts";
import { warehouseOf } from "../../lib/warehouse/warehouse_settings.ts";

/** The changes that a load or a reload would make to the tables. */
interface RemovalOptions {
  client: pg.Client;
  /** Somebody accepts what it removes. */
  accept: boolean;
}

/**
 * Throws a `StageError` that lists what the next batches would remove from the
 * warehouse, since their SQL differs from that of the batches in it; unless
 * somebody accepts it, now or when transform made them.
 */
export async function checkRemovalsByLoad(
  context: StageContext,
  options: RemovalOptions & {
    batches: BatchLog<ProcessedManifest>;
    newest: ProcessedManifest;
  },
): Promise<void> {
  const { client, accept, batches, newest } = options;
  if (accept || isAccepted(newest, context.sql)) return;
  const entry = await findNewestEntry(client);
  if (entry === undefined || entry.batch >= newest.batch) return;
  if (isOfSameSql(entry, context.sql)) return;
  // A flag does not help where a rebuild is needed.
  await checkedEntry(client, batches);
  refuseRemovals(context, {
    removed: [
      ...await removedColumns(client, {
        models: await readModels(context),
        drop: false,
        isChanged: true,
      }),
      ...await removedTables(client, context),
    ],
    hint:
      "Change sql/ back, or run it again with --accept; once `./totesys transform --accept` has made a batch of this sql/, load goes on by itself",
  });
}

/**
 * The same for a rebuild, which drops columns and changes the types of others;
 * transform has not seen that.
 */
export async function checkRemovalsByRebuild(
  context: StageContext,
  { client, accept }: RemovalOptions,
): Promise<void> {
  if (accept) return;
  const entry = await findNewestEntry(client);
  const isChanged = entry !== undefined && !isOfSameSql(entry, context.sql);
  const models = await readModels(context);
  refuseRemovals(context, {
    removed: [
      ...await removedColumns(client, { models, drop: true, isChanged }),
      ...isChanged ? await removedTables(client, context) : [],
    ],
    hint: "Change sql/ back, or run `./totesys rebuild warehouse --accept`",
  });
}

/**
 * What models remove from their tables, a line each; nothing for a model that
 * can't be followed, since following it reports that.
 */
export async function removedColumns(
  client: pg.Client,
  options: {
    models: readonly TypedModel[];
    drop: boolean;
    /** Whether another type counts: if not, somebody changed it. */
    isChanged: boolean;
  },
): Promise<string[]> {
  const lines: string[] = [];
  for (const typed of options.models) {
    try {
      const { removed, retyped } = await plannedChanges(client, typed, options);
      const counting = [...removed, ...options.isChanged ? retyped : []];
      lines.push(...counting.map((line) => `${typed.model.name}: ${line}`));
    } catch (error) {
      if (!(error instanceof StageError)) throw error;
    }
  }
  return lines;
}

/** The tables whose models are gone, a line each. */
export async function removedTables(
  client: pg.Client,
  { sql }: Pick<StageContext, "sql">,
): Promise<string[]> {
  const names = loadedModels(sql).map(({ name }) => name);
  return (await abandonedTables(client, names))
    .map((table) => `${table}: ${abandonedNote(table)}`);
}

async function readModels(
  { config, resources, sql }: StageContext,
): Promise<readonly TypedModel[]> {
  await using duckdb = await resources.openDuckDb(
    { ...config, s3: undefined },
    { zones: [] },
  );
  return await new ModelTypes(duckdb, sql).read();
}

function refuseRemovals(
  context: StageContext,
  options: { removed: readonly string[]; hint: string },
): void {
  const { removed, hint } = options;
  if (removed.length === 0) return;
  throw new StageError(
    `Cannot change ${
      serverName(warehouseOf(context))
    }: sql/ takes away from it: ${removed.join("; ")}`,
    { subject: "sql/", hint },
  );
}
