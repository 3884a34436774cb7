import { CSV_ROW_BYTES_MAX } from "./csv_row.ts";
import { quotePath } from "./duckdb_path.ts";
import { quoteText } from "./postgres.ts";

/** Each thread of DuckDB's reader has a buffer of its own. */
const CSV_BUFFER_BYTES = 2 * CSV_ROW_BYTES_MAX;

/**
 * DuckDB SQL that reads CSV with a header exactly: every column as text, an
 * empty field is null and `""` is the empty text; what DuckDB would guess
 * turns texts into nulls and money into floats. The folders that the
 * files lie in are names only: no columns are made of them.
 */
export function readCsvSql(
  paths: readonly string[],
  columns: readonly string[],
): string {
  const types = columns.map((name) => `${quoteText(name)}: 'VARCHAR'`);
  return `read_csv([${paths.map(quotePath).join(", ")}],
    columns = {${types.join(", ")}}, header = true, auto_detect = false,
    delim = ',', quote = '"', escape = '"', nullstr = '',
    allow_quoted_nulls = false, strict_mode = true, new_line = '\\n',
    hive_partitioning = false,
    max_line_size = ${CSV_ROW_BYTES_MAX},
    buffer_size = ${CSV_BUFFER_BYTES})`;
}
