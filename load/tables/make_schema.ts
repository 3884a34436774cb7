import type pg from "pg";
import { StageError } from "../../lib/errors.ts";
import { inTransaction, query } from "../../lib/postgres/postgres.ts";
import type { SqlFile } from "../../lib/project/project_sql.ts";
import type { StageContext } from "../../lib/stage.ts";
import { type DerivedModel, derivedTableSql } from "./derived_table_sql.ts";
import { ENGINE_SCHEMA } from "../schema/engine_schema.ts";
import { goneReference } from "../references/declared_references.ts";
import { findUnfinished, finishTables } from "./finish_tables.ts";
import { checkNoneMissing } from "./missing_tables.ts";
import { migrate, pendingMigrations } from "./migrate.ts";
import { ModelTypes } from "./model_types.ts";
import type { Loader } from "../open_loader.ts";
import {
  checkDamaged,
  type DamagedTable,
  damagedTables,
  makeDamaged,
} from "../schema/own_tables.ts";
import { checkFree, checkShapes } from "./table_shape.ts";
import {
  derivedModels,
  leadingMigrations,
  type WantedSchema,
  wantedSchema,
} from "./wanted_schema.ts";

type Context = Pick<StageContext, "config" | "resources" | "sql" | "log">;

/**
 * Creates what a load needs in the warehouse and does not find there, in this
 * order: the pipeline's own tables; those that migrations declare for models;
 * the tables that are derived from models; the other objects of the company's
 * own migrations; then views, comments and foreign keys of all tables. False
 * means that another load is at work, to which the rest is left. Throws a
 * `StageError` when a model's table that the ledger knows is gone, or one of the
 * pipeline's own that a load does not fill, unless all rows are going to be
 * loaded again.
 *
 * `checkLedger` examines the ledger before anything is created, `check` the
 * tables before anything but the pipeline's own tables and what the company's
 * migrations create.
 */
export async function makeSchema(
  context: Context,
  options: {
    loader: Pick<Loader, "client" | "transaction">;
    reloads?: boolean | undefined;
    check?: ((client: pg.Client) => Promise<void>) | undefined;
    checkLedger?: ((client: pg.Client) => Promise<void>) | undefined;
  },
): Promise<boolean> {
  const { loader, reloads = false, check, checkLedger } = options;
  const { client, transaction } = loader;
  const wanted = wantedSchema(context.sql);
  // In a transaction the limits of the role and the database are lifted.
  const look = <Found>(work: () => Promise<Found>) =>
    inTransaction(client, { readOnly: true }, work);
  // A table made for another header can't follow: its losses are not examined.
  const checkAll = async () => {
    await checkShapes(client, wanted);
    await check?.(client);
  };
  // Most loads find that nothing is missing, in one transaction.
  const { damaged, migrates, isChecked, isMade } = await look(() =>
    examine(client, { wanted, reloads, checkAll, checkLedger })
  );
  if (isMade) return true;
  const work = { loader, wanted };
  if (!await repairTables(context, { loader, damaged })) return false;
  if (!await applyMigrations(context, ENGINE_SCHEMA, work)) return false;
  if (!migrates && !isChecked) await look(checkAll);
  const missing = await look(() =>
    missingTables(client, derivedModels(wanted))
  );
  if (missing.length > 0) {
    await look(() => checkNoneMissing(client, missing, { reloads }));
    const leading = leadingMigrations(wanted, missing);
    if (!await applyMigrations(context, leading, work)) return false;
    if (!await makeTables(context, { loader, missing })) return false;
  }
  if (!await applyMigrations(context, wanted.company, work)) return false;
  if (migrates) await look(checkAll);
  if (await look(() => isFinished(client, wanted))) return true;
  return await transaction(async () => {
    // Another load may have done it since.
    const unfinished = await findUnfinished(client, wanted);
    await finishTables(client, unfinished);
    for (const one of unfinished.unnamed) {
      context.log.info("{gone}", { ...one, gone: goneReference(one) });
    }
  });
}

