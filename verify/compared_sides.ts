import { quoteName, quoteNames } from "../lib/sql/quote.ts";
import { comparableSql } from "./comparable_sql.ts";
import { expectedRows } from "./expectation.ts";
import { KIND, type Sides } from "./find_differences.ts";
import {
  COUNTS_IN_LAKE,
  doublesInLake,
  ENDED_IN_LAKE,
  type ModelInLake,
  openInLake,
  type VerifiedColumn,
} from "./lake_rows.ts";
import {
  joinPrintedForms,
  type PrintedForms,
  printedFormSql,
} from "./printed_forms.ts";
import {
  BEYOND_WAREHOUSE,
  ENDED_IN_WAREHOUSE,
  FILLED_PLACEHOLDERS,
  INEXACT,
  type ModelInWarehouse,
  OPEN_IN_WAREHOUSE,
  STAMPS,
  type WarehouseColumn,
} from "./warehouse_rows.ts";

type ComparedColumn =
  & VerifiedColumn
  & Partial<Pick<WarehouseColumn, "hasPrintedForm" | "isText">>;

/** A set may hold more: rows that existed once. */
export function lakeSides(
  model: ModelInLake,
  heldBack: string | undefined,
): Sides {
  return {
    key: model.key,
    columns: namesBeside(model.columns, model.key),
    expected: expectedRows(model.name),
    actual: openInLake(model),
    doubles: doublesInLake(model),
    where: model.derivation === "set"
      ? `${KIND} <> 'extra'`
      : heldBack && `not ${heldBack}`,
  };
}

/**
 * Rows that only the lake has, rightly, are expected in the warehouse as well.
 */
export function expectedInWarehouse(
  { model, columns }: ModelInWarehouse,
  heldBack: string | undefined,
): string {
  const names = quoteNames(columns.map(({ name }) => name));
  const wanted = expectedRows(model.name);
  const parts = [
    `select ${names} from ${wanted}` +
    (heldBack === undefined ? "" : ` where not ${heldBack}`),
    ...heldBack === undefined
      ? []
      : [`select ${names} from ${openInLake(model)} where ${heldBack}`],
    ...model.derivation === "set"
      ? [`select ${names} from ${openInLake(model)}
        anti join ${wanted} using (${quoteNames(model.key)})`]
      : [],
  ];
  return `(${parts.join(" union all ")})`;
}

/** Current rows: as they are expected, and as the warehouse has them. */
export function warehouseSides(
  { model, columns }: ModelInWarehouse,
  { expected, forms }: { expected: string; forms: readonly PrintedForms[] },
): Sides {
  return {
    key: model.key,
    columns: [...namesBeside(columns, model.key), " inexact"],
    expected: inWarehouseForm(expected, { columns, forms }),
    actual: OPEN_IN_WAREHOUSE,
    doubles: doublesOf(OPEN_IN_WAREHOUSE, model.key),
    besides: model.recordId === undefined
      ? `select ${quoteNames(model.key)}, 'different' as ${KIND}
        from ${FILLED_PLACEHOLDERS}`
      : misnumberedSql(model),
  };
}

/**
 * SQL for the keys of versions whose serial numbers a first load can't have
 * given: those of a batch follow the numbers of the batches before, in an order
 * that depends on what the key was then. With more or fewer versions than the
 * lake's, which is a difference by itself, the numbers say nothing.
 */
function misnumberedSql({ key, recordId = "" }: ModelInLake): string {
  const names = quoteNames(key);
  const number = quoteName(recordId);
  const held =
    `(select ${names}, from_batch, ${number} from ${OPEN_IN_WAREHOUSE}
    union all
    select ${names}, from_batch, ${number} from ${ENDED_IN_WAREHOUSE})`;
  return `select ${names}, 'different' as ${KIND}
    from (select *, count(*) over (partition by ${number}) as " bearers"
      from ${held}) as held
    inner join ${COUNTS_IN_LAKE} as counts using (from_batch)
    where (" bearers" > 1 or ${number} is null
        or ${number} <= " so far" - " versions" or ${number} > " so far")
      and (select sum(" versions") from ${COUNTS_IN_LAKE})
        = (select count(*) from ${held})`;
}

/** Ended versions: as the lake has them, and as the warehouse does. */
export function historySides(
  { model, columns }: ModelInWarehouse,
  forms: readonly PrintedForms[],
): Sides {
  const names = quoteNames(model.key);
  const keyColumns = columns.filter(({ name }) => model.key.includes(name));
  const keyForms = forms.filter(({ column }) => model.key.includes(column));
  const key = [...model.key, "from_batch"];
  return {
    key,
    columns: [
      ...namesBeside(columns, model.key),
      " inexact",
      "to_batch",
      "valid_from",
      "valid_to",
    ],
    expected: inWarehouseForm(ENDED_IN_LAKE, {
      columns: [...columns, ...STAMPS],
      forms,
    }),
    actual: ENDED_IN_WAREHOUSE,
    doubles: doublesOf(ENDED_IN_WAREHOUSE, key),
    // Current rows are compared already, but neither their start nor whether
    // they may have ended; and there must be nothing of future batches.
    besides: `select ${names}, from_batch, 'different' as ${KIND}
      from ${BEYOND_WAREHOUSE}
      union all select ${names}, from_batch, 'different' as ${KIND}
      from ${OPEN_IN_WAREHOUSE}
      where (valid_to is null) <> (to_batch is null)
      union all select ${names}, batch as from_batch, 'different' as ${KIND}
      from (select ${selectSql(keyColumns, keyForms)}, batch, snapshot_time
        from ${joinPrintedForms(openInLake(model), keyForms)})
      inner join (select ${names}, from_batch, valid_from
        from ${OPEN_IN_WAREHOUSE}) using (${names})
      where batch is distinct from from_batch
        or snapshot_time is distinct from valid_from`,
  };
}

function doublesOf(rows: string, key: readonly string[]): string {
  const names = quoteNames(key);
  return `(select ${names} from ${rows} group by ${names} having count(*) > 1)`;
}

function inWarehouseForm(
  rows: string,
  { columns, forms }: {
    columns: readonly ComparedColumn[];
    forms: readonly PrintedForms[];
  },
): string {
  return `(select ${selectSql(columns, forms)}, false as ${INEXACT}
    from ${joinPrintedForms(rows, forms)})`;
}

function selectSql(
  columns: readonly ComparedColumn[],
  forms: readonly PrintedForms[],
): string {
  return columns.map((column) =>
    `${
      column.hasPrintedForm
        ? printedFormSql(column.name, forms)
        : comparableSql(column)
    } as ${quoteName(column.name)}`
  ).join(", ");
}

function namesBeside(
  columns: readonly { name: string }[],
  key: readonly string[],
): string[] {
  return columns.map(({ name }) => name).filter((name) => !key.includes(name));
}
