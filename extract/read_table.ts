import { dataKey } from "../lib/batches/batch_log.ts";
import type { DataFile, IngestedTable } from "../lib/batches/manifest.ts";
import type { Progress } from "../lib/cli/progress.ts";
import { CSV_ROW_BYTES_MAX } from "../lib/csv/csv_row.ts";
import { StageError } from "../lib/errors.ts";
import { queryRow } from "../lib/postgres/postgres.ts";
import type { Zone } from "../lib/zone/zone.ts";
import { findCanary } from "./canary.ts";
import { copyToZone, LONG_ROW, tryCopyToZone } from "./copy_to_zone.ts";
import { findDeletes } from "./find_deletes.ts";
import type { LiveTable } from "./live_table.ts";
import partitionsChangedSql from "./partitions_changed.sql" with {
  type: "text",
};
import { isUnchanged, scanTable, type TableScan } from "./scan_table.ts";
import {
  nameUntranslatableRow,
  safeRowBytes,
  shippedColumns,
  shippedSql,
} from "./shipped_rows.ts";
import type { Snapshot } from "./snapshot.ts";
import { sum } from "../lib/batches/sum.ts";

/** How a table is read in this run. */
export interface TableRead {
  table: LiveTable;
  contractHash: string;
  previous: IngestedTable | undefined;
  /** Why it is read whole; undefined if only unshipped rows are read. */
  fullRead: string | undefined;
  /** A SQL condition that is true for the rows not yet shipped. */
  unshippedSql: string;
  /** Whether the snapshot sees what that of the batch before saw. */
  isIdle: boolean;
}

const PAGE_BYTES = 8192;
/** A full read splits a table into ranges of this many pages (128 MiB). */
const RANGE_PAGES = 16_384;
/** With many partitions, a range has at least this many of each (1 MiB). */
const RANGE_PAGES_MIN = 128;

/** Where the files of a table go. */
interface ReadOptions {
  zone: Zone;
  batch: number;
  runId: string;
  progress: Progress;
  signal: AbortSignal;
}

/**
 * Reads one table into the zone: the rows to ship, the keys deleted, and what
 * the next run needs. One scan finds whether there is anything to read; it is a
 * short one if the server has counted no write since, and there is none if the
 * snapshot sees what that of the batch before saw.
 */
export async function readTable(
  snapshot: Snapshot,
  read: TableRead,
  options: ReadOptions,
): Promise<IngestedTable> {
  const { table, previous, fullRead } = read;
  const { zone, progress, signal } = options;
  const name = table.contract.name;
  const known = fullRead === undefined ? previous : undefined;
  if (known !== undefined && await isQuiet(snapshot, read, known)) {
    const { fullRead: _, ...still } = known;
    const { definitions, written } = table;
    return { ...still, definitions, written, rows: [], deletes: [] };
  }
  const where = fullRead === undefined ? read.unshippedSql : "true";
  const scan = await snapshot.use((client) =>
    scanTable(client, {
      table,
      unshippedSql: where,
      previous: previous?.digest,
    }), name);
  const { files, longRows } = await copyTableRows(snapshot, read, {
    ...options,
    scan,
  });
  const keys = await snapshot.use((client) =>
    findDeletes(client, {
      table,
      scan,
      previous: previous?.digest,
      zone,
      key: (part) => dataKey(name, { ...options, part }),
      progress,
      signal,
    }), name);
  const newest = {
    table,
    where: `${where} and ${scan.newestSql}`,
    nextId: snapshot.nextId,
  };
  const canary = scan.unshipped === 0
    ? (fullRead === undefined ? previous?.witness : undefined)
    : await snapshot.use((client) => findCanary(client, newest), name);
  await checkPartitions(snapshot, table);
  return {
    contractHash: read.contractHash,
    columns: shippedColumns(table, { longRows }),
    identity: table.identity,
    definitions: table.definitions,
    sourceRows: scan.rows,
    written: table.written,
    ...(fullRead === undefined ? {} : { fullRead }),
    rows: files,
    deletes: keys.deletes,
    ...(canary === undefined ? {} : { witness: canary }),
    digest: keys.keyIndex,
  };
}

