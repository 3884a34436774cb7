import type pg from "pg";
import { BatchLog } from "../lib/batches/batch_log.ts";
import { isOfSameSql } from "../lib/batches/made_by.ts";
import type {
  IngestionManifest,
  ProcessedManifest,
} from "../lib/batches/manifest.ts";
import { type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { EXIT, messageOf, StageError } from "../lib/errors.ts";
import { inTransaction } from "../lib/postgres/postgres.ts";
import { openStageZone, type StageContext } from "../lib/stage.ts";
import { takenColumns, takenTables } from "../load/tables/check_taken.ts";
import { plannedChanges } from "../load/tables/follow_models.ts";
import { checkLake, findNewestEntry } from "../load/ledger.ts";
import { findMissing, wantedSchema } from "../load/tables/make_schema.ts";
import { ModelTypes, type TypedModel } from "../load/tables/model_types.ts";
import { warehouseOf } from "../load/open_loader.ts";
import { checkDamaged, damagedTables } from "../load/schema/own_tables.ts";
import { checkShapes } from "../load/tables/table_shape.ts";
import { checkContinuity, checkKeys } from "../transform/batches/continuity.ts";

const USAGE = `deno task plan [--json]

Shows what the next run would do with this sql/, and writes nothing: which
batches are pending for transform and load, whether sql/ has changed since the
newest batch, and what the warehouse would gain: migrations, tables, columns,
wider types; what it would lose, which a run does with --accept only; and what a
rebuild of the warehouse would drop. Exits 1 when a stage would refuse. It does
not examine what extract would ship.

  --json  one JSON object, also on a terminal`;

/** What a run would do; numbers are of batches. */
export interface Plan {
  /** Batches pending for a stage: the first and the last. */
  transform?: { from: number; to: number };
  load?: { from: number; to: number };
  /** The newest batch, if other SQL made it. */
  changedSince?: number;
  /** Additions to the warehouse, a line each. */
  warehouse: string[];
  /** Removals from it, a line each: a run needs --accept. */
  lost: string[];
  /** Columns and tables that no model has, and what a rebuild does to them. */
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
    const plan: Plan = {
      warehouse: [],
      lost: [],
      rebuild: [],
      refusals: [],
    };
    const input = new BatchLog<IngestionManifest>(ingestion, "extract");
    const output = new BatchLog<ProcessedManifest>(processed, "transform");
    const extracted = (await input.newest())?.batch ?? 0;
    const newest = await output.newest();
    const transformed = newest?.batch ?? 0;
    if (newest !== undefined) {
      await refusedAs(plan, async () => {
        await checkContinuity(newest, { input });
        checkKeys(newest, sql);
      });
      if (!isOfSameSql(newest, sql)) plan.changedSince = newest.batch;
    }
    if (extracted > transformed) {
      plan.transform = { from: transformed + 1, to: extracted };
    }
    await using duckdb = await resources.openDuckDb(
      { ...config, s3: undefined },
      { zones: [] },
    );
    const models = await new ModelTypes(duckdb, sql).read();
    await using connection = await resources.connect(warehouseOf(context), {
      purpose: "plan",
      signal,
    });
    const { client } = connection;
    await inTransaction(client, { readOnly: true }, async () => {
      const entry = await findNewestEntry(client);
      // Of another lake's warehouse there is nothing else to say.
      if (!await refusedAs(plan, () => checkLake(client, output))) return;
      const isChanged = entry !== undefined && !isOfSameSql(entry, sql);
      await planWarehouse(client, { context, plan, models, isChanged });
      const loaded = entry?.batch ?? 0;
      const last = Math.max(extracted, transformed);
      if (last > loaded) plan.load = { from: loaded + 1, to: last };
    });
    return plan;
  } finally {
    ingestion.close();
    processed.close();
  }
}

async function planWarehouse(
  client: pg.Client,
  { context, plan, models, isChanged }: {
    context: StageContext;
    plan: Plan;
    models: readonly TypedModel[];
    /** Whether the newest batch there was made by other SQL. */
    isChanged: boolean;
  },
): Promise<void> {
  await refusedAs(plan, async () => {
    const damaged = await damagedTables(client);
    checkDamaged(damaged);
    plan.warehouse.push(
      ...damaged.map(({ fault }) => `${fault}: it is created again`),
    );
    const wanted = wantedSchema(context.sql);
    const { migrations, tables } = await findMissing(client, wanted);
    plan.warehouse.push(
      ...migrations.map((name) => `migration ${name}`),
      ...tables.map((name) => `table ${name}`),
    );
    // A migration may change a table first.
    if (migrations.length === 0) await checkShapes(client, wanted);
  });
  for (const typed of models) {
    await refusedAs(plan, async () => {
      const { given } = await plannedChanges(client, typed, { drop: false });
      plan.warehouse.push(
        ...given.map((change) => `${typed.model.name}: ${change}`),
      );
    });
  }
  const columns = (drop: boolean) =>
    takenColumns(client, { models, drop, isChanged });
  const tables = await takenTables(client, context);
  if (isChanged) plan.lost.push(...await columns(false), ...tables);
  plan.rebuild.push(...await columns(true), ...tables);
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

/** Runs `deno task plan`; gives the exit code. */
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

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
}

/** The plan as a table for people. */
export function formatPlan(plan: Plan): string {
  const batches = (pending: { from: number; to: number } | undefined) =>
    pending === undefined
      ? "nothing pending"
      : pending.from === pending.to
      ? `batch ${pending.from}`
      : `batches ${pending.from} to ${pending.to}`;
  return [
    `transform  ${batches(plan.transform)}`,
    ...plan.changedSince === undefined ? [] : [
      `           sql/ has changed since batch ${plan.changedSince}: run it with --accept, for new batches only, or \`deno task rebuild processed\``,
    ],
    `load       ${batches(plan.load)}`,
    ...plan.warehouse.length + plan.lost.length === 0
      ? ["warehouse  unchanged"]
      : [],
    ...section("warehouse  will gain:", plan.warehouse),
    ...section(
      "warehouse  will lose, only with --accept:",
      plan.lost,
    ),
    ...section(
      "rebuild    would also drop columns that no model has (tables stay):",
      plan.rebuild,
    ),
    ...plan.refusals.flatMap(({ message, hint }) => [
      `refused: ${message}`,
      ...hint === undefined ? [] : [`  -> ${hint}`],
    ]),
    "Nothing was written.",
    "",
  ].join("\n");
}

if (import.meta.main) Deno.exit(await main(Deno.args));
