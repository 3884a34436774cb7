import type { BatchLog } from "../../lib/batches/batch_log.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { StageError } from "../../lib/errors.ts";
import { typeChange } from "../../lib/project/column_types.ts";
import type { Model } from "../../lib/project/model.ts";
import { warehouseType } from "../../lib/project/warehouse_type.ts";
import type { StageContext } from "../../lib/stage.ts";
import { checkKeys, isOfSameSql } from "../batches/continuity.ts";
import type { ModelColumn } from "../models/model_changes.ts";

/**
 * Throws a `StageError` if earlier batches have a model under another key, or
 * were made by other SQL, with a list of what this SQL no longer gives. The
 * latter is only logged if a person accepts it.
 */
export async function checkSql(
  { sql, log }: StageContext,
  options: {
    accept: boolean;
    columns: ReadonlyMap<string, readonly ModelColumn[]>;
    output: BatchLog<ProcessedManifest>;
    previous: ProcessedManifest;
  },
): Promise<void> {
  const { accept, columns, output, previous } = options;
  checkKeys(previous, sql);
  if (isOfSameSql(previous, sql)) return;
  const { since } = previous.sql ?? {};
  const first = since === undefined ? undefined : await output.find(since);
  const taken = takenAway(first?.given ?? {}, { models: sql.models, columns });
  if (accept) {
    for (const one of taken) log.warn("{taken}", { taken: one });
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
