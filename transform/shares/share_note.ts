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
export interface ShareNote extends Share, Origin {
  runId: string;
  files: TypedFile[];
}

/** What a share is made of, and by what. */
interface Origin {
  format: 1;
  inputSha256: string;
  transformHash: string;
  /**
   * A hash of what reads and types the CSV, so that what was typed before an
   * upgrade doesn't count after it: DuckDB's version, and the SQL.
   */
  typing: string;
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

/** What shares of a batch, as it is now, are made of with this SQL. */
export function originOf(
  { input, sql }: { input: IngestionManifest; sql: ProjectSql },
): Origin {
  const changed = changedTables(input);
  const statements = sql.tables.map((table) => {
    const ingested = changed.get(table.name);
    if (ingested === undefined) return undefined;
    const { rows } = currentColumns(ingested, table.key);
    return `${typedRowsSql(table, ingested)} from ${readCsvSql([], rows)}`;
  });
  return {
    format: 1,
    inputSha256: manifestSha256(input),
    transformHash: sql.transformHash,
    typing: sha256Hex(JSON.stringify([version(), statements])),
  };
}

/** Whether a note is of a share that is made of this. */
export function isMadeOf(note: ShareNote, origin: Origin): boolean {
  return note.format === origin.format &&
    note.inputSha256 === origin.inputSha256 &&
    note.transformHash === origin.transformHash &&
    note.typing === origin.typing;
}
