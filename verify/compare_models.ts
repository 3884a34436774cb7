import type { DuckDb } from "../lib/duckdb/duckdb.ts";
import { keyText } from "../lib/duckdb/key_text.ts";
import { quoteName, quoteText } from "../lib/sql/quote.ts";
import type { ContractTable } from "../lib/project/contract.ts";
import { QUARANTINE } from "../lib/project/quarantine_model.ts";
import {
  expectedInWarehouse,
  historySides,
  lakeSides,
  warehouseSides,
} from "./compared_sides.ts";
import { expectedRows, WORK_CATALOGUE } from "./expectation.ts";
import {
  type Differences,
  DIFFERING,
  type DifferingKey,
  findDifferences,
} from "./find_differences.ts";
import { historySlices } from "./history_slices.ts";
import {
  ENDED_IN_LAKE,
  type Lake,
  type ModelInLake,
  openInLake,
  readFromLake,
  versionsIn,
} from "./lake_rows.ts";
import { type AskWarehouse, readPrintedForms } from "./printed_forms.ts";
import { acceptingCommands, repairCommands } from "./repair_commands.ts";
import {
  type DifferingColumn,
  ENDED_IN_WAREHOUSE,
  type ModelInWarehouse,
  OPEN_IN_WAREHOUSE,
  readFromWarehouse,
} from "./warehouse_rows.ts";

/**
 * The subject of a comparison: a place with its expected rows, or the history,
 * which the source does not have: the intervals of versions, and the rows of
 * ended ones, in the warehouse with those in the lake.
 */
export type Place = "lake" | "warehouse" | "history";

/** The result of comparing one model in one place. */
export interface Comparison {
  model: string;
  place: Place;
  /** Rows that should be there. */
  rows: number;
  /** Keys and columns that differ. */
  differences: number;
  columns: readonly DifferingColumn[];
  /** Views and functions that somebody replaced. */
  views: readonly string[];
  /** The first of these keys, in order. */
  firstKeys: readonly DifferingKey[];
  /** The tasks that repair it, to be run in this order. */
  repairs: readonly string[];
}

/** The input of a comparison. */
export interface ModelComparing {
  duckdb: DuckDb;
  tables: readonly ContractTable[];
  models: readonly ModelInLake[];
  lake: Lake;
  /** The models in the order in which they are listed. */
  warehouse: AsyncIterable<ModelInWarehouse>;
  /** Queries the warehouse while its rows are copied. */
  ask: AskWarehouse;
  /** A folder for temporary files. */
  folder: string;
}

const NO_SHAPE = { columns: [], views: [] };
const REJECTED_KEYS = `${WORK_CATALOGUE}.main.set_aside`;

/**
 * Compares each model with its expected rows, row by row: in the lake, in the
 * warehouse, and its history in the warehouse with the lake's. For a row in
 * quarantine, the source no longer has the version that a model of one table
 * holds: there the warehouse is compared with the lake alone.
 */
export async function compareModels(
  work: ModelComparing,
): Promise<Comparison[]> {
  const { duckdb, lake, models } = work;
  const quarantine = models.find(({ name }) => name === QUARANTINE.name);
  if (quarantine === undefined) throw new Error("No quarantine to compare");
  await readFromLake(duckdb, lake, quarantine);
  await duckdb.run(
    `create table ${REJECTED_KEYS} as
    select table_name, row_key from ${openInLake(quarantine)}
    union select table_name, row_key from ${expectedRows(QUARANTINE.name)}`,
  );
  const results: Comparison[] = [];
  let drops = false;
  for await (const held of work.warehouse) {
    drops ||= held.drops;
    results.push(...await compareModel(work, held));
  }
  return drops
    ? results.map((one) => ({
      ...one,
      repairs: acceptingCommands(one.repairs),
    }))
    : results;
}