/** Whether there is nothing to read; a short scan finds that, if it is likely. */
async function isQuiet(
  snapshot: Snapshot,
  { table, isIdle, unshippedSql }: TableRead,
  previous: IngestedTable,
): Promise<boolean> {
  if (isIdle) return true;
  if (previous.written !== table.written) return false;
  const unchanged = await snapshot.use(
    (client) =>
      isUnchanged(client, { table, unshippedSql, rows: previous.sourceRows }),
    table.contract.name,
  );
  if (unchanged) await checkPartitions(snapshot, table);
  return unchanged;
}

/**
 * Copies the rows to ship into files of the zone, and checks that they are as
 * many as the scan found. If a row is too long, all are copied again, with that
 * one shortened.
 */
async function copyTableRows(
  snapshot: Snapshot,
  { table, fullRead, unshippedSql }: TableRead,
  options: ReadOptions & { scan: TableScan },
): Promise<{ files: DataFile[]; longRows: boolean }> {
  const name = table.contract.name;
  const { unshipped, unshippedIn } = options.scan;
  const sources = unshipped === 0
    ? []
    : fullRead === undefined
    ? [`${table.from} where ${unshippedSql} and ${unshippedIn}`]
    : rangesOf(table);
  const copyAll = (longRows: boolean) => {
    const copy = longRows ? copyToZone : tryCopyToZone;
    return settleAll(sources.map((source, index) => {
      const number = index + 1 + (longRows ? sources.length : 0);
      const part = dataKey(name, { ...options, part: `${number}.csv` });
      return snapshot.use((client) =>
        nameUntranslatableRow(
          client,
          { table, source },
          () =>
            copy(client, shippedSql(table, { source, longRows }), {
              ...options,
              table: name,
              key: part,
              rowBytesMax: longRows ? CSV_ROW_BYTES_MAX : safeRowBytes(table),
            }),
        ), name);
    }));
  };
  let longRows = false;
  const copied = await copyAll(false).catch((error) => {
    if (!(error instanceof StageError && error.cause === LONG_ROW)) throw error;
    longRows = true;
    return copyAll(true);
  });
  const files = copied.filter(isFile);
  const rows = sum(files, "rows");
  if (rows === unshipped) return { files, longRows };
  throw new StageError(
    `Cannot read "${name}": only ${rows} of the ${unshipped} rows in the snapshot arrived`,
    { subject: name, retryable: true, hint: "Run extract again" },
  );
}

/** Waits for all, so that none is left running, and throws the first error. */
async function settleAll<Value>(work: Promise<Value>[]): Promise<Value[]> {
  const settled = await Promise.allSettled(work);
  return settled.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
}

function isFile(file: DataFile | undefined): file is DataFile {
  return file !== undefined;
}

/**
 * Throws if a partition was attached or detached while its table was being
 * read: some reads would have seen it, and others not.
 */
async function checkPartitions(
  snapshot: Snapshot,
  { contract, from }: LiveTable,
): Promise<void> {
  if (from.startsWith("only ")) return;
  const { name } = contract;
  const { changed } = await snapshot.use(
    (client) => queryRow(client, partitionsChangedSql, [from]),
    name,
  );
  if (changed === "false") return;
  throw new StageError(
    `Cannot read "${name}": a partition was attached or detached meanwhile`,
    { subject: name, retryable: true, hint: "Run extract again" },
  );
}

/**
 * The pieces of a full read: ranges of pages, the last one open-ended. A range
 * of a partitioned table covers those pages of each partition, so the role
 * needs no right to read the partitions themselves.
 */
function rangesOf({ from, parts }: LiveTable): string[] {
  const pages = Math.max(
    0,
    ...parts.map(({ bytes }) => Math.ceil(bytes / PAGE_BYTES)),
  );
  const size = Math.max(
    RANGE_PAGES_MIN,
    Math.floor(RANGE_PAGES / Math.max(1, parts.length)),
  );
  const count = Math.max(1, Math.ceil(pages / size));
  return Array.from({ length: count }, (_, index) => {
    const first = `ctid >= '(${index * size},0)'`;
    const last = `ctid < '(${(index + 1) * size},0)'`;
    return `${from} where ${
      index === count - 1 ? first : `${first} and ${last}`
    }`;
  });
}
