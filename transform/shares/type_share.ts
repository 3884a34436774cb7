import { BatchLog, dataKey } from "../../lib/batches/batch_log.ts";
import { checkFiles } from "../../lib/batches/check_files.ts";
import type {
  DataFile,
  IngestedTable,
  IngestionManifest,
  ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import { describeColumns } from "../../lib/duckdb/data_files.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { whileIntact } from "../../lib/duckdb/while_intact.ts";
import { StageError } from "../../lib/errors.ts";
import { registerModels } from "../../lib/models/register_models.ts";
import type { ContractTable } from "../../lib/project/contract.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import {
  expiredError,
  openStageZone,
  type StageContext,
  startRun,
} from "../../lib/stage.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { carriedByAthena } from "../engine/athena_sql.ts";
import { writeParquet } from "../files/write_parquet.ts";
import { createArrived, UNREADABLE } from "../tables/land_table.ts";
import { changedTables } from "../tables/quarantine.ts";
import {
  noteKey,
  originOf,
  type Share,
  type ShareNote,
  type TypedFile,
  typedFolder,
} from "./share_note.ts";
import { sum } from "../../lib/batches/sum.ts";

interface ShareWork {
  duckdb: DuckDb;
  ingestion: Zone;
  processed: Zone;
  batch: number;
  runId: string;
}

/** A table's file of CSV that belongs to the share. */
interface ShareFile {
  table: ContractTable;
  ingested: IngestedTable;
  file: DataFile;
}

/**
 * Types one share of a batch's CSV, file by file, into Parquet in the processed
 * zone, for the run of transform that makes the batch. Nothing is committed:
 * that run finds the share by its note, or reads the CSV itself. The batch is
 * the first that is pending, if none is given. Throws a `StageError` if there
 * is no such batch, or a file is damaged.
 */
export async function typeShare(
  context: StageContext,
  options: Share & { batch?: number | undefined },
): Promise<void> {
  const { config, resources, sql, log, progress, signal } = context;
  const { part, of } = options;
  const ingestion = openStageZone(context, "ingestion");
  const processed = openStageZone(context, "processed");
  try {
    const input = await findBatch({ ...options, ingestion, processed });
    const { batch } = input;
    const { runId, isExpired } = startRun(context);
    await using duckdb = await resources.openDuckDb(config, {
      zones: [ingestion.url, processed.url],
    });
    await registerModels(duckdb, sql);
    const work = { duckdb, ingestion, processed, batch, runId };
    const files: TypedFile[] = [];
    const own = filesOfShare(context, { ...options, input });
    progress.begin(`type ${part}/${of} of ${batch}`, {
      rows: sum(own.map(({ file }) => file), "rows"),
    });
    for (const [index, one] of own.entries()) {
      signal.throwIfAborted();
      files.push(await typeFile(context, { ...work, ...one, index }));
      progress.add({ rows: one.file.rows });
    }
    if (isExpired()) throw expiredError(`type ${part}/${of}`, processed.url);
    const note: ShareNote = {
      ...originOf({ input, sql }),
      part,
      of,
      runId,
      files,
    };
    await processed.create(
      noteKey({ part, of, runId, batch }),
      new TextEncoder().encode(JSON.stringify(note)),
    );
    log.info(
      "batch {batch}: share {part}/{of} is typed, {files} files of CSV",
      {
        batch,
        part,
        of,
        files: files.length,
      },
    );
  } finally {
    progress.end();
    ingestion.close();
    processed.close();
  }
}

async function findBatch(
  options: { ingestion: Zone; processed: Zone; batch?: number | undefined },
): Promise<IngestionManifest> {
  const { ingestion, processed } = options;
  const output = new BatchLog<ProcessedManifest>(processed, "transform");
  const batch = options.batch ?? await output.newestNumber() + 1;
  const input = new BatchLog<IngestionManifest>(ingestion, "extract");
  const found = await input.find(batch);
  if (found !== undefined) return found;
  throw new StageError(
    `Cannot type batch ${batch}: ${ingestion.url} does not have it`,
    {
      subject: ingestion.url,
      hint: options.batch === undefined
        ? "Every batch is made: name one with --batch, for a rebuild"
        : "Check --batch and INGESTION_URL",
    },
  );
}

/** Every nth file of the batch, by size, so that shares are about alike. */
function filesOfShare(
  { sql }: StageContext,
  options: Share & { input: IngestionManifest },
): ShareFile[] {
  const changed = changedTables(options.input);
  return sql.tables.flatMap((table) => {
    const ingested = changed.get(table.name);
    return (ingested?.rows ?? []).map((file) => ({ table, ingested, file }));
  }).filter((one): one is ShareFile => one.ingested !== undefined)
    .sort((one, other) =>
      other.file.bytes - one.file.bytes ||
      (one.file.key < other.file.key ? -1 : 1)
    )
    .filter((_, index) => index % options.of === options.part - 1);
}

async function typeFile(
  { config }: StageContext,
  work: ShareWork & ShareFile & { index: number },
): Promise<TypedFile> {
  const { duckdb, ingestion, processed, batch, runId, index } = work;
  const { table, file } = work;
  const arrived = `arrived.${quoteName(table.name)}`;
  await whileIntact(checkFiles(ingestion, [file]), () =>
    createArrived(duckdb, {
      table,
      ingested: { ...work.ingested, rows: [file] },
      zone: ingestion,
      target: arrived,
    }));
  const carriedType = config.transformEngine === "athena"
    ? carriedByAthena
    : (type: string) => type;
  const columns = await describeColumns(duckdb, `select * from ${arrived}`);
  const values = columns
    .filter(({ name }) => quoteName(name) !== UNREADABLE)
    .map(({ name, type }) =>
      `cast(${quoteName(name)} as ${carriedType(type)}) as ${quoteName(name)}`
    );
  const readable = await writeParquet(
    duckdb,
    `select ${values.join(", ")} from ${arrived} where ${UNREADABLE} is null`,
    {
      zone: processed,
      key: `${typedFolder(table.name, { batch, runId })}/${index}.parquet`,
    },
  );
  const unreadable = await writeParquet(
    duckdb,
    `from ${arrived} where ${UNREADABLE} is not null`,
    {
      zone: processed,
      key: dataKey(`unreadable.${table.name}`, {
        batch,
        runId,
        part: `${index}.parquet`,
        isState: true,
      }),
    },
  );
  await duckdb.run(`drop table ${arrived}`);
  return { table: table.name, source: file.key, readable, unreadable };
}
