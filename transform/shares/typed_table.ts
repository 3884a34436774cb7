import type { DataFile } from "../../lib/batches/manifest.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import type { TypedFile } from "./share_note.ts";

/** One table's rows that other processes have typed already. */
export interface TypedTable {
  /** Where the files are. */
  zone: Zone;
  /** The files that one process wrote, by the id of its run. */
  shares: ReadonlyMap<string, readonly TypedFile[]>;
}

/** The files of the processed zone that a batch's shares have. */
export function filesOf(tables: Iterable<TypedTable>): DataFile[] {
  return [...tables].flatMap(({ shares }) => [...shares.values()].flat())
    .flatMap(({ readable, unreadable }) => [readable, unreadable])
    .filter((file) => file !== undefined);
}

/** The keys of the files of CSV that nobody has to read any more. */
export function sourcesOf(tables: Iterable<TypedTable>): ReadonlySet<string> {
  return new Set(
    [...tables].flatMap(({ shares }) => [...shares.values()].flat())
      .map(({ source }) => source),
  );
}
