import type pg from "pg";
import { StageError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName, quoteText, type TextRow } from "../../lib/sql/quote.ts";
import type { Model } from "../../lib/project/model.ts";
import { closedTable } from "../../lib/warehouse/model_tables.ts";
import changesOfOthersSql from "./changes_of_others.sql" with { type: "text" };
import { columnFault, IS_LOOSE, LOADER_COLUMNS } from "./column_fault.ts";
import { type Reference, referenceOf } from "../references/reference.ts";
import referencesSql from "../references/references.sql" with { type: "text" };

/** A model's table in the warehouse, by its catalogue. */
export interface WarehouseTable {
  model: Pick<Model, "name" | "key" | "kind" | "recordId">;
  /** The model's own columns, in order. */
  columns: string[];
  /**
   * Each column's type as `format_type` writes it, for a domain its base type;
   * two where it differs for a dimension's closed versions.
   */
  types: ReadonlyMap<string, readonly string[]>;
  /** Columns whose equality is not that of their values as text. */
  unequal: string[];
  /** Columns that have a default, which a placeholder gets. */
  defaults: string[];
  /** For each dimension that the table refers to, the referring column. */
  references: Reference[];
  /** Whether it has no rows yet. */
  empty: boolean;
  /** The names of others' triggers and rules that run before its writes. */
  interceptors: string[];
}

/**
 * Types whose values that are `=` read alike, or differ in nothing that a model
 * gives. For others `=` may compare less (two boxes by their areas, citext
 * without case, jsonb's 1.0 and 1), or not exist (json).
 */
const EQUAL_TYPES = [
  "bool",
  "int2",
  "int4",
  "int8",
  "numeric",
  "float4",
  "float8",
  "text",
  "varchar",
  "bpchar",
  "char",
  "name",
  "date",
  "time",
  "timestamp",
  "timestamptz",
  "uuid",
];

/** A model as far as its table shows it. */
type Shown = Pick<Model, "name" | "key" | "kind" | "recordId">;

/**
 * The columns of the tables of models ($1). Their types are also those of the
 * tables of closed versions ($2), and for a domain its base type.
 */
const COLUMNS_SQL = `with recursive base (model, name, id, modifier) as (
    select model, attname, atttypid, atttypmod
    from unnest($1::text[], $2::text[]) as given (model, closed)
    cross join lateral (values (model), (closed)) as own (name)
    inner join pg_attribute
      on attrelid = to_regclass(quote_ident(own.name)) and attnum > 0
    union all
    select model, name, typbasetype, typtypmod from base
    inner join pg_type on oid = base.id where typtype = 'd'
  ), types (model, name, types) as (
    select model, name, json_agg(distinct format_type(base.id, base.modifier))
    from base
    inner join pg_type on pg_type.oid = base.id and typtype <> 'd'
    group by model, name
  )
  select model, attname as name,
    atthasdef or attidentity <> '' or type.typdefault is not null
      as has_default,
    coalesce(base.typname, type.typname)
      <> all(array[${EQUAL_TYPES.map(quoteText).join(", ")}])
      or ${IS_LOOSE} as is_unequal,
    format_type(atttypid, atttypmod) as type, types,
    ${IS_LOOSE} as is_loose
  from unnest($1::text[]) as model
  inner join pg_attribute on attrelid = to_regclass(quote_ident(model))
  inner join pg_type as type on type.oid = atttypid
  left join pg_type as base on base.oid = type.typbasetype
  inner join types using (model)
  where types.name = attname and attnum > 0
    and not attisdropped and attgenerated = ''
  order by model, attnum`;

/**
 * Looks the tables of models up, in their order; throws a `StageError` when one
 * isn't there. A column to which the table itself gives a value is somebody's
 * own unless the model has it.
 */
export async function readWarehouseTables(
  client: pg.Client,
  options: {
    models: readonly Shown[];
    /** The columns that a model's SQL gives, determined only if needed. */
    types: { columnsOf: (model: string) => Promise<readonly string[]> };
  },
): Promise<WarehouseTable[]> {
  const { models, types } = options;
  if (models.length === 0) return [];
  const names = models.map(({ name }) => name);
  const columns = await query(client, COLUMNS_SQL, [
    names,
    models.map(({ name, kind }) => kind === "fact" ? name : closedTable(name)),
  ]);
  const columnsOf = new Map(models.map((model) => [
    model.name,
    columns.filter((row) => row.model === model.name),
  ]));
  for (const model of models) {
    checkColumns(model, columnsOf.get(model.name) ?? []);
  }
  const filled = await query(client, filledSql(names));
  const changes = await query(client, changesOfOthersSql, [names]);
  for (const change of changes) checkChange(change);
  const references = await query(client, referencesSql, [names]);
  const tables: WarehouseTable[] = [];
  for (const model of models) {
    const isOf = (row: TextRow) => row.model === model.name;
    const found = columnsOf.get(model.name) ?? [];
    const isGiven = found.some((row) =>
      row.has_default === "t" && isOwn(model, row)
    );
    const given = isGiven ? await types.columnsOf(model.name) : [];
    const table = tableOf(model, found, given);
    tables.push({
      ...table,
      references: referencesOf(references.filter(isOf), table.columns),
      empty: filled.find(isOf)?.filled !== "t",
      interceptors: JSON.parse(changes.find(isOf)?.names ?? "[]"),
    });
  }
  return tables;
}

