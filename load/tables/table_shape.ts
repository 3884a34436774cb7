import type pg from "pg";
import { StageError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName, quoteNames } from "../../lib/sql/quote.ts";
import type { Model } from "../../lib/project/model.ts";
import { QUARANTINE } from "../../lib/project/quarantine_model.ts";
import { closedTable } from "../../lib/warehouse/model_tables.ts";
import { hasKeysTwice } from "../schema/has_keys_twice.ts";
import { checkNotMoved } from "./missing_tables.ts";
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
 * So it does when a table that a migration made is somewhere else now.
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
  const isThere = ({ name }: Shaped) => rows.some((row) => row.name === name);
  for (const model of models) {
    const { name } = model;
    if (isDerived(model) || isThere(model)) continue;
    await checkNotMoved(client, { model: name, table: name });
  }
  for (const row of rows) {
    const model = models.find(({ name }) => name === row.name);
    if (model === undefined) continue;
    const columns: string[] = JSON.parse(row.columns ?? "[]");
    // Each table that load makes has an interval.
    if (isDerived(model) && !columns.includes("from_batch")) {
      throw takenName(model.name, quoteName(model.name));
    }
    if (isDerived(model) && row.no_table) {
      throw replacedError(model.name, row.no_table);
    }
    const shape: TableShape = {
      columns,
      hasClosed: row.closed !== null,
      unique: JSON.parse(row.unique_columns ?? "[]"),
    };
    const fault = shapeFault(model, shape);
    if (fault === undefined) continue;
    if (!shape.hasClosed) {
      await checkNotMoved(client, {
        model: model.name,
        table: closedTable(model.name),
      });
    }
    if (isDerived(model) && isKeyless(model, shape)) {
      throw await keylessError(client, model);
    }
    throw new StageError(`Cannot load the model "${model.name}": ${fault}`, {
      subject: model.name,
      hint: isDerived(model)
        ? shapeHint(model, shape)
        : "Write a migration in sql/warehouse that gives the table this, or change the model's header back",
    });
  }
}

/** What to do about a table that load made. */
function shapeHint(model: Shaped, shape: TableShape): string {
  const { name } = model;
  const tables = [name, ...shape.hasClosed ? [closedTable(model.name)] : []];
  return `Its table was made for another header, or changed since. Drop it in the warehouse (drop table ${
    tables.map(quoteName).join(", ")
  } cascade), then run \`./totesys rebuild warehouse\`, which makes it again with all of its rows`;
}

/** The error about something else under the name of a table that load made. */
function replacedError(name: string, found: string): StageError {
  return new StageError(
    `Cannot load the model "${name}": ${found} has taken the place of its table`,
    {
      subject: name,
      hint: `Rename or drop ${
        quoteName(name)
      }, and give the table its name back; where it is gone, run \`./totesys rebuild warehouse\``,
    },
  );
}

/** The error about a dimension's table that has lost its primary key. */
async function keylessError(
  client: pg.Client,
  { name, key }: Shaped,
): Promise<StageError> {
  const table = quoteName(name);
  const addKey = `alter table ${table} add primary key (${quoteNames(key)})`;
  const isDoubled = await hasKeysTwice(client, { table, key });
  const one = key.map((column) => `one.${quoteName(column)}`).join(", ");
  const other = key.map((column) => `other.${quoteName(column)}`).join(", ");
  const fault = "the warehouse's table has no primary key any more";
  return new StageError(
    `Cannot load the model "${name}": ${fault}${
      isDoubled ? ", and has keys twice" : ""
    }`,
    {
      subject: name,
      hint: isDoubled
        ? `Somebody dropped it. Keep one row of each key: delete from ${table} as one using ${table} as other where (${one}) = (${other}) and one.ctid > other.ctid; ${addKey}; then run \`./totesys rebuild warehouse\`, which makes what is left right`
        : `Somebody dropped it: ${addKey}; load then makes the foreign keys to it again`,
    },
  );
}

/** Whether a dimension's table has lost its primary key. */
function isKeyless(
  { kind }: Shaped,
  { hasClosed, unique }: TableShape,
): boolean {
  return kind === "dimension" && hasClosed && unique.length === 0;
}

/**
 * Throws a `StageError` when somebody's own relation or function has a name that
 * a model's table, which is about to be made, its views or its functions need.
 */
export async function checkFree(
  client: pg.Client,
  model: string,
): Promise<void> {
  const [taken] = await query(
    client,
    `select format('"%s"', name) as name
    from unnest(array['_closed', '_current', '_history']) as suffix
    cross join lateral (select $1::text || suffix as name) as own
    where to_regclass(quote_ident(name)) is not null
    union all
    select format('the type "%s"', typname) from pg_type
    where typname in ($1::text, $1::text || '_closed')
      and typnamespace = to_regnamespace(quote_ident(current_schema()))
      -- That of an array makes room by itself.
      and typcategory <> 'A'
    union all
    select 'the function ' || oid::regprocedure::text from pg_proc
    where oid in (
      to_regprocedure(
        format('%I.%I(bigint)', current_schema(), $1::text || '_as_of_batch')
      ),
      to_regprocedure(
        format('%I.%I(timestamptz)', current_schema(), $1::text || '_as_of_time')
      )
    )`,
    [model],
  );
  if (taken !== undefined) throw takenName(model, taken.name ?? "");
}

function takenName(model: string, found: string): StageError {
  return new StageError(
    `Cannot make the table of the model "${model}": the warehouse has ${found} already, which load did not make`,
    {
      subject: model,
      hint: `Rename what is there${
        model === QUARANTINE.name
          ? ", since load keeps the rows that it sets aside under this name"
          : ", or the model"
      }; drop it only if nobody needs it`,
    },
  );
}

function shapeFault(model: Shaped, shape: TableShape): string | undefined {
  const { columns, hasClosed, unique } = shape;
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
      closedTable(model.name)
    }" for its older versions`;
  }
  // `on conflict` needs this.
  return unique.some((names) => names.length === key.length && known(names))
    ? undefined
    : `its key is (${
      key.join(", ")
    }), which is not the primary key of the warehouse's table`;
}
