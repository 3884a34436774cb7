import { batchName, dataKey } from "../../lib/batches/batch_log.ts";
import { version } from "@duckdb/node-api";
import { manifestSha256 } from "../../lib/batches/encode_manifest.ts";
import { currentColumns } from "../../lib/batches/key_columns.ts";
import type {
  DataFile,
  IngestionManifest,
} from "../../lib/batches/manifest.ts";
import { readCsvSql } from "../../lib/csv/read_csv.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { sha256Hex } from "../../lib/zone/checksum.ts";
import { typedRowsSql } from "../tables/land_table.ts";
import { changedTables } from "../tables/quarantine.ts";

/** The part of a batch's CSV that one process types: the third of eight. */
export interface Share {
  part: number;
  of: number;
}

/** What a file of CSV has become. */
export interface TypedFile {
  table: string;
  /** The key of the file of CSV, in the ingestion zone. */
  source: string;
  /** Its rows; undefined if there are none that can be read. */
  readable?: DataFile | undefined;
  /** Rows that can't be read as the contract's types, with the reason. */
  unreadable?: DataFile | undefined;
}

/**
 * Says that a share is typed, and which files have its rows: written last, so
 * that nothing of a process that was killed is ever read.
 */
export interface ShareNote extends Share {
  format: 1;
  runId: string;
  /** The manifest and the SQL for which it was made. */
  inputSha256: string;
  transformHash: string;
  /** What typed it; see `typingHash`. */
  typing: string;
  files: TypedFile[];
}

/** The folder of a batch's notes. */
export function notesFolder(batch: number): string {
  return `_state/typed/batch=${batchName(batch)}`;
}

/** The key of the note that a run leaves of its share. */
export function noteKey(
  { part, of, runId, batch }: Share & { runId: string; batch: number },
): string {
  return dataKey("typed", {
    batch,
    runId,
    part: `${part}of${of}.json`,
    isState: true,
  });
}

/** The folder of a table's readable rows, which has nothing else in it. */
export function typedFolder(
  table: string,
  { runId, batch }: { runId: string; batch: number },
): string {
  return dataKey(`typed.${table}`, {
    batch,
    runId,
    part: "engine",
    isState: true,
  });
}

/** Reads a note; undefined if it is none: the CSV is there to be read. */
export function readNote(bytes: Uint8Array): ShareNote | undefined {
  try {
    const note: ShareNote | null = JSON.parse(new TextDecoder().decode(bytes));
    return Array.isArray(note?.files) ? note : undefined;
  } catch {
    return undefined;
  }
}

/** A batch as a share of it is typed. */
interface Typing {
  input: IngestionManifest;
  sql: ProjectSql;
}

/** Whether a note is of this batch, as it is now, and typed as it would be. */
export function isNoteOf(note: ShareNote, { input, sql }: Typing): boolean {
  return note.format === 1 && note.inputSha256 === manifestSha256(input) &&
    note.transformHash === sql.transformHash &&
    note.typing === typingHash({ input, sql });
}

/**
 * A hash of what reads and types a batch's CSV, so that what was typed before
 * an upgrade doesn't count after it: DuckDB's version, and the SQL.
 */
export function typingHash({ input, sql }: Typing): string {
  const changed = changedTables(input);
  const statements = sql.tables.map((table) => {
    const ingested = changed.get(table.name);
    if (ingested === undefined) return undefined;
    const { rows } = currentColumns(ingested, table.key);
    return `${typedRowsSql(table, ingested)} from ${readCsvSql([], rows)}`;
  });
  return sha256Hex(JSON.stringify([version(), statements]));
}