/** Throws a `StageError` when load can't rely on what a table holds. */
function checkChange({ model, heir, unlogged }: TextRow): void {
  const subject = model ?? "";
  if (heir) {
    throw new StageError(
      `Cannot load the model "${subject}": rows of ${heir} count as rows of its table, from which it inherits`,
      {
        subject,
        hint:
          "Detach it: alter table ... no inherit ...; or drop it, and query the model's table in a view",
      },
    );
  }
  if (!unlogged) return;
  throw new StageError(
    `Cannot load the model "${subject}": ${unlogged} is unlogged, so a crash of the server would empty it silently`,
    {
      subject,
      hint:
        `alter table ${unlogged} set logged; then \`./totesys verify\` says whether rows were lost`,
    },
  );
}

/** Looks one model's table up; see `readWarehouseTables`. */
export async function readWarehouseTable(
  client: pg.Client,
  model: Shown,
  columnsOf = (): Promise<readonly string[]> => Promise.resolve(model.key),
): Promise<WarehouseTable> {
  const [table] = await readWarehouseTables(client, {
    models: [model],
    types: { columnsOf },
  });
  if (table === undefined) throw new Error(`No table of ${model.name}`);
  return table;
}

/** SQL for which tables have a row. */
function filledSql(tables: readonly string[]): string {
  return tables.map((name) =>
    `select ${quoteText(name)} as model,
      exists (select from ${quoteName(name)}) as filled`
  ).join(" union all ");
}

/**
 * Throws a `StageError` when a model has no table, or one with a column that
 * can't hold what load writes into it.
 */
function checkColumns(model: Shown, found: readonly TextRow[]): void {
  if (found.length === 0) {
    throw new StageError(
      `Cannot load the model "${model.name}": the warehouse has no such table`,
      {
        subject: model.name,
        hint:
          "Write a migration in sql/warehouse that creates it, or creates it again if somebody dropped it",
      },
    );
  }
  for (const { name, type, types, is_loose } of found) {
    const isLoose = is_loose === "t";
    const own: string[] = isLoose ? [type ?? ""] : JSON.parse(types ?? "[]");
    const [fault] = own.flatMap((type) =>
      columnFault(model, { name: name ?? "", type, isLoose }) ?? []
    );
    if (fault === undefined) continue;
    throw new StageError(`Cannot load "${model.name}": ${fault.says}`, {
      subject: model.name,
      hint:
        "Run `./totesys rebuild warehouse`: it gives the column its type again",
    });
  }
}

/** A model's table as its columns show it; `given` are those of its SQL. */
function tableOf(
  model: Shown,
  found: readonly TextRow[],
  given: readonly string[],
): Pick<
  WarehouseTable,
  "model" | "columns" | "types" | "unequal" | "defaults"
> {
  const own = found.filter((row) => isOwn(model, row));
  return {
    model,
    columns: own.filter((row) =>
      row.has_default !== "t" || given.includes(row.name ?? "")
    ).map((row) => row.name ?? ""),
    types: new Map(
      found.map(({ name, types }): [string, string[]] => [
        name ?? "",
        JSON.parse(types ?? "[]"),
      ]),
    ),
    unequal: own.filter((row) => row.is_unequal === "t")
      .map((row) => row.name ?? ""),
    defaults: own.filter((row) => row.has_default === "t")
      .map((row) => row.name ?? ""),
  };
}

/** Whether a column of a model's table is the model's, not the loader's. */
function isOwn({ recordId }: Shown, { name }: TextRow): boolean {
  return !LOADER_COLUMNS.includes(name ?? "") && name !== recordId;
}

/** The foreign keys of one of these columns. */
function referencesOf(
  rows: readonly TextRow[],
  columns: readonly string[],
): Reference[] {
  return rows.map(referenceOf).filter(({ column }) => columns.includes(column));
}
