import type pg from "pg";
import { dirname } from "node:path";
import { CSV_ROW_BYTES_MAX } from "../lib/duckdb/csv_row.ts";
import { copyOut } from "../lib/postgres/copy.ts";
import { quoteText } from "../lib/postgres/postgres.ts";
import { tempDirectoryError } from "../lib/temp_folder.ts";

/** A model's row has our columns beside the source's: 64 KiB more as CSV. */
const ROW_BYTES_MAX = CSV_ROW_BYTES_MAX + 65_536;
/** Each thread of DuckDB's reader has a buffer of its own. */
const BUFFER_BYTES = 2 * ROW_BYTES_MAX;
const NEWLINE = 10;

/** The rows of a select, in a file. */
export interface CopiedRows {
  path: string;
  columns: readonly string[];
  /** As Postgres counted them. */
  rows: number;
  /** Whether no text in it has a line break. */
  rowsAreLines: boolean;
}

/**
 * Writes a select's rows into a file, null as `\N`: that text itself is quoted.
 * A header comes first, since a reader of CSV takes a byte order mark off the
 * file's first text. Throws a `StageError` if the file can't be written, since
 * that is no error of the server's.
 */
export async function copyRows(
  client: pg.Client,
  options: { select: string; columns: readonly string[]; path: string },
): Promise<CopiedRows> {
  const { select, columns, path } = options;
  // An empty line would be skipped.
  const quoted = columns.length === 1 ? ", force_quote *" : "";
  const unwritable = (error: unknown) => {
    throw tempDirectoryError(error, dirname(path));
  };
  using file = await Deno.open(path, { write: true, createNew: true })
    .catch(unwritable);
  const { pieces, rowCount } = copyOut(
    client,
    `copy (${select}) to stdout
    (format csv, header, null '\\N'${quoted})`,
  );
  let lines = 0;
  for await (const piece of pieces) {
    lines += linesIn(piece);
    let rest = piece;
    while (rest.length > 0) {
      rest = rest.subarray(await file.write(rest).catch(unwritable));
    }
  }
  const rows = rowCount();
  // The header is a line, too.
  return { path, columns, rows, rowsAreLines: lines <= rows + 1 };
}

function linesIn(piece: Uint8Array): number {
  let lines = 0;
  for (let at = -1; (at = piece.indexOf(NEWLINE, at + 1)) >= 0;) lines++;
  return lines;
}

/**
 * DuckDB SQL for the rows of such a file, every value as text. Several threads
 * would misread line breaks in texts.
 */
export function copiedRowsSql(
  { path, columns, rowsAreLines }: CopiedRows,
): string {
  const types = columns.map((name) => `${quoteText(name)}: 'VARCHAR'`);
  return `read_csv(${quoteText(path)}, columns = {${types.join(", ")}},
    auto_detect = false, header = true, delim = ',', quote = '"',
    escape = '"', nullstr = '\\N', allow_quoted_nulls = false,
    strict_mode = true, new_line = '\\n', hive_partitioning = false,
    parallel = ${rowsAreLines}, max_line_size = ${ROW_BYTES_MAX}, buffer_size = ${BUFFER_BYTES})`;
}
