import type { ModelColumn } from "../../lib/models/model_column.ts";
import type { BatchLog } from "../../lib/batches/batch_log.ts";
import { inShell } from "../../lib/in_shell.ts";
import { isOfSameSql } from "../../lib/batches/same_sql.ts";
import type {
  IngestionManifest,
  ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { StageError } from "../../lib/errors.ts";
import { typeChange } from "../../lib/project/type_change.ts";
import type { Model } from "../../lib/project/model.ts";
import type { ModelSql, ProjectSql } from "../../lib/project/project_sql.ts";
import { warehouseType } from "../../lib/project/warehouse_type.ts";
import type { StageContext } from "../../lib/stage.ts";
import { type SqlBefore, sqlBefore } from "../../lib/batches/sql_before.ts";
import { changeOf, checkKeys } from "../batches/continuity.ts";
import type { Prepare } from "../batches/make_batch.ts";
import { changedParts } from "./changed_parts.ts";
import { splitQueries } from "./split_queries.ts";

/**
 * Throws a `StageError` if earlier batches have a model under another key, or
 * were made by SQL to which this SQL does more than add columns, tables and
 * models, with a list of that. If a person accepts it, it is only logged. What
 * no pending batch brings to new and changed models is logged, too.
 */
export async function checkSql(
  { sql, log }: StageContext,
  options: {
    accept: boolean;
    prepare: Prepare;
    input: BatchLog<IngestionManifest>;
    output: BatchLog<ProcessedManifest>;
    previous: ProcessedManifest;
    last: IngestionManifest;
  },
): Promise<void> {
  const { accept, previous } = options;
  checkKeys(previous, sql);
  if (isOfSameSql(previous, sql)) return;
  const work = { ...options, ...await options.prepare() };
  const change = await sqlChange(sql, work);
  if (!accept && !change.isAddition) refuseChange(previous, change);
  for (const one of change.taken) log.warn("{taken}", { taken: one });
  const { before } = change;
  for (const lack of await findLacks(sql, { ...work, before })) {
    log.warn("{model}: {lack}", { ...lack });
  }
}

/** What SQL does to that of the batches before. */
export interface SqlChange {
  /** That SQL, if a manifest says what it was. */
  before: SqlBefore | undefined;
  /** What models no longer give, a line each. */
  taken: string[];
  /** What else may be another value or row from now on, a line each. */
  changed: string[];
  /** Whether it is known to add columns, tables and models, and nothing else. */
  isAddition: boolean;
}

/** Finds out what SQL changes since a batch of other SQL. */
export async function sqlChange(
  sql: ProjectSql,
  options: {
    duckdb: DuckDb;
    columns: ReadonlyMap<string, readonly ModelColumn[]>;
    output: BatchLog<ProcessedManifest>;
    previous: ProcessedManifest;
  },
): Promise<SqlChange> {
  const { duckdb, columns, output, previous } = options;
  const before = await sqlBefore(previous, output);
  const { taken, retyped } = changedColumns(before?.given ?? {}, {
    models: sql.models,
    columns,
  });
  const returned = sql.models.map(({ name }) => name).filter((name) =>
    before?.given !== undefined && !Object.hasOwn(before.given, name) &&
    Object.hasOwn(previous.keys ?? {}, name)
  );
  const changed = [
    ...retyped,
    ...returned.map((name) =>
      `${name}: the model is back, and its old rows are still in the lake`
    ),
    ...before?.parts === undefined ? [] : changedParts(before.parts, {
      sql,
      now: await splitQueries(duckdb, sql),
    }),
  ];
  return {
    before,
    taken,
    changed,
    isAddition: before?.parts !== undefined &&
      taken.length + changed.length === 0,
  };
}

function refuseChange(
  { batch }: ProcessedManifest,
  { before, taken, changed }: SqlChange,
): never {
  const lists = [
    ...before?.parts === undefined
      ? ["what it was is not known, as an earlier version made that batch"]
      : [],
    ...taken.length === 0 ? [] : [`it takes away: ${taken.join("; ")}`],
    ...changed.length === 0 ? [] : [`it changes: ${changed.join("; ")}`],
  ];
  throw new StageError(
    `Cannot continue with the changed sql/ (contract, models or quarantine) after batch ${batch}: ${
      lists.join(", and ")
    }`,
    {
      subject: "sql/",
      hint:
        "`./totesys plan` shows what it does to the warehouse. If the change is for new batches only, run transform once with --accept, for load as well; if not, run `./totesys rebuild processed`, then `./totesys rebuild warehouse`",
    },
  );
}

/** A model with rows that are not what this SQL gives, and what repairs it. */
export interface Lack {
  model: string;
  lack: string;
}

/** What no pending batch brings to new and changed models. */
export async function findLacks(
  sql: Pick<ProjectSql, "models">,
  options: {
    /** The last batch of other SQL; undefined if it isn't known. */
    before: SqlBefore | undefined;
    columns: ReadonlyMap<string, readonly ModelColumn[]>;
    input: BatchLog<IngestionManifest>;
    previous: ProcessedManifest;
    last: IngestionManifest;
  },
): Promise<Lack[]> {
  const { before } = options;
  if (before?.given === undefined) return [];
  const partial = await partialTables(options);
  return sql.models.flatMap((model) =>
    lackOf(model, { ...options, before, partial }) ?? []
  );
}

/** The tables that have rows, and that no pending batch reads in full. */
async function partialTables(
  { input, previous, last }: {
    input: BatchLog<IngestionManifest>;
    previous: ProcessedManifest;
    last: IngestionManifest;
  },
): Promise<ReadonlySet<string>> {
  const partial = new Set(
    Object.entries(last.tables).filter(([, { sourceRows }]) => sourceRows > 0)
      .map(([name]) => name),
  );
  const pending = { from: previous.batch + 1, to: last.batch };
  for await (const { tables } of input.range(pending)) {
    for (const [name, { fullRead }] of Object.entries(tables)) {
      if (fullRead !== undefined) partial.delete(name);
    }
  }
  return partial;
}

/**
 * What is not of this SQL in a model that is new or changed, since it came in
 * earlier batches, and the command that repairs it. A join is made whole.
 */
function lackOf(
  model: ModelSql,
  options: {
    before: SqlBefore;
    columns: ReadonlyMap<string, readonly ModelColumn[]>;
    partial: ReadonlySet<string>;
  },
): Lack | undefined {
  const { name, reads, derivation } = model;
  const tables = reads.filter((table) => options.partial.has(table));
  const { isNew, gained, isChanged } = changeOf(model, options);
  if (derivation === "join" || tables.length === 0 || !isChanged) {
    return undefined;
  }
  const resync = `\`./totesys resync ${inShell(tables.join(","))}\``;
  const rebuild = "`./totesys rebuild processed`";
  const way = derivation === "set" ? rebuild : resync;
  return {
    model: name,
    lack: isNew
      ? `new model, only rows that change from now on are in it: ${resync} brings all, ${rebuild} their history, too`
      : gained.length > 0
      ? `${
        gained.join(", ")
      } is null in rows that don't change from now on: ${way} fills it`
      : `its query changed, and rows that don't change from now on stay as it made them before: ${way} makes them again`,
  };
}

/** What models no longer give, and what they give as another type. */
function changedColumns(
  before: NonNullable<ProcessedManifest["given"]>,
  options: {
    models: readonly Model[];
    columns: ReadonlyMap<string, readonly ModelColumn[]>;
  },
): { taken: string[]; retyped: string[] } {
  const taken: string[] = [];
  const retyped: string[] = [];
  for (const [name, gave] of Object.entries(before)) {
    const model = options.models.find((one) => one.name === name);
    if (model === undefined) {
      taken.push(`${name}: the model no longer exists`);
      continue;
    }
    const given = options.columns.get(name) ?? [];
    for (const [column, type] of Object.entries(gave)) {
      const now = given.find((one) => one.name === column);
      if (now === undefined) {
        taken.push(`${name}: no model has the column ${column}`);
      } else if (now.type !== type) {
        const isTime = model.times.includes(column);
        const [held, holds] = [type, now.type]
          .map((one) => warehouseType(one, { isTime }));
        const isWider = held === undefined || holds === undefined ||
          typeChange(holds, held).kind === "fits";
        (isWider ? retyped : taken).push(
          `${name}: the column ${column} is ${holds ?? now.type}, it was ${
            held ?? type
          }`,
        );
      }
    }
  }
  return { taken, retyped };
}
