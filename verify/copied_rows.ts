import type pg from "pg";
import { dirname } from "node:path";
import { CSV_ROW_BYTES_MAX, NEWLINE } from "../lib/csv/csv_row.ts";
import { copyOut } from "../lib/postgres/copy.ts";
import { emptyModelSql } from "../lib/models/empty_relation.ts";
import { quoteText } from "../lib/sql/quote.ts";
import { tempDirectoryError } from "../lib/temp_folder.ts";

/** A model's row has our columns beside the source's: 64 KiB more as CSV. */
const ROW_BYTES_MAX = CSV_ROW_BYTES_MAX + 65_536;
/** Each thread of DuckDB's reader has buffers of its own, of two rows or so. */
const BUFFER_BYTES_MIN = 2 * 1024 * 1024;

/** The rows of a select, in a file. */
export interface CopiedRows {
  path: string;
  columns: readonly string[];
  /** As Postgres counted them. */
  rows: number;
  /** The bytes of the longest row; undefined if one may be several lines. */
  lineBytesMax: number | undefined;
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
  const lines = { count: 0, bytesMax: 0, begun: 0 };
  for await (const piece of pieces) {
    countLines(piece, lines);
    let rest = piece;
    while (rest.length > 0) {
      rest = rest.subarray(await file.write(rest).catch(unwritable));
    }
  }
  const rows = rowCount();
  // The header is a line, too.
  const lineBytesMax = lines.count > rows + 1 ? undefined : lines.bytesMax;
  return { path, columns, rows, lineBytesMax };
}

/** Counts a piece's lines and the bytes of the longest, newline included. */
function countLines(
  piece: Uint8Array,
  lines: { count: number; bytesMax: number; begun: number },
): void {
  let at = 0;
  for (let end; (end = piece.indexOf(NEWLINE, at) + 1) > 0; at = end) {
    lines.count++;
    lines.bytesMax = Math.max(lines.bytesMax, lines.begun + end - at);
    lines.begun = 0;
  }
  lines.begun += piece.length - at;
}

/**
 * DuckDB SQL for the rows of such a file, every value as text. Several threads
 * would misread line breaks in texts.
 */
export function copiedRowsSql(
  { path, columns, rows, lineBytesMax }: CopiedRows,
): string {
  if (rows === 0) {
    const texts = columns.map((name) => ({ name, type: "VARCHAR" }));
    return `(${emptyModelSql(texts)})`;
  }
  const rowBytesMax = lineBytesMax ?? ROW_BYTES_MAX;
  const bufferBytes = Math.max(BUFFER_BYTES_MIN, 2 * rowBytesMax);
  const types = columns.map((name) => `${quoteText(name)}: 'VARCHAR'`);
  return `read_csv(${quoteText(path)}, columns = {${types.join(", ")}},
    auto_detect = false, header = true, delim = ',', quote = '"',
    escape = '"', nullstr = '\\N', allow_quoted_nulls = false,
    strict_mode = true, new_line = '\\n', hive_partitioning = false,
    parallel = ${lineBytesMax !== undefined}, max_line_size = ${
    bufferBytes / 2
  }, buffer_size = ${bufferBytes})`;
}
