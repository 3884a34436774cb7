import { join } from "node:path";
import type pg from "pg";
import type { DuckDb } from "../lib/duckdb/duckdb.ts";
import { query } from "../lib/postgres/postgres.ts";
import { quoteName, quoteNames } from "../lib/sql/quote.ts";
import { keyName } from "../lib/zone/zone_key.ts";
import {
  FLOAT,
  inexactSql,
  isTime,
  isTyped,
  parsedSql,
  scaleOf,
} from "./comparable_sql.ts";
import { findReplacedViews } from "./compare_views.ts";
import { type CopiedRows, copiedRowsSql, copyRows } from "./copied_rows.ts";
import { checkCount, WORK_CATALOGUE } from "./expectation.ts";
import { keepNoRows, keepRows } from "./kept_rows.ts";
import type { ModelInLake, VerifiedColumn } from "./lake_rows.ts";

/** A column that only the model or only the warehouse has. */
export interface DifferingColumn {
  column: string;
  kind: "missing" | "extra";
}

/** A column of a model that the warehouse has. */
export interface WarehouseColumn extends VerifiedColumn {
  /** No value there would be rounded by the lake's type. */
  fits: boolean;
  /** It is text there. */
  isText: boolean;
  /**
   * Whether its type may write a value differently from the text given: then
   * the warehouse's texts are compared with its forms of the lake's.
   */
  hasPrintedForm: boolean;
}

/** A model as the warehouse holds it as of a batch, in files. */
export interface ModelInWarehouse {
  model: ModelInLake;
  /** The model's columns that the warehouse has. */
  columns: readonly WarehouseColumn[];
  differing: readonly DifferingColumn[];
  /** Whether the table has columns that should be dropped. */
  drops: boolean;
  /** Views and functions that somebody replaced. */
  views: readonly string[];
  /** Undefined when the warehouse lacks the key: no rows can be compared. */
  files:
    | Record<"open" | "ended" | "beyond" | "filled", CopiedRows>
    | undefined;
}

/** DuckDB's views of the warehouse's rows. */
export const OPEN_IN_WAREHOUSE = `${WORK_CATALOGUE}.main.open_in_warehouse`;
export const ENDED_IN_WAREHOUSE = `${WORK_CATALOGUE}.main.ended_in_warehouse`;
/** Versions of batches that the warehouse does not hold yet. */
export const BEYOND_WAREHOUSE = `${WORK_CATALOGUE}.main.beyond_warehouse`;
/** A dimension's placeholders that have values. */
export const FILLED_PLACEHOLDERS = `${WORK_CATALOGUE}.main.filled_placeholders`;
/** Marks a value of the warehouse that the lake's type can't hold. */
export const INEXACT = '" inexact"';
export const STAMPS: readonly VerifiedColumn[] = [
  { name: "from_batch", type: "BIGINT", isTime: false },
  { name: "to_batch", type: "BIGINT", isTime: false },
  { name: "valid_from", type: "TIMESTAMP", isTime: false },
  { name: "valid_to", type: "TIMESTAMP", isTime: false },
];

/** The fixed ids of Postgres's own types. */
const INTEGER_IDS: readonly number[] = [20, 21, 23];
const DATE_ID = 1082;
const NUMERIC_ID = 1700;
const TIME_ID = 1083;
const FLOAT_IDS: readonly number[] = [700, 701];
const MONEY_ID = 790;
const NUMBER_IDS: readonly number[] = [
  ...INTEGER_IDS,
  ...FLOAT_IDS,
  NUMERIC_ID,
];
/** Those that write each text as given, json among them. */
const TEXT_IDS: readonly number[] = [18, 19, 25, 114, 1042, 1043];
/** Other types whose texts DuckDB reads: boolean, moments, uuid. */
const READ_IDS: readonly number[] = [16, DATE_ID, 1114, 1184, 2950];
/** With digits in brackets these cut a text off, so it is a different value. */
const CUT_IDS: readonly number[] = [TIME_ID, 1266, 1114, 1184, 1186];
/** The same in arrays, with numeric's. */
const CUT_ARRAY_IDS: readonly number[] = [1183, 1270, 1115, 1185, 1187, 1231];
/** SQL for the newest batch that the warehouse says it holds. */
const NEWEST_SQL = "(select coalesce(max(batch), 0) from pipeline.batch)";

