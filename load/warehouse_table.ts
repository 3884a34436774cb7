import type pg from "pg";
import { StageError } from "../lib/errors.ts";
import {
  query,
  quoteName,
  quoteText,
  type TextRow,
} from "../lib/postgres/postgres.ts";
import type { Model } from "../lib/project/model.ts";
import { columnFault, IS_LOOSE, OWN_COLUMNS } from "./column_fault.ts";
import referencesSql from "./references.sql" with { type: "text" };

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
  /** The key as it is sorted: texts by their bytes, as the lake sorts them. */
  keyOrder: string;
  /** For each dimension that the table refers to, the referring column. */
  references: Reference[];
  /** Whether it has no rows yet. */
  empty: boolean;
  /** The names of others' triggers and rules that run before its writes. */
  interceptors: string[];
}

/** A foreign key of one column. */
export interface Reference {
  constraint: string;
  column: string;
  dimension: string;
  dimensionKey: string;
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

/**
 * SQL for triggers that see a row before it is written, and rules that write
 * something else, on these tables and their partitions, as JSON: see
 * `pg_trigger.tgtype`.
 */
const INTERCEPTORS_SQL = `(
  with own as (
    select to_regclass(quote_ident(name)) as id from unnest($1::text[]) as name
  ), watched as (
    select id from own union select tree.relid
    from own, lateral pg_partition_tree(own.id) as tree
  )
  select json_agg(name order by name) from (
    select tgname::text as name from pg_trigger
    inner join watched on watched.id = tgrelid
    where not tgisinternal and tgtype & 3 = 3 and tgenabled in ('O', 'A')
    union select rulename::text from pg_rewrite
    inner join watched on watched.id = ev_class
    where ev_type <> '1' and ev_enabled in ('O', 'A')
  ) as found)`;

/**
 * SQL for the types of two tables' columns, as `base_type (name, type)`: for a
 * domain, its base type.
 */
const BASE_TYPES_SQL = `recursive base (table_id, attnum, id, modifier) as (
    select attrelid, attnum, atttypid, atttypmod from pg_attribute
    where attrelid in (
      to_regclass(quote_ident($1)), to_regclass(quote_ident($2))
    ) and attnum > 0
    union all
    select table_id, attnum, typbasetype, typtypmod from base
    inner join pg_type on oid = base.id where typtype = 'd'
  ), base_type (name, type) as (
    select attname, format_type(base.id, base.modifier) from base
    inner join pg_attribute on attrelid = table_id
      and pg_attribute.attnum = base.attnum
    inner join pg_type on pg_type.oid = base.id and typtype <> 'd'
  )`;

/** Looks the tables of models up, in their order; see `readWarehouseTable`. */
export async function readWarehouseTables(
  client: pg.Client,
  options: {
    models: readonly Model[];
    types: { columnsOf: (model: string) => Promise<readonly string[]> };
  },
): Promise<WarehouseTable[]> {
  const { models, types } = options;
  const tables: WarehouseTable[] = [];
  for (const model of models) {
    tables.push(
      await readWarehouseTable(
        client,
        model,
        () => types.columnsOf(model.name),
      ),
    );
  }
  return tables;
}

/**
 * Looks a model's table up; throws a `StageError` when it isn't there. A column
 * to which the table itself gives a value is somebody's own unless the model
 * has it.
 */
export async function readWarehouseTable(
  client: pg.Client,
  model: Pick<Model, "name" | "key" | "kind" | "recordId">,
  /** The columns that the model's SQL gives, determined only if needed. */
  columnsOfModel = (): Promise<readonly string[]> => Promise.resolve(model.key),
): Promise<WarehouseTable> {
  const found = await readColumns(client, model);
  const types = new Map(
    found.map(({ name, types }): [string, string[]] => [
      name ?? "",
      JSON.parse(types ?? "[]"),
    ]),
  );
  checkColumns(model, { found, types });
  const columns = found.filter(({ name }) =>
    !OWN_COLUMNS.includes(name ?? "") && name !== model.recordId
  );
  const given = columns.some((row) => row.has_default === "t")
    ? await columnsOfModel()
    : [];
  const [filled] = await query(
    client,
    `select exists (select from ${quoteName(model.name)}) as filled,
      ${INTERCEPTORS_SQL} as interceptors`,
    [[model.name, `${model.name}_closed`]],
  );
  const names = columns.filter((row) =>
    row.has_default !== "t" || given.includes(row.name ?? "")
  ).map((row) => row.name ?? "");
  const references = await readReferences(client, model.name);
  return {
    model,
    columns: names,
    types,
    unequal: columns.filter((row) => row.is_unequal === "t")
      .map((row) => row.name ?? ""),
    keyOrder: model.key
      .map((name) => sortedSql(name, columns.find((row) => row.name === name)))
      .join(", "),
    references: references.filter(({ column }) => names.includes(column)),
    empty: filled?.filled !== "t",
    interceptors: JSON.parse(filled?.interceptors ?? "[]"),
  };
}

/** The columns of a model's table; throws a `StageError` when it isn't there. */
async function readColumns(
  client: pg.Client,
  model: Pick<Model, "name" | "kind">,
): Promise<TextRow[]> {
  const found = await query(
    client,
    `with ${BASE_TYPES_SQL}
    select attname as name, attcollation <> 0 as is_text,
      atthasdef or attidentity <> '' as has_default,
      coalesce(base.typname, type.typname)
        <> all(array[${EQUAL_TYPES.map(quoteText).join(", ")}])
        or ${IS_LOOSE} as is_unequal,
      format_type(atttypid, atttypmod) as type,
      (select json_agg(distinct base_type.type)
        from base_type where base_type.name = attname) as types,
      ${IS_LOOSE} as is_loose
    from pg_attribute
    inner join pg_type as type on type.oid = atttypid
    left join pg_type as base on base.oid = type.typbasetype
    where attrelid = to_regclass(quote_ident($1)) and attnum > 0
      and not attisdropped and attgenerated = '' order by attnum`,
    [
      model.name,
      model.kind === "fact" ? model.name : `${model.name}_closed`,
    ],
  );
  if (found.length > 0) return found;
  throw new StageError(
    `Cannot load the model "${model.name}": the warehouse has no such table`,
    {
      subject: model.name,
      hint: "Write a migration in sql/warehouse that creates it",
    },
  );
}

/** Throws a `StageError` when a column can't hold what load writes into it. */
function checkColumns(
  model: Pick<Model, "name" | "key">,
  { found, types }: {
    found: readonly TextRow[];
    types: ReadonlyMap<string, readonly string[]>;
  },
): void {
  for (const { name, type, is_loose } of found) {
    const isLoose = is_loose === "t";
    const own = isLoose ? [type ?? ""] : types.get(name ?? "") ?? [];
    const [fault] = own.flatMap((type) =>
      columnFault(model, { name: name ?? "", type, isLoose }) ?? []
    );
    if (fault === undefined) continue;
    throw new StageError(`Cannot load "${model.name}": ${fault.says}`, {
      subject: model.name,
      hint:
        "Run `deno task rebuild warehouse`: it gives the column its type again",
    });
  }
}

/** The foreign keys of one column of a table. */
async function readReferences(
  client: pg.Client,
  table: string,
): Promise<Reference[]> {
  const rows = await query(client, referencesSql, [table]);
  return rows.map((row) => ({
    constraint: row.constraint_name ?? "",
    column: row.column_name ?? "",
    dimension: row.dimension ?? "",
    dimensionKey: row.dimension_key ?? "",
  }));
}

/** SQL that sorts a column of the key, texts by their bytes. */
function sortedSql(name: string, column: TextRow | undefined): string {
  // DuckDB holds text where it does not know the type.
  const cast = column?.is_unequal === "t" ? "::text" : "";
  const isText = column?.is_text === "t" || cast !== "";
  return quoteName(name) + cast + (isText ? ' collate "C"' : "");
}
