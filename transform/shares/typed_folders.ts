import {
  type Column,
  columnsHash,
  describeColumns,
  readParquetSql,
} from "../../lib/duckdb/data_files.ts";
import type { InputSchema } from "../../lib/engine.ts";
import type { ContractTable } from "../../lib/project/contract.ts";
import { quoteName, quoteNames } from "../../lib/sql/quote.ts";
import type { BatchWork } from "../batches/batch_work.ts";
import { ROW_KEY, UNREADABLE } from "../tables/land_table.ts";
import { typedFolder } from "./share_note.ts";
import { sourcesOf } from "./typed_table.ts";
import { sum } from "../../lib/batches/sum.ts";

/**
 * The folders that together have what models read of a table, and nothing else,
 * with the number of rows in each: an engine reads what other processes have
 * typed as it is. None if there is a row that they don't have, or one that a
 * rule sets aside, or if a column's values are carried in another type.
 */
export async function typedFolders(
  work: BatchWork,
  options: {
    table: ContractTable;
    schema: InputSchema;
    columns: readonly Column[];
  },
): Promise<{ folder: string; rows: number }[]> {
  const { duckdb, input, shares, previous } = work;
  const { table, schema, columns } = options;
  const typed = shares?.get(table.name);
  if (typed === undefined) return [];
  const known = sourcesOf([typed]);
  const csv = input.tables[table.name]?.rows ?? [];
  const isAll = csv.every(({ key }) => known.has(key)) &&
    (schema === "changed" || previous === undefined);
  if (!isAll) return [];
  const name = quoteName(table.name);
  const [aside] = await duckdb.rows(
    `select count(*) as rows from arrived.${name} as arrived
    semi join quarantined.${name} as bad on bad.row_key = arrived.${ROW_KEY}
    where ${UNREADABLE} is null`,
  );
  if (aside?.rows !== "0") return [];
  const folders: { folder: string; rows: number }[] = [];
  for (const [runId, files] of typed.shares) {
    const readable = files.flatMap(({ readable }) => readable ?? []);
    if (readable.length === 0) continue;
    const found = await describeColumns(
      duckdb,
      `select ${quoteNames(columns.map((column) => column.name))}
      from ${readParquetSql(typed.zone, readable)}`,
    );
    if (columnsHash(found) !== columnsHash(columns)) return [];
    const rows = sum(readable, "rows");
    const folder = typedFolder(table.name, { runId, batch: input.batch });
    folders.push({ folder, rows });
  }
  return folders;
}
