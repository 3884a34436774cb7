import { counted } from "../../lib/counted.ts";
import { dataKey } from "../../lib/batches/batch_log.ts";
import type { DataFile } from "../../lib/batches/manifest.ts";
import {
  type Column,
  columnsHash,
  describeColumns,
  readParquetSql,
} from "../../lib/duckdb/data_files.ts";
import { EngineRefusal } from "../../lib/engine.ts";
import { StageError } from "../../lib/errors.ts";
import { quoteText } from "../../lib/sql/quote.ts";
import { sha256OfStream } from "../../lib/zone/checksum.ts";
import type { BatchWork } from "../batches/batch_work.ts";
import { sum } from "../../lib/batches/sum.ts";

/** What the names of an engine's folders end with; see `keyParts`. */
const PART = "engine";

/** The folder of one model or table that an engine reads or writes. */
export function folderOf(
  { input, runId }: BatchWork,
  options: { name: string; isState: boolean },
): string {
  return dataKey(options.name, {
    batch: input.batch,
    runId,
    isState: options.isState,
    part: PART,
  });
}

/** An engine wants a folder, where there are any, also if it writes no row. */
export async function makeEngineFolder(
  { processed }: BatchWork,
  folder: string,
): Promise<void> {
  const path = processed.locate(folder);
  if (path.startsWith("s3://")) return;
  await Deno.mkdir(path, { recursive: true });
}

/** Removes what an engine was given, or wrote in vain. */
export async function removeEngineFolder(
  { processed }: Pick<BatchWork, "processed">,
  folder: string,
): Promise<void> {
  for await (const { key } of processed.list(`${folder}/`)) {
    await processed.remove(key);
  }
}

/**
 * The files that the engine has written, with their checksums. Throws an
 * `EngineRefusal` if their columns are not those that DuckDB would write, and a
 * `StageError` if rows are missing.
 */
export async function filesIn(
  work: BatchWork,
  options: { folder: string; rows: number; columns: readonly Column[] },
): Promise<DataFile[]> {
  const { duckdb, processed } = work;
  const { folder, rows, columns } = options;
  const files: DataFile[] = [];
  for await (const { key } of processed.list(`${folder}/`)) {
    const content = await sha256OfStream(await processed.stream(key));
    const [footer] = await duckdb.rows(
      `select num_rows from parquet_file_metadata(${
        quoteText(processed.locate(key))
      })`,
    );
    const file = { key, rows: Number(footer?.num_rows), ...content };
    if (file.rows === 0) continue;
    const found = await describeColumns(
      duckdb,
      `select * from ${readParquetSql(processed, [file])}`,
    );
    if (columnsHash(found) !== columnsHash(columns)) {
      throw new EngineRefusal(
        `its columns are ${describe(found)}, not ${describe(columns)}`,
      );
    }
    files.push(file);
  }
  const present = sum(files, "rows");
  if (present === rows) return files;
  const place = processed.locate(folder);
  throw new StageError(
    `Cannot use what ${work.engine?.runner.about.name} wrote to ${place}: ${
      counted(present, "rows were")
    } found, it says ${rows}`,
    {
      subject: place,
      retryable: true,
      hint:
        "Nothing was committed. Does it write to the same place as this machine? Then run it again",
    },
  );
}

function describe(columns: readonly Column[]): string {
  return columns.map(({ name, type }) => `${name} ${type}`).join(", ");
}
