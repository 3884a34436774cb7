import type { IngestionManifest } from "../../lib/batches/manifest.ts";
import type { StageContext } from "../../lib/stage.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { changedTables } from "../tables/quarantine.ts";
import {
  isMadeOf,
  notesFolder,
  originOf,
  readNote,
  type ShareNote,
  type TypedFile,
} from "./share_note.ts";
import type { TypedTable } from "./typed_table.ts";

/**
 * Sweep takes files after 48 hours. A process that typed a share may have run
 * for 12 of them before its note, and the run that uses it for 12 after.
 */
const NOTE_HOURS_MAX = 24;
const MS_PER_HOUR = 3_600_000;

/**
 * Finds what other processes have typed of a batch, by table, and warns if that
 * is only a part of its CSV: one of them may have been killed.
 */
export async function findShares(
  { sql, log }: Pick<StageContext, "sql" | "log">,
  { input, processed }: { input: IngestionManifest; processed: Zone },
): Promise<ReadonlyMap<string, TypedTable>> {
  const rows = new Map(
    [...changedTables(input)].flatMap(([table, ingested]) =>
      ingested.rows.map((file) => [file.key, { table, rows: file.rows }])
    ),
  );
  const taken = new Set<string>();
  const tables = new Map<string, Map<string, TypedFile[]>>();
  for (const note of await readNotes(processed, { input, sql })) {
    const isWhole = note.files.every((file) => {
      const source = rows.get(file.source);
      const found = (file.readable?.rows ?? 0) + (file.unreadable?.rows ?? 0);
      return source?.table === file.table && source.rows === found &&
        !taken.has(file.source);
    });
    // Two shares that have a file in common can't both count.
    if (!isWhole) continue;
    for (const file of note.files) {
      taken.add(file.source);
      const shares = tables.get(file.table) ?? new Map<string, TypedFile[]>();
      tables.set(file.table, shares);
      shares.set(note.runId, [...shares.get(note.runId) ?? [], file]);
    }
  }
  report(log, { batch: input.batch, typed: taken.size, files: rows.size });
  return new Map(
    [...tables].map(([table, shares]) => [table, { zone: processed, shares }]),
  );
}

function report(
  log: StageContext["log"],
  found: { batch: number; typed: number; files: number },
): void {
  const { typed, files } = found;
  if (typed === 0) return;
  if (typed === files) {
    log.info("batch {batch}: its {files} files of CSV are typed", found);
    return;
  }
  log.warn(
    "batch {batch}: {typed} of its {files} files of CSV are typed, this run reads the others: a share was not typed, or its process did not end",
    found,
  );
}

/** A batch's notes, the oldest first, that no sweep can overtake. */
async function readNotes(
  processed: Zone,
  work: { input: IngestionManifest; sql: StageContext["sql"] },
): Promise<ShareNote[]> {
  const notes: ShareNote[] = [];
  let oldest: number | undefined;
  const origin = originOf(work);
  for await (
    const { key, modified } of processed.list(
      `${notesFolder(work.input.batch)}/`,
    )
  ) {
    oldest ??= (await processed.now()).getTime() - NOTE_HOURS_MAX * MS_PER_HOUR;
    if (modified.getTime() < oldest) continue;
    const file = await processed.read(key);
    if (file === undefined) continue;
    const note = readNote(file.bytes);
    if (note !== undefined && isMadeOf(note, origin)) notes.push(note);
  }
  return notes;
}
