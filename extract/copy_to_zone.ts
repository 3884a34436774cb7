import { createHash } from "node:crypto";
import type pg from "pg";
import type { DataFile } from "../lib/batches/manifest.ts";
import type { Progress } from "../lib/cli/progress.ts";
import { CSV_ROW_BYTES_MAX } from "../lib/csv/csv_row.ts";
import { StageError } from "../lib/errors.ts";
import { CsvRowCounter } from "../lib/csv/csv_row_counter.ts";
import { copyOut } from "../lib/postgres/copy.ts";
import { sqlState } from "../lib/postgres/postgres.ts";
import type { Zone } from "../lib/zone/zone.ts";

/** The cause of the error that `copyToZone` throws for a row too long. */
export const LONG_ROW = "a long row";

/**
 * `internal_error`, `program_limit_exceeded` and `out_of_memory`: with these
 * PostgreSQL fails at a row that takes over 1 GB, or more memory than it has.
 */
const UNSENDABLE = ["XX000", "54000", "53200"];
const BEFORE = "before_copy";

/** Where `copyToZone` writes, and what it takes for too long. */
interface CopyToZoneOptions {
  table: string;
  zone: Zone;
  key: string;
  rowBytesMax?: number;
  progress: Progress;
  signal: AbortSignal;
}

/**
 * Like `copyToZone`, in a transaction that goes on when Postgres itself fails at
 * a row: that one is too long as well.
 */
export async function tryCopyToZone(
  client: pg.Client,
  select: string,
  options: CopyToZoneOptions,
): Promise<DataFile | undefined> {
  const copySql = (sql: string) =>
    `savepoint ${BEFORE}; ${sql}; release savepoint ${BEFORE}`;
  try {
    return await copyToZone(client, select, { ...options, copySql });
  } catch (error) {
    if (!UNSENDABLE.includes(sqlState(error) ?? "")) throw error;
    await client.query(`rollback to savepoint ${BEFORE}`);
    throw tooLong(options.table);
  }
}

/**
 * Streams a query's rows, as CSV with a header, into a new file of the zone;
 * undefined, and no file, if there are no rows. Memory is constant. Throws a
 * `StageError` when a row is too long for the later stages, or when fewer or
 * more rows arrived than Postgres says it sent.
 */
export async function copyToZone(
  client: pg.Client,
  select: string,
  options: CopyToZoneOptions & {
    /** What is sent for a COPY. */
    copySql?: (sql: string) => string;
  },
): Promise<DataFile | undefined> {
  const { table, zone, key, progress, signal } = options;
  const { rowBytesMax = CSV_ROW_BYTES_MAX, copySql = (sql) => sql } = options;
  const hash = createHash("sha256");
  const counter = new CsvRowCounter();
  const copy = copyOut(
    client,
    copySql(`copy (${select}) to stdout csv header`),
  );

  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const piece of copy.pieces) {
      const rows = counter.add(piece);
      if (counter.rowBytesMax > rowBytesMax) {
        // Abandoned in the middle of a COPY, the connection would be unusable.
        for await (const _ of copy.pieces);
        throw tooLong(table);
      }
      hash.update(piece);
      progress.add({ rows, bytes: piece.length });
      yield piece;
    }
  }
  const pieces = counted();
  const head: Uint8Array[] = [];
  while (counter.rows === 0) {
    const next = await pieces.next();
    if (next.done) return undefined;
    head.push(Uint8Array.from(next.value));
  }
  const bytes = await zone.write(key, joined(head, pieces), { signal });
  const sent = copy.rowCount();
  if (sent !== counter.rows) {
    throw new StageError(
      `Cannot read "${table}": ${counter.rows} of ${sent} rows received`,
      { subject: table, retryable: true, hint: "Run extract again" },
    );
  }
  return {
    key,
    bytes,
    rows: counter.rows,
    sha256: hash.digest("hex"),
    ...counter.rowsAreLines ? { rowsAreLines: true as const } : {},
  };
}

function tooLong(table: string): StageError {
  const size = `${CSV_ROW_BYTES_MAX / 1024 / 1024} MiB`;
  return new StageError(
    `Cannot read "${table}": a row is longer than ${size} as CSV`,
    {
      subject: table,
      hint:
        "Shorten the row in the source, or leave its longest column out of sql/source.sql and the models",
      cause: LONG_ROW,
    },
  );
}

async function* joined(
  head: Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* head;
  yield* rest;
}
