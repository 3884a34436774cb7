import {
  HOLDS_UNTIL_COLUMNS,
  STAMP_COLUMNS,
} from "../../lib/duckdb/version_columns.ts";
import { StageError } from "../../lib/errors.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import { typeChange } from "../../lib/project/type_change.ts";
import { warehouseType } from "../../lib/project/warehouse_type.ts";
import type { ExportedVersions } from "../rows/export_versions.ts";
import type { LoadWork } from "../merge_group.ts";
import type { TypedModel } from "./model_types.ts";
import type { WarehouseTable } from "./warehouse_table.ts";

/** What tells the columns of models and of their tables. */
type Columns = Pick<LoadWork, "client" | "types">;

/** The columns that a file of the lake has beside its model's. */
const LAKE_COLUMNS = [...STAMP_COLUMNS, ...HOLDS_UNTIL_COLUMNS]
  .map(({ name }) => name);

/**
 * Throws a `StageError` when a load of some version of this model would, since
 * its table does not have the columns that the model gives.
 */
export async function checkGiven(
  work: Columns,
  { table, model, columns }: TypedModel & { table: WarehouseTable },
): Promise<void> {
  const names = columns.map(({ name }) => name);
  await checkKnown(work, {
    name: model.name,
    unknown: names.filter((name) => !table.columns.includes(name)),
  });
  const types = new Map(columns.map(({ name, type }) => [name, type]));
  await checkTypes(work, { table, types });
}

/**
 * Throws a `StageError` when a column would cut off what is written into it:
 * load gives columns types that hold every value, so somebody has changed it
 * since. The model's types are read only where the files suggest it.
 */
export async function checkTypes(
  { types }: Columns,
  options: { table: WarehouseTable; types: ExportedVersions["types"] },
): Promise<void> {
  const { table: { model, columns, types: present } } = options;
  for (const name of columns) {
    const type = options.types.get(name);
    const doubtful = (present.get(name) ?? []).filter((one) =>
      one !== "text" && type !== undefined && isTooNarrow(one, type)
    );
    if (doubtful.length === 0) continue;
    const wanted = await types.typeOf(model.name, name);
    const narrow = doubtful.find((one) =>
      wanted !== undefined && typeChange(one, wanted).kind !== "fits"
    );
    if (narrow === undefined) continue;
    throw new StageError(
      `Cannot load "${model.name}": its column "${name}" is ${narrow}, which may cut off what its model gives, ${wanted}`,
      {
        subject: model.name,
        hint:
          "Somebody changed its type: run `./totesys rebuild warehouse`, which restores its type and values",
      },
    );
  }
}

/**
 * Whether a column may cut off values of DuckDB's type, or refuse them; a time
 * of day is text in the files, and counts as that.
 */
export function isTooNarrow(present: string, duckDbType: string): boolean {
  const wanted = warehouseType(duckDbType, { isTime: false });
  return wanted !== undefined && typeChange(present, wanted).kind !== "fits";
}

/** Throws a `StageError` when the warehouse lacks a column that a model gives. */
export async function checkKnown(
  { client, types }: Columns,
  options: { name: string; unknown: readonly string[] },
): Promise<void> {
  const { name, unknown } = options;
  const suspect = unknown.filter((column) => !LAKE_COLUMNS.includes(column));
  if (suspect.length === 0) return;
  const given = await types.columnsOf(name);
  // A column whose values the table itself gives exists, and is left alone.
  const { fields } = await client.query(
    `select * from ${quoteName(name)} limit 0`,
  );
  const lost = suspect.find((column) =>
    given.includes(column) && !fields.some((field) => field.name === column)
  );
  if (lost === undefined) return;
  throw new StageError(
    `Cannot load "${name}": the warehouse's table has no column "${lost}" any more, which its model gives`,
    {
      subject: name,
      hint:
        "Somebody renamed or dropped it: give it its name again, or run `./totesys rebuild warehouse --accept`",
    },
  );
}
