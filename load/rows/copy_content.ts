import { describeColumns } from "../../lib/duckdb/data_files.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { dataFileError } from "../../lib/duckdb/duckdb_error.ts";
import { quoteText } from "../../lib/sql/quote.ts";
import type { WarehouseTable } from "../tables/warehouse_table.ts";
import { type BinaryColumn, binaryColumn } from "./binary_columns.ts";
import { binaryRows } from "./binary_rows.ts";

/** Rows in a form for COPY, to be read once. */
export interface CopyContent {
  format: "csv" | "binary";
  pieces: AsyncIterable<Uint8Array>;
  /** How many there are, once they have been read. */
  rows: () => number;
}

/** Writes a query's rows as CSV; the file is removed once it has been read. */
export async function csvContent(
  duckdb: DuckDb,
  options: {
    select: string;
    path: string;
    /** What is read, for errors. */
    subject: string;
    isOneColumn: boolean;
  },
): Promise<CopyContent> {
  const { select, path, subject, isOneColumn } = options;
  // Alone on a line, Postgres before 18 takes \\. for the end of the data.
  const quoted = isOneColumn ? ", force_quote *" : "";
  const [written] = await duckdb.rows(
    `copy (${select}) to ${quoteText(path)}
    (format csv, header false${quoted})`,
  ).catch((error) => {
    throw readError(error, subject);
  });
  return {
    format: "csv",
    pieces: readOnce(path),
    rows: () => Number(written?.Count ?? 0),
  };
}

async function* readOnce(path: string): AsyncGenerator<Uint8Array> {
  const file = await Deno.open(path);
  yield* file.readable;
  await Deno.remove(path);
}

/**
 * Gives a query's rows in COPY's binary format, which Postgres reads in half
 * the time of CSV; undefined where that may change a value, or takes longer.
 */
export async function binaryContent(
  duckdb: DuckDb,
  options: {
    select: string;
    /** What is read, for errors. */
    subject: string;
    /** SQL that holds the columns that may be doubtful, and those it lacks. */
    from: string;
    lacking: readonly string[];
    /** The types of the table's columns. */
    types: WarehouseTable["types"];
  },
): Promise<CopyContent | undefined> {
  const { select, subject, from, lacking, types } = options;
  try {
    const given = await describeColumns(duckdb, select);
    const columns = binaryColumns(given, types);
    if (columns === undefined) return undefined;
    const doubts = columns.flatMap(({ doubt }, at) =>
      lacking.includes(given[at]?.name ?? "") ? [] : doubt ?? []
    );
    if (doubts.length > 0) {
      const [found] = await duckdb.rows(
        `select exists (from ${from} where ${doubts.join(" or ")}) as doubtful`,
      );
      if (found?.doubtful !== "false") return undefined;
    }
    const values = columns.map((column) => column.select);
    const chunks = await duckdb.chunks(
      `select ${values.join(", ")} from (${select})`,
    );
    let rows = 0;
    const counted = async function* () {
      try {
        for await (const chunk of chunks) {
          rows += chunk.rowCount;
          yield chunk;
        }
      } catch (error) {
        throw readError(error, subject);
      }
    };
    return {
      format: "binary",
      pieces: binaryRows(counted(), columns),
      rows: () => rows,
    };
  } catch (error) {
    throw readError(error, subject);
  }
}

function binaryColumns(
  given: readonly { name: string; type: string }[],
  types: WarehouseTable["types"],
): BinaryColumn[] | undefined {
  const columns: BinaryColumn[] = [];
  for (const column of given) {
    const [target = "", other] = types.get(column.name) ?? [];
    const binary = other === undefined
      ? binaryColumn(column, target)
      : undefined;
    if (binary === undefined) return undefined;
    columns.push(binary);
  }
  return columns;
}

function readError(error: unknown, subject: string): Error {
  return dataFileError(error, { action: "read", subject, task: "load" });
}