async function compareModel(
  work: ModelComparing,
  held: ModelInWarehouse,
): Promise<Comparison[]> {
  const { duckdb, lake } = work;
  const { model } = held;
  const shape = { columns: held.differing, views: held.views };
  await readFromLake(duckdb, lake, model);
  const heldBack = await heldBackSql(work, model);
  const inLake = await findDifferences(
    duckdb,
    lakeSides(model, heldBack),
  );
  const lakeRepairs = repairCommands("lake", {
    model,
    kinds: inLake.kinds,
    tables: await tablesToRead(work, model),
    lakeRepairs: [],
  });
  const compared = { model, shape, lakeRepairs };
  const results = [
    comparison("lake", inLake, { ...compared, shape: NO_SHAPE }),
  ];
  if (held.files === undefined) {
    // Without the key, no row there can be found.
    const none = { ...inLake, keys: 0, kinds: [], firstKeys: [] };
    return [...results, comparison("warehouse", none, compared)];
  }
  await readFromWarehouse(duckdb, held);
  const expected = expectedInWarehouse(held, heldBack);
  const forms = await readPrintedForms(duckdb, {
    ...work,
    table: model.name,
    columns: held.columns.filter(({ hasPrintedForm }) => hasPrintedForm)
      .map(({ name }) => name),
    expected: [expected, ENDED_IN_LAKE],
    held: [OPEN_IN_WAREHOUSE, ENDED_IN_WAREHOUSE],
  });
  const inWarehouse = await findDifferences(
    duckdb,
    warehouseSides(held, { expected, forms }),
  );
  const history = await findDifferences(duckdb, {
    ...historySides(held, forms),
    slices: await historySlices(duckdb, {
      versionsMax: versionsIn(lake, model) + held.files.ended.rows,
    }),
  });
  const doubtful = { ...compared, isHistoryDoubtful: history.keys > 0 };
  return [
    ...results,
    comparison("warehouse", inWarehouse, doubtful),
    comparison("history", history, { ...doubtful, shape: NO_SHAPE }),
  ];
}

/** The result of comparing a model in one place, and what repairs it. */
function comparison(
  place: Place,
  { rows, keys, kinds, firstKeys }: Differences,
  options: {
    model: ModelInLake;
    /** The columns and views that differ there, whatever their rows. */
    shape: Pick<Comparison, "columns" | "views">;
    lakeRepairs: readonly string[];
    isHistoryDoubtful?: boolean;
  },
): Comparison {
  const { model, shape, lakeRepairs, isHistoryDoubtful = false } = options;
  const misshapen = shape.columns.length + shape.views.length;
  return {
    model: model.name,
    place,
    rows,
    differences: keys + misshapen,
    ...shape,
    firstKeys,
    repairs: place === "lake" ? lakeRepairs : repairCommands(place, {
      model,
      kinds,
      isReshaped: misshapen > 0,
      lakeRepairs,
      isHistoryDoubtful,
      tables: [],
    }),
  };
}

/**
 * Source tables to read again for the last differences; none when a row in
 * quarantine is from a table that can no longer be read.
 */
async function tablesToRead(
  { duckdb, tables }: ModelComparing,
  model: ModelInLake,
): Promise<readonly string[]> {
  if (model.name !== QUARANTINE.name) return model.reads;
  const rows = await duckdb.rows(
    `select distinct table_name from ${DIFFERING} order by table_name`,
  );
  const names = rows.map((row) => row.table_name ?? "");
  return names.every((name) => tables.some((table) => table.name === name))
    ? names
    : [];
}

/**
 * SQL for the rows of which a place holds an older version than the source: for
 * a model of one table, those in quarantine. Undefined when there are none.
 */
async function heldBackSql(
  { duckdb, tables }: ModelComparing,
  model: ModelInLake,
): Promise<string | undefined> {
  const [source = ""] = model.derivation === "row" ? model.reads : [];
  const table = tables.find(({ name }) => name === source);
  if (table === undefined) return undefined;
  const rows = `select row_key from ${REJECTED_KEYS}
    where table_name = ${quoteText(source)} and row_key is not null`;
  const [found] = await duckdb.rows(`select count(*) as rows from (${rows})`);
  if (found?.rows === "0") return undefined;
  const texts = sourceKey(model, table).map((name) =>
    `cast(${quoteName(name)} as varchar)`
  );
  return `coalesce(${keyText(texts)} in (${rows}), false)`;
}

/** The columns of a model's key in the order of its table's key. */
function sourceKey(model: ModelInLake, table: ContractTable): string[] {
  return table.key.map((name) => {
    const column = model.columns.find((one) =>
      model.key.includes(one.name) && one.source === name
    );
    if (column === undefined) throw new Error(`No key of "${name}"`);
    return column.name;
  });
}
