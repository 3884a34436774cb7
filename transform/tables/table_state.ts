import type {
  DataFile,
  ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import { type Column, readColumnsSql } from "../../lib/duckdb/data_files.ts";
import { checkFiles } from "../../lib/batches/check_files.ts";
import { quoteName, quoteNames } from "../../lib/sql/quote.ts";
import { type ContractTable, typeSql } from "../../lib/project/contract.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import {
  type BatchContent,
  type BatchWork,
  writeState,
} from "../batches/batch_work.ts";
import { IS_GONE, ROW_BATCH } from "./land_table.ts";

type State = ProcessedManifest["state"];

/**
 * The tables that joined models read are kept in the lake as of the newest
 * batch: in one file as long as it is small, in several once rewriting it for a
 * few rows costs more than reading it. Then the first file has rows, and each
 * of the others has what later batches changed: rows, and the keys of deleted
 * ones. A file is rewritten with the newer ones when they reach a quarter of
 * its rows, so that there are few files, and a row is rewritten few times.
 */
const RATIO = 4;
/** The columns that files of changes have besides the table's. */
const CHANGE_COLUMNS = [
  { name: "row batch", type: "BIGINT" },
  { name: "row is gone", type: "BOOLEAN" },
];

/** The files that hold a table's rows, the one with the oldest rows first. */
export function tableFiles(
  state: State,
  table: string,
): DataFile[] {
  const whole = state[wholeName(table)];
  if (whole !== undefined) return [whole];
  const files: DataFile[] = [];
  for (;;) {
    const file = state[partName(table, files.length)];
    if (file === undefined) return files;
    files.push(file);
  }
}

/** The rows of a table as the batch before left it; see `tableRowsSql`. */
export async function tableBefore(
  work: Pick<BatchWork, "processed" | "previous">,
  table: ContractTable,
): Promise<string | undefined> {
  const state = work.previous?.state ?? {};
  await checkFiles(work.processed, tableFiles(state, table.name));
  return tableRowsSql(work.processed, { state, table });
}

/**
 * A select of the rows of a table that a manifest's state has; undefined if it
 * has none. The files are not checked.
 */
export function tableRowsSql(
  zone: Zone,
  options: { state: State; table: ContractTable },
): string | undefined {
  const { state, table } = options;
  const [first, ...changes] = tableFiles(state, table.name);
  if (first === undefined) return undefined;
  const columns = columnsOf(table);
  const rows = `from ${readColumnsSql(zone, [first], columns)}`;
  if (changes.length === 0) return rows;
  const key = quoteNames(table.key);
  const newest = newestSql(table, [
    changesSql(zone, { table, files: changes }),
  ]);
  return `(${rows} anti join (${newest}) using (${key}))
    union all by name select ${
    quoteNames(table.columns.map(({ name }) => name))
  }
    from (${newest}) where not ${IS_GONE}`;
}

/**
 * Keeps a table's rows for the next batch: those that `whole` selects, or, if
 * it is not given, those of `after.<table>`, of which only what the batch
 * changed may be written, beside the files that have the others.
 */
export async function keepTable(
  work: BatchWork,
  options: { table: ContractTable; content: BatchContent; whole?: string },
): Promise<void> {
  const { table, content, whole } = options;
  const { state } = content;
  const files = tableFiles(state, table.name);
  const kept = whole !== undefined
    ? 0
    : await filesToKeep(work, { table, files });
  const written = await writeState(work, {
    name: wholeName(table.name),
    select: `from (${
      kept === 0
        ? whole ?? `from after.${quoteName(table.name)}`
        : newestSql(table, [
          ...kept === files.length ? [] : [changesSql(work.processed, {
            table,
            files: files.slice(kept),
          })],
          ...batchChangesSql(work, table),
        ])
    }) order by ${quoteNames(table.key)}`,
  });
  delete state[wholeName(table.name)];
  files.forEach((_, index) => delete state[partName(table.name, index)]);
  const left = files.slice(0, kept);
  if (written !== undefined) left.push(written);
  const [only] = left;
  if (left.length === 1 && only !== undefined) {
    state[wholeName(table.name)] = only;
    return;
  }
  left.forEach((file, index) => state[partName(table.name, index)] = file);
}

/** How many files stay as they are, beside one with what is newer. */
async function filesToKeep(
  { duckdb, stateRowsMin }: BatchWork,
  { table, files }: { table: ContractTable; files: readonly DataFile[] },
): Promise<number> {
  const name = quoteName(table.name);
  const [found] = await duckdb.rows(
    `select (select count(*) from changed.${name})
      + (select count(*) from deleted.${name}) as rows`,
  );
  let rows = Number(found?.rows);
  let kept = files.length;
  for (const file of files.toReversed()) {
    if (file.rows >= Math.max(stateRowsMin, RATIO * rows)) break;
    rows += file.rows;
    kept--;
  }
  return kept;
}

/** The newest change of each key. */
function newestSql(table: ContractTable, changes: readonly string[]): string {
  return `select * from (${changes.join(" union all by name ")})
    qualify row_number() over (
      partition by ${quoteNames(table.key)} order by ${ROW_BATCH} desc
    ) = 1`;
}

/** The changes that files have. */
function changesSql(
  zone: Zone,
  { table, files }: { table: ContractTable; files: readonly DataFile[] },
): string {
  const columns = [...columnsOf(table), ...CHANGE_COLUMNS];
  return `from ${readColumnsSql(zone, files, columns)}`;
}

/** The changes of this batch; a key that has a row again is not gone. */
function batchChangesSql(
  { input }: Pick<BatchWork, "input">,
  table: ContractTable,
): string[] {
  const name = quoteName(table.name);
  const key = quoteNames(table.key);
  const batch = `cast(${input.batch} as bigint) as ${ROW_BATCH}`;
  return [
    `select *, ${batch}, false as ${IS_GONE} from changed.${name}`,
    `select ${key}, ${batch}, true as ${IS_GONE} from deleted.${name}
      anti join changed.${name} using (${key})`,
  ];
}

function columnsOf({ columns }: ContractTable): Column[] {
  return columns.map(({ name, type }) => ({ name, type: typeSql(type) }));
}

/** The name under which a manifest keeps a table that is in one file. */
function wholeName(table: string): string {
  return `current.${table}`;
}

/**
 * The name of one of several files. The first one's differs from the whole
 * table's, so that a version that knows only whole tables misses it, and does
 * not read a part.
 */
function partName(table: string, index: number): string {
  return `current/${index}.${table}`;
}
