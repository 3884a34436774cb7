import type { BatchLog } from "../../lib/batches/batch_log.ts";
import type {
  IngestionManifest,
  ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import { StageError } from "../../lib/errors.ts";
import { typeChange } from "../../lib/project/column_types.ts";
import type { Model } from "../../lib/project/model.ts";
import { warehouseType } from "../../lib/project/warehouse_type.ts";
import type { StageContext } from "../../lib/stage.ts";
import {
  checkKeys,
  gainedColumns,
  givenBy,
  isOfSameSql,
} from "../batches/continuity.ts";
import type { ModelColumn } from "../models/model_changes.ts";

/**
 * Throws a `StageError` if earlier batches have a model under another key, or
 * were made by other SQL, with a list of what this SQL no longer gives. If a
 * person accepts it, that is only logged, with what models gain and no pending
 * batch brings.
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
  const before = await givenBy(previous, output);
  const taken = takenAway(before ?? {}, { models: sql.models, columns });
  if (accept) {
    for (const one of taken) log.warn("{taken}", { taken: one });
    if (before === undefined) return;
    const partial = await partialTables(options);
    for (const model of sql.models) {
      const lack = lackOf(model, { ...options, before, partial });
      if (lack !== undefined) log.warn("{model}: {lack}", { ...lack });
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
 * What is missing of a model that is new or gains columns, since it came in
 * earlier batches, and the command that brings it. A join is made whole.
 */
function lackOf(
  { name, reads, derivation }: Model,
  options: {
    before: NonNullable<ProcessedManifest["given"]>;
    columns: ReadonlyMap<string, readonly ModelColumn[]>;
    partial: ReadonlySet<string>;
  },
): { model: string; lack: string } | undefined {
  const { before, columns, partial } = options;
  const tables = reads.filter((table) => partial.has(table));
  const gained = gainedColumns(before[name], columns.get(name));
  if (derivation === "join" || tables.length * gained.length === 0) {
    return undefined;
  }
  const resync = `\`deno task resync ${tables.join(",")}\``;
  const rebuild = "`deno task rebuild processed`";
  return {
    model: name,
    lack: before[name] === undefined
      ? `it is new, and has only rows that change from now on: ${resync} brings all, ${rebuild} their history, too`
      : `${gained.join(", ")} is null in rows that don't change from now on: ${
        derivation === "set" ? rebuild : resync
      } fills it`,
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
