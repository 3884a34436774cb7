import type pg from "pg";
import { StageError } from "../lib/errors.ts";
import { query, quoteName } from "../lib/postgres.ts";
import {
  type Digest,
  digestSql,
  endedVersions,
  type HashedRows,
  hashRowsSql,
  toDigest,
} from "./digest.ts";
import { type HashedColumn, isComparable } from "./row_hash.ts";

/** A model as the warehouse holds it after a batch. */
export interface WarehouseModel {
  /** The model's columns that the warehouse has. */
  columns: readonly HashedColumn[];
  rows: HashedRows;
  digest: Digest;
  /** Its versions that ended up to the batch. */
  ended: { rows: HashedRows; digest: Digest };
}

/**
 * Digests a model in the warehouse as of a batch: its rows stay there. Throws
 * a `StageError` when a column's type can't hold what the lake has.
 */
export async function digestInWarehouse(
  client: pg.Client,
  options: {
    model: { name: string; key: readonly string[] };
    /** The model's columns as the lake has them. */
    columns: readonly HashedColumn[];
    batch: number;
  },
): Promise<WarehouseModel> {
  const { model, batch } = options;
  const relation = `${quoteName(`${model.name}_as_of_batch`)}(${batch})`;
  const { fields } = await client.query(`select * from ${relation} limit 0`);
  const columns = options.columns.flatMap((column): HashedColumn[] => {
    const field = fields.find((one) => one.name === column.name);
    if (field === undefined) {
      return model.key.includes(column.name) ? [column] : [];
    }
    const { dataTypeID: id, dataTypeModifier: modifier } = field;
    return [{ ...column, postgres: { id, modifier } }];
  });
  for (const column of columns) {
    if (!isComparable(column)) throw notComparable(model.name, column);
  }
  const key = columns.filter((column) => model.key.includes(column.name));
  const rows: HashedRows = {
    engine: "Postgres",
    sql: hashRowsSql(`${relation} as held`, {
      engine: "Postgres",
      key,
      columns,
    }),
    key,
  };
  const history = hashRowsSql(`${quoteName(`${model.name}_history`)} as held`, {
    engine: "Postgres",
    key,
    columns,
    besides: ["from_batch", "to_batch"],
  });
  const ended = endedVersions(`${history} where to_batch <= ${batch}`, {
    engine: "Postgres",
    key,
  });
  const digested = async (some: HashedRows) => ({
    rows: some,
    digest: toDigest(await query(client, digestSql(some))),
  });
  return { columns, ...await digested(rows), ended: await digested(ended) };
}

function notComparable(model: string, column: HashedColumn): StageError {
  const found = column.postgres === undefined
    ? "missing"
    : `of the type with the number ${column.postgres.id}`;
  return new StageError(
    `Cannot compare "${model}" with the warehouse: its column "${column.name}" is ${column.type} in the lake, there it is ${found}`,
    {
      subject: model,
      hint:
        "Give the model and the warehouse types that hold the same values: text, boolean, whole numbers, numeric, date, time, timestamp or uuid",
    },
  );
}
