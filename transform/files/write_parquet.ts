import { counted } from "../../lib/counted.ts";
import { dirname } from "node:path";
import type { DataFile } from "../../lib/batches/manifest.ts";
import { type Column, readParquetSql } from "../../lib/duckdb/data_files.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { dataFileError } from "../../lib/duckdb/duckdb_error.ts";
import { StageError } from "../../lib/errors.ts";
import { fieldIdsSql } from "../../lib/iceberg/field_ids.ts";
import { quoteText, type TextRow } from "../../lib/sql/quote.ts";
import { sha256OfStream } from "../../lib/zone/checksum.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { isQueryFault } from "../checks/query_fault.ts";

/**
 * Writes a query's result as a Parquet file straight into the zone, and checks
 * the file's size, footer and rows. Without rows, writes no file and gives
 * undefined. The query's own errors are thrown as they are.
 */
export async function writeParquet(
  duckdb: DuckDb,
  select: string,
  options: WriteOptions,
): Promise<DataFile | undefined> {
  const written = await writeAndRead(duckdb, select, options);
  return written?.file;
}

/** Where a file is written, and with what. */
interface WriteOptions {
  zone: Zone;
  key: string;
  /** All of the query's columns, for Iceberg's field ids in the file. */
  columns?: readonly Column[];
}

/**
 * Writes a file as `writeParquet` does, and also gives aggregates over it: it
 * is read for them and for its check at once.
 */
export async function writeAndRead(
  duckdb: DuckDb,
  select: string,
  options: WriteOptions & { aggregates?: string },
): Promise<{ file: DataFile; found: TextRow } | undefined> {
  const { zone, key, columns, aggregates } = options;
  const ids = columns === undefined ? "" : `, ${fieldIdsSql(columns)}`;
  const path = zone.locate(key);
  try {
    if (!path.startsWith("s3://")) {
      await Deno.mkdir(dirname(path), { recursive: true });
    }
    const [written] = await duckdb.rows(
      `copy (${select}) to ${quoteText(path)}
      (format parquet, compression zstd, return_stats${ids})`,
    );
    const rows = Number(written?.count ?? 0);
    if (rows === 0) {
      await zone.remove(key);
      return undefined;
    }
    if (!path.startsWith("s3://")) await syncToDisk(path);
    const { sha256, bytes } = await sha256OfStream(await zone.stream(key));
    const [found = {}] = await duckdb.rows(
      aggregates === undefined
        ? `select num_rows as rows from parquet_file_metadata(${
          quoteText(path)
        })`
        : `select count(*) as rows, ${aggregates}
          from ${readParquetSql(zone, [{ key }])}`,
    );
    if (
      bytes !== Number(written?.file_size_bytes) || rows !== Number(found.rows)
    ) {
      throw new Error(
        `${bytes} bytes and ${
          counted(found.rows ?? "", "rows were")
        } found, ${written?.file_size_bytes} and ${rows} were written`,
      );
    }
    return { file: { key, bytes, rows, sha256 }, found };
  } catch (error) {
    if (error instanceof StageError || isQueryFault(error)) throw error;
    throw dataFileError(error, {
      action: "write",
      subject: path,
      task: "transform",
    });
  }
}

/** DuckDB leaves that to the system; a manifest must not outlive its files. */
async function syncToDisk(path: string): Promise<void> {
  using file = await Deno.open(path, { read: true, write: true });
  await file.sync();
  using folder = await Deno.open(dirname(path));
  await folder.sync();
}
