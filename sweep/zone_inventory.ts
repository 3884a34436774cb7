import { keyParts, logParts } from "../lib/batches/batch_log.ts";
import { LAKE_FILE, LAKE_NOTE } from "../lib/batches/lake_note.ts";
import { ICEBERG_FOLDER } from "../lib/iceberg/table_metadata.ts";
import type { StageContext } from "../lib/stage.ts";
import type { Zone } from "../lib/zone/zone.ts";

/** A summary of a zone, small however many files there are. */
export interface ZoneInventory {
  /** The logs by generation; the first one's name is empty. */
  logs: ReadonlyMap<string, InventoriedLog>;
  /** Files that are not a zone's own. */
  foreign: { count: number; first: readonly string[] };
  /**
   * Starts of keys that hold old data files, a list for each thousand batches,
   * the newest first.
   */
  windows: () => string[][];
}

/** The manifests of one generation. */
export interface InventoriedLog {
  batches: number;
  /** The number of the newest batch. */
  highest: number;
  /** When the newest file of the log was written. */
  newest: Date;
  /** The lowest number of a young manifest, if there is one. */
  firstYoung?: number;
}

/**
 * The file that `./totesys doctor` writes, to see whether the store keeps
 * conditions. It stays, harmlessly, where doctor's role may not delete it.
 */
export const PROBE = "_doctor";
/** Other files that a zone has at its root. */
const OWN_FILES = ["_generation", LAKE_FILE, LAKE_NOTE, PROBE];
const WINDOW_DIGITS = 6;
const FOREIGN_KEPT = 10;
const FILES_BETWEEN_REPORTS = 100_000;

/** Examines every file of a zone, once, in order. */
export async function takeInventory(
  zone: Zone,
  options: { before: Date; context: StageContext },
): Promise<ZoneInventory> {
  const { before, context } = options;
  const { log, signal } = context;
  const logs = new Map<string, InventoriedLog>();
  const foreign = { count: 0, first: [] as string[] };
  const windows = new Map<string, Set<string>>();
  let files = 0;
  for await (const { key, modified } of zone.list("")) {
    signal.throwIfAborted();
    if (++files % FILES_BETWEEN_REPORTS === 0) {
      log.info("{files} files examined so far", { files });
    }
    const manifest = logParts(key);
    const data = keyParts(key);
    if (manifest !== undefined) {
      const { generation, batch = 0 } = manifest;
      const log: InventoriedLog = logs.get(generation) ??
        { batches: 0, highest: 0, newest: modified };
      if (batch > 0) log.batches++;
      log.highest = Math.max(log.highest, batch);
      if (modified > log.newest) log.newest = modified;
      if (batch > 0 && !(modified < before)) {
        log.firstYoung = Math.min(log.firstYoung ?? batch, batch);
      }
      logs.set(generation, log);
    } else if (data !== undefined) {
      if (!(modified < before)) continue;
      const start = data.folder.slice(0, WINDOW_DIGITS - 9);
      const window = start.slice(-WINDOW_DIGITS);
      const starts = windows.get(window) ?? new Set();
      windows.set(window, starts.add(start));
    } else if (
      !OWN_FILES.includes(key) && !key.startsWith(`${ICEBERG_FOLDER}/`)
    ) {
      foreign.count++;
      if (foreign.first.length < FOREIGN_KEPT) {
        foreign.first.push(JSON.stringify(key));
      }
    }
  }
  return {
    logs,
    foreign,
    windows: () =>
      [...windows.keys()].sort().reverse()
        .map((window) => [...windows.get(window) ?? []]),
  };
}
