import type pg from "pg";
import { StageError } from "../../lib/errors.ts";
import { query, quoteName } from "../../lib/postgres/postgres.ts";
import type { Model } from "../../lib/project/model.ts";
import tableShapesSql from "./table_shapes.sql" with { type: "text" };

/** The parts of a model's table that identify its rows. */
interface TableShape {
  columns: string[];
  /** Whether there is a table of older versions. */
  hasClosed: boolean;
  /** The columns of each unique index that covers all rows. */
  unique: string[][];
}

type Shaped = Pick<Model, "name" | "kind" | "key" | "recordId">;

/**
 * Throws a `StageError` when the table of a model was made for another kind,
 * key or serial number: none of these can follow the model once there are rows.
 */
export async function checkShapes(
  client: pg.Client,
  options: {
    models: readonly Shaped[];
    /** Whether no migration of the company's declares a model's table. */
    isDerived: (model: Shaped) => boolean;
  },
): Promise<void> {
  const { models, isDerived } = options;
  const rows = await query(client, tableShapesSql, [
    models.map(({ name }) => name),
  ]);
  for (const row of rows) {
    const model = models.find(({ name }) => name === row.name);
    if (model === undefined) continue;
    const columns: string[] = JSON.parse(row.columns ?? "[]");
    // Each table that load makes has an interval.
    if (isDerived(model) && !columns.includes("from_batch")) {
      throw takenName(model.name, model.name);
    }
    const fault = shapeFault(model, {
      columns,
      hasClosed: row.closed !== null,
      unique: JSON.parse(row.unique_columns ?? "[]"),
    });
    if (fault === undefined) continue;
    const tables = [
      model.name,
      ...row.closed === null ? [] : [closed(model)],
    ];
    throw new StageError(`Cannot load the model "${model.name}": ${fault}`, {
      subject: model.name,
      hint: isDerived(model)
        ? `Its table was made for another header. Drop it in the warehouse (drop table ${
          tables.map(quoteName).join(", ")
        } cascade), then run \`deno task rebuild warehouse\`, which makes it again with all of its rows`
        : "Write a migration in sql/warehouse that gives the table this, or change the model's header back",
    });
  }
}

/**
 * Throws a `StageError` when somebody's table or view has a name that a model's
 * table, about to be made, or a view of it needs.
 */
export async function checkFree(
  client: pg.Client,
  model: string,
): Promise<void> {
  const [taken] = await query(
    client,
    `select name from unnest($1::text[]) as name
    where to_regclass(quote_ident(name)) is not null`,
    [["_closed", "_current", "_history"].map((suffix) => model + suffix)],
  );
  if (taken !== undefined) throw takenName(model, taken.name ?? "");
}

function takenName(model: string, name: string): StageError {
  return new StageError(
    `Cannot make the table of the model "${model}": the warehouse has ${
      quoteName(name)
    } already, which load did not make`,
    {
      subject: model,
      hint:
        "Rename what is there, or the model; drop it only if nobody needs it",
    },
  );
}

function closed({ name }: Shaped): string {
  return `${name}_closed`;
}

function shapeFault(
  model: Shaped,
  { columns, hasClosed, unique }: TableShape,
): string | undefined {
  const { kind, key, recordId = "record_id" } = model;
  const known = (names: readonly string[]) =>
    key.every((name) => names.includes(name));
  // Following the model reports which is missing.
  if (!known(columns)) return undefined;
  if (kind === "fact") {
    if (!columns.includes(recordId)) {
      return `the warehouse's table has no column "${recordId}" that numbers its versions`;
    }
    // With the number, which partitions may need beside it, any key is unique.
    const ofVersions = unique.filter((names) =>
      names.includes("from_batch") && !names.includes(recordId)
    );
    return ofVersions.length === 0 || ofVersions.some(known)
      ? undefined
      : `its key is (${key.join(", ")}), the warehouse's table has another`;
  }
  if (!hasClosed) {
    return `the warehouse has no table "${
      closed(model)
    }" for its older versions`;
  }
  // `on conflict` needs this.
  return unique.some((names) => names.length === key.length && known(names))
    ? undefined
    : `its key is (${
      key.join(", ")
    }), which is not the primary key of the warehouse's table`;
}
