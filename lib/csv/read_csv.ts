import { quoteText } from "../sql/quote.ts";
import { CSV_ROW_BYTES_MAX } from "./csv_row.ts";

/** A buffer holds two rows; each thread of DuckDB's reader has its own. */
const ROWS_IN_BUFFER = 2;
/** The least that DuckDB reads at once. */
const ROW_BYTES_MIN = 64 * 1024;
/**
 * Each thread of the reader holds about 100 KB of vectors per column: a file
 * with more columns than this is read by one thread.
 */
export const PARALLEL_COLUMNS_MAX = 100;

/**
 * DuckDB SQL that reads CSV with a header exactly: every column is text, an
 * empty field is null and `""` is the empty text. DuckDB's own guesses would
 * turn texts into nulls and money into floats. Folder names such as `batch=1`
 * don't become columns. Threads that share a file guess where a row begins, and
 * a line break in a text can mislead them: such a file is read by one.
 */
export function readCsvSql(
  paths: readonly string[],
  columns: readonly string[],
  options: {
    /** The size of the largest file, if known: no row is longer. */
    bytesMax?: number;
    /** Whether no text in the files has a line break. */
    rowsAreLines?: boolean;
    /** The name of an additional column for the file's path. */
    pathColumn?: string;
  } = {},
): string {
  const { bytesMax = CSV_ROW_BYTES_MAX, rowsAreLines, pathColumn } = options;
  const rowBytes = Math.min(
    Math.max(bytesMax, ROW_BYTES_MIN),
    CSV_ROW_BYTES_MAX,
  );
  const types = columns.map((name) => `${quoteText(name)}: 'VARCHAR'`);
  return `read_csv([${paths.map(quoteText).join(", ")}],
    columns = {${types.join(", ")}}, header = true, auto_detect = false,
    delim = ',', quote = '"', escape = '"', nullstr = '',
    allow_quoted_nulls = false, strict_mode = true, new_line = '\\n',
    hive_partitioning = false,
    filename = ${pathColumn === undefined ? false : quoteText(pathColumn)},
    parallel = ${
    rowsAreLines === true && columns.length <= PARALLEL_COLUMNS_MAX
  },
    max_line_size = ${rowBytes},
    buffer_size = ${ROWS_IN_BUFFER * rowBytes})`;
}
