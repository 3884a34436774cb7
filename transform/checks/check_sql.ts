import type { BatchLog } from "../../lib/batches/batch_log.ts";
import { isOfSameSql } from "../../lib/batches/made_by.ts";
import type {
  IngestionManifest,
  ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import { StageError } from "../../lib/errors.ts";
import { typeChange } from "../../lib/project/column_types.ts";
import type { Model } from "../../lib/project/model.ts";
import type { ModelSql, ProjectSql } from "../../lib/project/project_sql.ts";
import { warehouseType } from "../../lib/project/warehouse_type.ts";
import type { StageContext } from "../../lib/stage.ts";
import {
  changeOf,
  checkKeys,
  type SqlBefore,
  sqlBefore,
} from "../batches/continuity.ts";
import type { ModelColumn } from "../models/model_changes.ts";

/**
 * Throws a `StageError` if earlier batches have a model under another key, or
 * were made by other SQL, with a list of what this SQL no longer gives. If a
 * person accepts it, that is only logged, with what no pending batch brings to
 * new and changed models.
 */
export async function checkSql(
  { sql, log }: StageContext,
  options: {
    accept: boolean;
    columns: ReadonlyMap<string, readonly ModelColumn[]>;
    input: BatchLog<IngestionManifest>;
    output: BatchLog<ProcessedManifest>;
    previous: ProcessedManifest;
    last: IngestionManifest;
  },
): Promise<void> {
  const { accept, columns, output, previous } = options;
  checkKeys(previous, sql);
  if (isOfSameSql(previous, sql)) return;
  const before = await sqlBefore(previous, output);
  const taken = takenAway(before?.given ?? {}, {
    models: sql.models,
    columns,
  });
  if (accept) {
    for (const one of taken) log.warn("{taken}", { taken: one });
    for (const lack of await findLacks(sql, { ...options, before })) {
      log.warn("{model}: {lack}", { ...lack });
    }
    return;
  }
  throw new StageError(
    `Cannot go on from batch ${previous.batch}: sql/ (contract, models or quarantine) has changed since${
      taken.length === 0 ? "" : `, and takes away: ${taken.join("; ")}`
    }`,
    {
      subject: "sql/",
      hint:
        "`deno task plan` shows what it does to the warehouse. If the change is for new batches only, run transform once with --accept, for load as well; if not, run `deno task rebuild processed`, then `deno task rebuild warehouse`",
    },
  );
}

/** A model with rows that are not what this SQL gives, and what mends it. */
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
 * earlier batches, and the command that mends it. A join is made whole.
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
  const resync = `\`deno task resync ${tables.join(",")}\``;
  const rebuild = "`deno task rebuild processed`";
  const way = derivation === "set" ? rebuild : resync;
  return {
    model: name,
    lack: isNew
      ? `it is new, and has only rows that change from now on: ${resync} brings all, ${rebuild} their history, too`
      : gained.length > 0
      ? `${
        gained.join(", ")
      } is null in rows that don't change from now on: ${way} fills it`
      : `its query changed, and rows that don't change from now on stay as it made them before: ${way} makes them again`,
  };
}

/** What models no longer give, a line each. */
function takenAway(
  before: NonNullable<ProcessedManifest["given"]>,
  options: {
    models: readonly Model[];
    columns: ReadonlyMap<string, readonly ModelColumn[]>;
  },
): string[] {
  return Object.entries(before).flatMap(([name, gave]) => {
    const model = options.models.find((one) => one.name === name);
    if (model === undefined) {
      return [`${name}: the model no longer exists`];
    }
    const given = options.columns.get(name) ?? [];
    return Object.entries(gave).flatMap(([column, type]) => {
      const now = given.find((one) => one.name === column);
      if (now === undefined) {
        return [`${name}: no model has the column ${column}`];
      }
      const isTime = model.times.includes(column);
      const [held, holds] = [type, now.type]
        .map((one) => warehouseType(one, { isTime }));
      return held === undefined || holds === undefined ||
          typeChange(holds, held).kind === "fits"
        ? []
        : [`${name}: the column ${column} is ${holds}, it was ${held}`];
    });
  });
}
