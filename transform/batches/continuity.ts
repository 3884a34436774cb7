import type { ModelColumn } from "../../lib/models/model_column.ts";
import type { BatchLog } from "../../lib/batches/batch_log.ts";
import { isOfSameSql } from "../../lib/batches/same_sql.ts";
import { type SqlBefore, sqlBefore } from "../../lib/batches/sql_before.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { StageError } from "../../lib/errors.ts";
import type { ModelSql, ProjectSql } from "../../lib/project/project_sql.ts";
import { queryHash } from "../../lib/project/transform_hash.ts";
import { splitQueries } from "../checks/split_queries.ts";
import { tableFiles } from "../tables/table_state.ts";
import type { Prepare } from "./make_batch.ts";

/**
 * The fields of a batch's manifest on the SQL that made it. What was accepted
 * once is so for the SQL that only adds to it.
 */
export async function sqlSince(
  sql: ProjectSql,
  options: {
    prepare: Prepare;
    batch: number;
    previous: ProcessedManifest | undefined;
    accept?: boolean;
  },
): Promise<
  & Required<Pick<ProcessedManifest, "sql">>
  & SqlBefore
> {
  const { prepare, batch, previous, accept = false } = options;
  if (previous?.sql?.inParts && isOfSameSql(previous, sql)) {
    const { sql: known } = previous;
    if (known.isAccepted || !accept) return { sql: known };
  }
  const { duckdb, columns } = await prepare();
  return {
    sql: {
      since: batch,
      isAccepted: accept || previous?.sql?.isAccepted === true,
      inParts: true,
    },
    given: Object.fromEntries(
      [...columns].map(([model, given]) => [
        model,
        Object.fromEntries(given.map(({ name, type }) => [name, type])),
      ]),
    ),
    queries: Object.fromEntries(
      sql.models.map((model) => [model.name, queryHash(model)]),
    ),
    parts: (await splitQueries(duckdb, sql)).parts,
  };
}

/** How a model differs from what it was in other SQL. */
export interface ModelChange {
  isNew: boolean;
  /** The columns that it did not have: all, if it is new. */
  gained: string[];
  /** Whether it has more columns, or its query is known to be another one. */
  isChanged: boolean;
}

/** Compares a model with what it was in other SQL. */
export function changeOf(
  model: ModelSql,
  options: {
    before: SqlBefore;
    columns: ReadonlyMap<string, readonly ModelColumn[]>;
  },
): ModelChange {
  const { before: { given, queries }, columns } = options;
  const gave = given?.[model.name];
  const hash = queries?.[model.name];
  const gained = (columns.get(model.name) ?? []).map(({ name }) => name)
    .filter((name) => gave?.[name] === undefined);
  const isRewritten = hash !== undefined && hash !== queryHash(model);
  return {
    isNew: gave === undefined,
    gained,
    isChanged: gained.length > 0 || isRewritten,
  };
}

/**
 * The last batch of other SQL, for the first one of this: joined models that
 * are new, changed or were not joined before are compared with the lake, whose
 * rows may not be those of this SQL, though no later batch changes them.
 */
export async function withChangedJoins(
  previous: ProcessedManifest,
  options: {
    sql: ProjectSql;
    prepare: Prepare;
    output: BatchLog<ProcessedManifest>;
  },
): Promise<ProcessedManifest> {
  const { sql, prepare, output } = options;
  const { columns } = await prepare();
  const before = await sqlBefore(previous, output);
  const isChanged = (model: ModelSql) => {
    if (before?.given === undefined) return false;
    return changeOf(model, { before, columns }).isChanged;
  };
  const joins = sql.models.filter((model) =>
    model.derivation === "join" && (isChanged(model) ||
      model.reads.some((table) =>
        tableFiles(previous.state, table).length === 0
      ))
  );
  const postponed = [
    ...new Set([
      ...previous.postponed ?? [],
      ...joins.map(({ name }) => name),
    ]),
  ];
  return postponed.length === 0 ? previous : { ...previous, postponed };
}

/**
 * Throws a `StageError` if earlier batches identify a model's versions by
 * another key, with which they can't continue.
 */
export function checkKeys(
  { batch, keys = {} }: ProcessedManifest,
  { models }: Pick<ProjectSql, "models">,
): void {
  for (const { name, key } of models) {
    const before = keys[name];
    if (before === undefined || hasSameColumns(before, key)) continue;
    throw new StageError(
      `Cannot change the key of "${name}" to (${
        key.join(", ")
      }): until batch ${batch} it was (${before.join(", ")})`,
      {
        subject: `models/${name}`,
        hint:
          "Run `./totesys rebuild processed`, which rebuilds all versions under this key, then `./totesys rebuild warehouse`",
      },
    );
  }
}

function hasSameColumns(
  one: readonly string[],
  other: readonly string[],
): boolean {
  return one.length === other.length &&
    one.every((name) => other.includes(name));
}