/**
 * Copies the rows of a model that were valid after a batch, the versions that
 * had ended by then, and those that begin at no batch, or begin or end after
 * every one, into the folder.
 */
export async function copyFromWarehouse(
  client: pg.Client,
  options: { model: ModelInLake; batch: number; folder: string },
): Promise<ModelInWarehouse> {
  const { model, batch, folder } = options;
  const open = `${quoteName(`${model.name}_as_of_batch`)}(${batch})`;
  const history = quoteName(`${model.name}_history`);
  const read: pg.FieldDef[][] = [];
  const current = quoteName(`${model.name}_current`);
  for (const relation of [quoteName(model.name), open, history, current]) {
    const { fields } = await client.query(`select * from ${relation} limit 0`);
    read.push(fields);
  }
  const given = await columnsWithDefaults(client, model.name);
  const differing = differingColumns(model, {
    read: read.map((fields) => fields.map(({ name }) => name)),
    given,
  });
  const drops = differing.some(({ column, kind }) =>
    kind === "extra" && read[0]?.some(({ name }) => name === column)
  );
  const columns = model.columns.filter(({ name }) =>
    !differing.some((one) => one.column === name)
  ).map((column) => {
    const field = read[1]?.find(({ name }) => name === column.name);
    return {
      ...column,
      fits: fits(column, field),
      isText: TEXT_IDS.includes(field?.dataTypeID ?? 0),
      hasPrintedForm: hasPrintedForm(column, field),
    };
  });
  const identity = [...model.key, ...stampsOf(model).map(({ name }) => name)];
  if (differing.some(({ column }) => identity.includes(column))) {
    return { model, columns, differing, drops, views: [], files: undefined };
  }
  const names = [...columns, ...stampsOf(model)].map(({ name }) => name);
  const copy = (from: string, form: string) =>
    copyRows(client, {
      select: `select ${quoteNames(names)} from ${from}`,
      columns: names,
      path: join(folder, `warehouse-${keyName(model.name)}-${form}.csv`),
    });
  return {
    model,
    columns,
    differing,
    drops,
    views: await findReplacedViews(client, model),
    files: {
      open: await copy(`${open} as held`, "open"),
      ended: await copy(`${history} where to_batch <= ${batch}`, "ended"),
      beyond: await copy(
        `${history} where from_batch is null or greatest(from_batch, to_batch) > ${NEWEST_SQL}`,
        "beyond",
      ),
      filled: await copy(filledSql(model, { names, given }), "filled"),
    },
  };
}

/** SQL for the placeholders with values that neither load nor a default gave. */
function filledSql(
  { name, key, kind }: ModelInLake,
  { names, given }: { names: readonly string[]; given: readonly string[] },
): string {
  if (kind === "fact") return `${quoteName(name)} where false`;
  const empty = names.filter((one) => ![...key, ...given].includes(one));
  return `${quoteName(name)}
    where is_placeholder and not (row(${quoteNames(empty)}) is null)`;
}

/** The columns of each row beside the model's. */
function stampsOf({ recordId }: ModelInLake): readonly VerifiedColumn[] {
  return recordId === undefined
    ? STAMPS
    : [...STAMPS, { name: recordId, type: "BIGINT", isTime: false }];
}