/** Finds what the warehouse lacks; throws what stands in the way. */
async function examine(
  client: pg.Client,
  options: {
    wanted: WantedSchema;
    reloads: boolean;
    checkAll: () => Promise<void>;
    checkLedger?: ((client: pg.Client) => Promise<void>) | undefined;
  },
): Promise<{
  damaged: readonly DamagedTable[];
  /** Whether a migration of the company's has to be applied. */
  migrates: boolean;
  /** Whether the tables were examined, which a company's migration may change. */
  isChecked: boolean;
  isMade: boolean;
}> {
  const { wanted, reloads, checkAll, checkLedger } = options;
  const damaged = await damagedTables(client);
  if (!reloads) checkDamaged(damaged);
  const { migrations, tables } = await findMissing(client, wanted)
    .catch(async (error) => {
      // Another lake's migrations explain nothing.
      if (error instanceof StageError) await checkLedger?.(client);
      throw error;
    });
  const migrates = wanted.company.some(({ name }) => migrations.includes(name));
  const isMade = damaged.length + migrations.length + tables.length === 0 &&
    await isFinished(client, wanted);
  if (!isMade && damaged.length === 0) await checkLedger?.(client);
  // A failure is noted in one of the pipeline's own tables: they come first.
  const isChecked = migrations.length + damaged.length === 0;
  if (isChecked) await checkAll();
  return { damaged, migrates, isChecked, isMade };
}

/** False means that another load is at work, here and below. */
async function repairTables(
  { log }: Context,
  options: {
    loader: Pick<Loader, "client" | "transaction">;
    damaged: readonly DamagedTable[];
  },
): Promise<boolean> {
  const { loader: { client, transaction }, damaged } = options;
  for (const table of damaged) {
    const isAlone = await transaction(() => makeDamaged(client, table));
    if (!isAlone) return false;
    log.warn("{fault}: it is created again", { fault: table.fault });
  }
  return true;
}

async function applyMigrations(
  { log }: Context,
  migrations: readonly SqlFile[],
  options: {
    loader: Pick<Loader, "client" | "transaction">;
    wanted: WantedSchema;
  },
): Promise<boolean> {
  const { loader: { client, transaction }, wanted: { known } } = options;
  const names = await migrate(client, migrations, { known, transaction });
  for (const name of names ?? []) {
    log.info("migration {name} applied", { name });
  }
  return names !== undefined;
}

async function isFinished(
  client: pg.Client,
  wanted: WantedSchema,
): Promise<boolean> {
  const lacking = await findUnfinished(client, wanted);
  return Object.values(lacking).every(({ length }) => length === 0);
}

/** Whether a load would find all that it needs in the warehouse. */
export async function isMade(
  client: pg.Client,
  wanted: WantedSchema,
): Promise<boolean> {
  const { migrations, tables } = await findMissing(client, wanted);
  return migrations.length + tables.length === 0 &&
    await isFinished(client, wanted);
}

/**
 * The parts of the schema that a load would create, by name; writes nothing.
 */
export async function findMissing(
  client: pg.Client,
  wanted: WantedSchema,
): Promise<{ migrations: string[]; tables: string[] }> {
  const { known } = wanted;
  const migrations = await pendingMigrations(client, {
    migrations: known,
    known,
  });
  const tables = await missingTables(client, derivedModels(wanted));
  const nameOf = ({ name }: { name: string }) => name;
  return { migrations: migrations.map(nameOf), tables: tables.map(nameOf) };
}

async function missingTables(
  client: pg.Client,
  models: readonly DerivedModel[],
): Promise<DerivedModel[]> {
  const rows = await query(
    client,
    `select name from unnest($1::text[]) as name
    where to_regclass(quote_ident(name)) is null`,
    [models.map(({ name }) => name)],
  );
  return models.filter((model) => rows.some(({ name }) => name === model.name));
}

async function makeTables(
  { config, resources, sql, log }: Context,
  options: {
    loader: Pick<Loader, "client" | "transaction">;
    missing: readonly DerivedModel[];
  },
): Promise<boolean> {
  const { loader: { client, transaction }, missing } = options;
  await using duckdb = await resources.openDuckDb(
    { ...config, s3: undefined },
    { zones: [] },
  );
  const types = new ModelTypes(duckdb, sql);
  let made: readonly DerivedModel[] = [];
  const isAlone = await transaction(async () => {
    made = await missingTables(client, missing);
    for (const model of made) {
      await checkFree(client, model.name);
      const columns = await types.givenBy(model.name);
      for (const statement of derivedTableSql(model, columns)) {
        await client.query(statement);
      }
    }
  });
  for (const { name } of made) log.info("table {model} made", { model: name });
  return isAlone;
}
