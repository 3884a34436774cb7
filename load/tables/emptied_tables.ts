import type { BatchLog } from "../../lib/batches/batch_log.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { readParquetSql } from "../../lib/duckdb/data_files.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { dataFileError } from "../../lib/duckdb/duckdb_error.ts";
import { StageError } from "../../lib/errors.ts";
import { QUARANTINE } from "../../lib/project/quarantine_model.ts";
import { versionsUpTo } from "../rows/find_versions.ts";
import type { WarehouseTable } from "./warehouse_table.ts";

/**
 * Throws a `StageError` for a model's table that holds nothing although batches
 * up to one, which the ledger has, brought versions: somebody emptied it, or
 * made it again, or restored it without its rows. What is loaded next would
 * stand there alone. Costs nothing while each table but the quarantine's, which
 * seldom has rows, holds some.
 */
export async function checkNoneEmptied(
  options: {
    duckdb: DuckDb;
    batches: BatchLog<ProcessedManifest>;
    newest: ProcessedManifest;
  },
  { tables, batch }: { tables: readonly WarehouseTable[]; batch: number },
): Promise<void> {
  const { batches, newest } = options;
  // What others' triggers and rules divert is not in the table.
  const empty = tables.filter((table) =>
    table.empty && table.interceptors.length === 0
  );
  if (batch < 1 || empty.every(({ model }) => isQuarantine(model))) return;
  const models = empty.map(({ model }) => model);
  const versions = await versionsUpTo(batches, { batch, newest, models });
  for (const { name } of models) {
    const { files = [] } = versions.get(name) ?? {};
    if (files.length === 0) continue;
    const first = await firstBatch(options, { files, batch });
    if (first !== undefined) throw emptiedError(name, first);
  }
}

function isQuarantine({ name }: { name: string }): boolean {
  return name === QUARANTINE.name;
}

/** The first batch that brought a row; deletes of unknown keys bring none. */
async function firstBatch(
  { duckdb, batches: { zone } }: Parameters<typeof checkNoneEmptied>[0],
  { files, batch }: { files: readonly { key: string }[]; batch: number },
): Promise<number | undefined> {
  try {
    const [found] = await duckdb.rows(
      `select min(batch) as batch from ${readParquetSql(zone, files)}
      where batch <= ${batch} and not is_delete`,
    );
    return found?.batch == null ? undefined : Number(found.batch);
  } catch (error) {
    const subject = files.map(({ key }) => zone.locate(key)).join(", ");
    throw dataFileError(error, { action: "read", subject, task: "load" });
  }
}

function emptiedError(model: string, batch: number): StageError {
  return new StageError(
    `Cannot load the model "${model}": its table is empty, and has had rows since batch ${batch}`,
    {
      subject: model,
      hint:
        "Somebody emptied it, made it again, or restored the warehouse without its rows: `./totesys rebuild warehouse` fills it again",
    },
  );
}
