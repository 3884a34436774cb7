import type { ModelColumn } from "../lib/models/model_column.ts";
import type pg from "pg";
import { hashOfContract } from "../extract/plan_reads.ts";
import { BatchLog } from "../lib/batches/batch_log.ts";
import { isOfSameSql } from "../lib/batches/same_sql.ts";
import type {
  IngestionManifest,
  ProcessedManifest,
} from "../lib/batches/manifest.ts";
import type { DuckDb } from "../lib/duckdb/duckdb.ts";
import { type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { EXIT, messageOf, StageError } from "../lib/errors.ts";
import { inTransaction } from "../lib/postgres/postgres.ts";
import { openStageZone, type StageContext } from "../lib/stage.ts";
import { formatPlan } from "./format_plan.ts";
import { checkGiven } from "../load/tables/check_columns.ts";
import {
  removedColumns,
  removedTables,
} from "../load/tables/check_removals.ts";
import {
  findMissingReferences,
  findUnnamed,
  goneReference,
  type MissingReference,
} from "../load/references/declared_references.ts";
import { plannedChanges } from "../load/tables/evolve_tables.ts";
import {
  checkSameLake,
  findNewestEntry,
  type LedgerEntry,
} from "../lib/warehouse/ledger.ts";
import { findMissing } from "../load/tables/make_schema.ts";
import { wantedSchema } from "../load/tables/wanted_schema.ts";
import { ModelTypes } from "../load/tables/model_types.ts";
import { readWarehouseTables } from "../load/tables/warehouse_table.ts";
import { checkDamaged, damagedTables } from "../load/schema/own_tables.ts";
import { checkShapes } from "../load/tables/table_shape.ts";
import { checkContinuity } from "../transform/batches/check_continuity.ts";
import { checkKeys } from "../transform/batches/continuity.ts";
import { findLacks, sqlChange } from "../transform/checks/check_sql.ts";
import { warehouseOf } from "../lib/warehouse/warehouse_settings.ts";

const USAGE = `./totesys plan [--json]

Shows what the next run would do with this sql/, and writes nothing: which
batches are pending for transform and load, whether sql/ has changed since the
newest batch, and which rows a run would leave as the SQL before made them; what
the warehouse would gain: migrations, tables, columns, wider types, foreign
keys; which foreign keys would be dropped; what it would lose, which a run does
with --accept only; and what a rebuild of the warehouse would drop. Exits 1 when
a stage would refuse. It does not examine what extract would ship.

  --json  one JSON object, also on a terminal`;

/** What a run would do; numbers are of batches. */
export interface Plan {
  /** Batches pending for a stage: the first and the last. */
  transform?: { from: number; to: number };
  load?: { from: number; to: number };
  /** The newest batch, if other SQL made it. */
  changedSince?: number;
  /** If so, whether transform goes on with it by itself. */
  isAddition?: boolean;
  /** If not, what transform asks --accept for, as far as it is known. */
  changes: string[];
  /** Models with rows that a run would leave as they are, a line each. */
  lacks: string[];
  /** Additions to the warehouse, a line each. */
  warehouse: string[];
  /** Foreign keys that it loses without a question, a line each. */
  dropped: string[];
  /** Removals from it, a line each: a run needs --accept, or: */
  lost: string[];
  /** Somebody accepted them before. */
  isAccepted?: boolean;
  /** Columns and tables without a model, and what a rebuild does to them. */
  rebuild: string[];
  /** Reasons why a stage would stop, each with what to do. */
  refusals: { message: string; hint?: string }[];
}

/**
 * Finds out what the next run would do. Throws a `StageError` when a zone, the
 * warehouse or `sql/` can't be read.
 */
export async function makePlan(context: StageContext): Promise<Plan> {
  const { config, resources, sql, signal } = context;
  const ingestion = openStageZone(context, "ingestion");
  const processed = openStageZone(context, "processed");
  try {
    const plan = emptyPlan();
    const input = new BatchLog<IngestionManifest>(ingestion, "extract");
    const output = new BatchLog<ProcessedManifest>(processed, "transform");
    const last = await input.newest();
    const extracted = last?.batch ?? 0;
    const newest = await output.newest();
    const transformed = newest?.batch ?? 0;
    if (newest !== undefined) {
      await refusedAs(plan, async () => {
        await checkContinuity(newest, { input });
        checkKeys(newest, sql);
      });
    }
    if (extracted > transformed) {
      plan.transform = { from: transformed + 1, to: extracted };
    }
    const local = { ...config, s3: undefined };
    await using duckdb = await resources.openDuckDb(local, { zones: [] });
    const types = new ModelTypes(duckdb, sql);
    const models = await types.read();
    if (newest !== undefined && !isOfSameSql(newest, sql)) {
      const columns = new Map(
        models.map(({ model, columns }) => [model.name, columns]),
      );
      const of = { columns, input, output, duckdb, previous: newest, last };
      await planChange(context, { ...of, plan });
    }
    await using connection = await resources.connect(warehouseOf(context), {
      purpose: "plan",
      signal,
    });
    const { client } = connection;
    await inTransaction(client, { readOnly: true }, async () => {
      const entry = await findNewestEntry(client);
      // Of another lake's warehouse there is nothing else to say.
      if (!await refusedAs(plan, () => checkSameLake(client, output))) return;
      await planWarehouse(client, { context, plan, types, entry });
      const loaded = entry?.batch ?? 0;
      const to = Math.max(extracted, transformed);
      if (to > loaded) plan.load = { from: loaded + 1, to };
    });
    const wasAccepted = newest?.sql?.isAccepted === true;
    if (wasAccepted && plan.isAddition !== false) plan.isAccepted = true;
    return plan;
  } finally {
    ingestion.close();
    processed.close();
  }
}

function emptyPlan(): Plan {
  return {
    changes: [],
    lacks: [],
    warehouse: [],
    dropped: [],
    lost: [],
    rebuild: [],
    refusals: [],
  };
}

/** What changed in the SQL since a batch, and what a run leaves as it is. */
async function planChange(
  { sql }: StageContext,
  options: {
    plan: Plan;
    duckdb: DuckDb;
    input: BatchLog<IngestionManifest>;
    output: BatchLog<ProcessedManifest>;
    previous: ProcessedManifest;
    last: IngestionManifest | undefined;
    columns: ReadonlyMap<string, readonly ModelColumn[]>;
  },
): Promise<void> {
  const { plan, previous, last } = options;
  const { before, taken, changed, isAddition } = await sqlChange(sql, options);
  plan.changedSince = previous.batch;
  plan.isAddition = isAddition;
  plan.changes.push(...taken, ...changed);
  if (last === undefined) return;
  // Extract reads a table in full once its contract has changed.
  const unchanged = Object.entries(last.tables).filter(([name, table]) =>
    sql.tables.some((one) =>
      one.name === name && hashOfContract(one) === table.contractHash
    )
  );
  const lacks = await findLacks(sql, {
    ...options,
    before,
    last: { ...last, tables: Object.fromEntries(unchanged) },
  });
  plan.lacks.push(...lacks.map(({ model, lack }) => `${model}: ${lack}`));
}

async function planWarehouse(
  client: pg.Client,
  { context, plan, types, entry }: {
    context: StageContext;
    plan: Plan;
    types: ModelTypes;
    /** The newest batch there. */
    entry: LedgerEntry | undefined;
  },
): Promise<void> {
  const { sql } = context;
  const models = await types.read();
  // As load does, which follows the models once for each SQL.
  const follows = entry?.transformHash !== sql.transformHash;
  let missing: MissingReference[] = [];
  await refusedAs(plan, async () => {
    const damaged = await damagedTables(client);
    checkDamaged(damaged);
    plan.warehouse.push(
      ...damaged.map(({ fault }) => `${fault}: it is created again`),
    );
    const wanted = wantedSchema(sql);
    const { migrations, tables } = await findMissing(client, wanted);
    plan.warehouse.push(
      ...migrations.map((name) => `migration ${name}`),
      ...tables.map((name) => `table ${name}`),
    );
    missing = await findMissingReferences(client, { ...wanted, planned: true });
    // A migration may change a table first.
    if (migrations.length > 0) return;
    await checkShapes(client, wanted);
    const unnamed = await findUnnamed(client, wanted);
    plan.dropped.push(...unnamed.map(goneReference));
    if (!follows) await planLoad(client, { plan, types });
  });
  for (const typed of follows ? models : []) {
    await refusedAs(plan, async () => {
      const { given } = await plannedChanges(client, typed, { drop: false });
      plan.warehouse.push(
        ...given.map((change) => `${typed.model.name}: ${change}`),
      );
    });
  }
  // A foreign key comes after its column.
  plan.warehouse.push(
    ...missing.map(({ model, column, dimension }) =>
      `${model}: the foreign key ${column} -> ${dimension} is new`
    ),
  );
  const isChanged = entry !== undefined && !isOfSameSql(entry, sql);
  const columns = (drop: boolean) =>
    removedColumns(client, { models, drop, isChanged });
  const tables = await removedTables(client, context);
  if (isChanged) plan.lost.push(...await columns(false), ...tables);
  plan.rebuild.push(...await columns(true), ...tables);
}

/** Finds tables that the models' next versions would not go into. */
async function planLoad(
  client: pg.Client,
  { plan, types }: { plan: Plan; types: ModelTypes },
): Promise<void> {
  const typed = await types.read();
  const models = typed.map(({ model }) => model);
  const tables = await readWarehouseTables(client, { models, types });
  for (const [index, one] of typed.entries()) {
    const table = tables[index];
    if (table === undefined) continue;
    await refusedAs(
      plan,
      () => checkGiven({ client, types }, { ...one, table }),
    );
  }
}

/** Notes the refusal of some work, and goes on; whether it was not refused. */
async function refusedAs(
  plan: Plan,
  work: () => Promise<void>,
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof StageError)) throw error;
    plan.refusals.push({
      message: messageOf(error),
      ...error.hint === undefined ? {} : { hint: error.hint },
    });
    return false;
  }
}

/** Runs `./totesys plan`; gives the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "plan",
      usage: USAGE,
      needs: ["ingestion", "processed", "warehouse"],
      options: {},
      run: async (context, { write, json }) => {
        const plan = await makePlan(context);
        write(json ? `${JSON.stringify(plan)}\n` : formatPlan(plan));
        return plan.refusals.length > 0 ? EXIT.failed : EXIT.ok;
      },
    },
    args,
    io,
  );
}

if (import.meta.main) Deno.exit(await main(Deno.args));