/** Whether the lake's type holds all that Postgres's type can, to the digit. */
export function fits(
  column: VerifiedColumn,
  field: pg.FieldDef | undefined,
): boolean {
  const id = field?.dataTypeID ?? 0;
  if (column.type === "DATE") return id === DATE_ID;
  if (FLOAT.test(column.type)) return FLOAT_IDS.includes(id);
  if (id !== NUMERIC_ID) return INTEGER_IDS.includes(id);
  const modifier = field?.dataTypeModifier ?? -1;
  return modifier >= 0 && (modifier - 4) % 2048 <= scaleOf(column);
}

/** For a domain, the server names its base type. */
function hasPrintedForm(
  column: VerifiedColumn,
  field: pg.FieldDef | undefined,
): boolean {
  const id = field?.dataTypeID ?? 0;
  if (TEXT_IDS.includes(id)) return false;
  if (isTime(column)) return id !== TIME_ID;
  // money would round a number.
  if (isTyped(column)) {
    return ![...NUMBER_IDS, ...READ_IDS, MONEY_ID].includes(id);
  }
  const isCut = [...CUT_IDS, ...CUT_ARRAY_IDS].includes(id) &&
    (field?.dataTypeModifier ?? -1) >= 0;
  return !NUMBER_IDS.includes(id) && !isCut;
}

/** The columns to which the table, or their domain, itself gives values. */
async function columnsWithDefaults(
  client: pg.Client,
  table: string,
): Promise<string[]> {
  const rows = await query(
    client,
    `select attname as name from pg_attribute
    inner join pg_type on pg_type.oid = atttypid
    where attrelid = to_regclass(quote_ident($1)) and attnum > 0
      and (atthasdef or attidentity <> '' or typdefault is not null)`,
    [table],
  );
  return rows.map(({ name }) => name ?? "");
}

/**
 * A table or its views may lack a column, or have one beyond the model's to
 * which the table itself gives no values.
 */
function differingColumns(
  model: ModelInLake,
  options: { read: readonly string[][]; given: readonly string[] },
): DifferingColumn[] {
  const { read, given } = options;
  const own = [
    ...given,
    ...stampsOf(model).map(({ name }) => name),
    "is_placeholder",
  ];
  const known = [
    ...model.columns.map(({ name }) => name),
    ...model.recordId === undefined ? [] : [model.recordId],
  ];
  const found = [...new Set(read.flat())];
  return [
    ...known.filter((name) => read.some((names) => !names.includes(name)))
      .map((column) => ({ column, kind: "missing" as const })),
    ...found.filter((name) => !known.includes(name) && !own.includes(name))
      .map((column) => ({ column, kind: "extra" as const })),
  ];
}

/** Reads the copied files into DuckDB, and removes them. */
export async function readFromWarehouse(
  duckdb: DuckDb,
  { model, columns, files }: ModelInWarehouse,
): Promise<void> {
  if (files === undefined) return;
  const all = [...columns, ...stampsOf(model)];
  const printedForm = columns.filter(({ hasPrintedForm }) => hasPrintedForm)
    .map(({ name }) => name);
  const values = all.map((column) =>
    `${
      printedForm.includes(column.name)
        ? quoteName(column.name)
        : parsedSql(column)
    } as ${quoteName(column.name)}`
  );
  const inexact = columns.filter(({ hasPrintedForm }) => !hasPrintedForm)
    .map(inexactSql).filter((sql) => sql !== "");
  for (
    const [view, copied] of [
      [OPEN_IN_WAREHOUSE, files.open],
      [ENDED_IN_WAREHOUSE, files.ended],
      [BEYOND_WAREHOUSE, files.beyond],
      [FILLED_PLACEHOLDERS, files.filled],
    ] as const
  ) {
    const select = `select ${values.join(", ")},
        coalesce(${["false", ...inexact].join(" or ")}, false) as ${INEXACT}
      from ${copiedRowsSql(copied)}`;
    if (copied.rows === 0) {
      await keepNoRows(duckdb, { view, select });
    } else {
      await keepRows(duckdb, { view, select });
      await checkCount(duckdb, { rows: view, copied, name: model.name });
    }
    await Deno.remove(copied.path);
  }
}
