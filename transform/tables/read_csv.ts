import { counted } from "../../lib/counted.ts";
import { RESTORE_FILE } from "../../lib/zone/restore_hint.ts";
import type { DataFile } from "../../lib/batches/manifest.ts";
import { PARALLEL_COLUMNS_MAX, readCsvSql } from "../../lib/csv/read_csv.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { dataFileError } from "../../lib/duckdb/duckdb_error.ts";
import { StageError } from "../../lib/errors.ts";
import type { TextRow } from "../../lib/sql/quote.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { sum } from "../../lib/batches/sum.ts";

/** In a group of batches, the column with the path of a row's file. */
export const FILE_PATH = "file path";
/** A wide file's rows as text. */
const TEXTS = "memory.main.texts";

/**
 * Creates a table from files of CSV. Throws a `StageError` if they don't have
 * the rows that the manifest says.
 */
export async function readCsv(
  duckdb: DuckDb,
  options: {
    /** A statement that creates a table, to which the rows' source is added. */
    create: string;
    columns: readonly string[];
    files: readonly DataFile[];
    zone: Zone;
    isGroup: boolean;
  },
): Promise<void> {
  const { create, columns, files, zone, isGroup } = options;
  const paths = files.map((file) => zone.locate(file.key));
  const subject = paths.join(", ");
  const csv = readCsvSql(paths, columns, {
    bytesMax: Math.max(...files.map((file) => file.bytes)),
    rowsAreLines: files.every((file) => file.rowsAreLines === true),
    ...isGroup ? { pathColumn: FILE_PATH } : {},
  });
  let created: TextRow | undefined;
  try {
    if (columns.length <= PARALLEL_COLUMNS_MAX) {
      [created] = await duckdb.rows(`${create} from ${csv}`);
    } else {
      // This way, reading that many columns and casting them share no memory.
      await duckdb.run(`create or replace table ${TEXTS} as from ${csv}`);
      [created] = await duckdb.rows(`${create} from ${TEXTS}`);
      await duckdb.run(`drop table ${TEXTS}`);
    }
  } catch (error) {
    throw dataFileError(error, { action: "read", subject, task: "transform" });
  }
  const expected = sum(files, "rows");
  // DuckDB says how many rows it has put into the table.
  if (Number(created?.Count) === expected) return;
  throw new StageError(
    `Cannot read ${subject}: ${
      counted(created?.Count ?? "", "rows were")
    } found, the manifest says ${expected}`,
    {
      subject,
      hint: `${RESTORE_FILE}, then run transform`,
    },
  );
}
