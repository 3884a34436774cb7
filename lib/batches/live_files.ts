import { RESTORE_FILE } from "../zone/restore_hint.ts";
import { StageError } from "../errors.ts";
import { readJsonList, writeJsonList } from "./json_list.ts";
import type { Zone } from "../zone/zone.ts";
import { type BatchLog, dataKey } from "./batch_log.ts";
import type {
  DataFile,
  LiveFile,
  LiveFiles,
  ProcessedManifest,
} from "./manifest.ts";
import { REQUESTS_AT_ONCE } from "../zone/zone.ts";

/** A list of more entries than this goes into a checkpoint. */
export const LIVE_ENTRIES_MAX = 64;
/** The hint for files of the lake that are not as they were written. */
export const LAKE_WAY_BACK =
  `${RESTORE_FILE}, or rebuild the lake: ./totesys rebuild processed`;
const CHECKPOINTS = "_live";

/** The live files as of a batch, and how its manifest lists them. */
export interface LiveList {
  checkpoint: DataFile | undefined;
  /** The files that the checkpoint lists. */
  base: readonly LiveFile[];
  /** The files, those of the earliest batches first. */
  files: readonly LiveFile[];
}

/** The list of a lake without a batch. */
const NOTHING: LiveList = { checkpoint: undefined, base: [], files: [] };

/**
 * Reads which files together hold every version of each model up to a batch,
 * with one request at most. For batches made before manifests listed them, it
 * gathers the files of each batch, a request for each. Throws a `StageError` if
 * the list does not add up or its checkpoint is damaged.
 */
export async function readLiveList(
  batches: BatchLog<ProcessedManifest>,
  manifest: ProcessedManifest | undefined,
  options: {
    /** The list of a recent batch, whose checkpoint needn't be read again. */
    known?: LiveList;
  } = {},
): Promise<LiveList> {
  if (manifest === undefined) return NOTHING;
  const { live } = manifest;
  return live === undefined
    ? await gatherFiles(batches, manifest)
    : await readListed(batches.zone, { ...options, manifest, live });
}

/** Reads only the files of the list; see `readLiveList`. */
export async function readLiveFiles(
  batches: BatchLog<ProcessedManifest>,
  manifest: ProcessedManifest | undefined,
): Promise<readonly LiveFile[]> {
  return (await readLiveList(batches, manifest)).files;
}

/** The files that a batch itself added, as live files. */
export function ownFiles(
  manifest: Pick<ProcessedManifest, "batch" | "models">,
): LiveFile[] {
  const { batch } = manifest;
  return Object.entries(manifest.models).flatMap(([model, made]) =>
    made.files.map(({ key, bytes, rows, sha256, keyRange }) => ({
      model,
      from: batch,
      to: batch,
      level: 0,
      key,
      bytes,
      rows,
      sha256,
      ...made.columns === undefined ? {} : { columns: made.columns },
      ...keyRange === undefined ? {} : { keyRange },
    }))
  );
}

/** How many rows the files of each model hold. */
function rowsByModel(
  files: readonly LiveFile[],
): Record<string, number> {
  const rows: Record<string, number> = {};
  for (const file of files) {
    rows[file.model] = (rows[file.model] ?? 0) + file.rows;
  }
  return rows;
}

/**
 * Makes a batch's list of live files: those of the batch before, some of them
 * merged, and its own. Writes a checkpoint if the list would be long, or if one
 * is asked for.
 */
export async function nextLiveFiles(
  zone: Zone,
  options: {
    batch: number;
    before: LiveList;
    /** The files of the batch before, after merges. */
    merged: readonly LiveFile[];
    own: readonly LiveFile[];
    runId: string;
    /** Lists all in a checkpoint, since many manifests will share this list. */
    inCheckpoint?: boolean;
  },
): Promise<{ live: LiveFiles; list: LiveList }> {
  const { batch, before, merged, own, runId, inCheckpoint = false } = options;
  const files = inOrder([...merged, ...own]);
  // Counted before the merges, so that they can't lose rows unnoticed.
  const rows = rowsByModel([...before.files, ...own]);
  const what = `Cannot list the live files of batch ${batch}`;
  checkRows(files, { rows, what, subject: zone.url });
  const changes = changesOf(files, before.base);
  const entries = changes.added.length + changes.removed.length;
  if (!inCheckpoint && entries <= LIVE_ENTRIES_MAX) {
    const { checkpoint, base } = before;
    return {
      live: {
        ...checkpoint === undefined ? {} : { checkpoint },
        ...changes,
        rows,
      },
      list: { checkpoint, base, files },
    };
  }
  const checkpoint = await writeJsonList(
    zone,
    dataKey(CHECKPOINTS, { batch, runId, part: "live.json" }),
    files,
  );
  return {
    live: { checkpoint, added: [], removed: [], rows },
    list: { checkpoint, base: files, files },
  };
}

/** How a list differs from that of its checkpoint. */
function changesOf(
  files: readonly LiveFile[],
  base: readonly LiveFile[],
): Pick<LiveFiles, "added" | "removed"> {
  const known = new Set(base.map(({ key }) => key));
  const left = new Set(files.map(({ key }) => key));
  return {
    added: files.filter(({ key }) => !known.has(key)),
    removed: [...known].filter((key) => !left.has(key)),
  };
}

async function readListed(
  zone: Zone,
  options: {
    manifest: ProcessedManifest;
    live: LiveFiles;
    known?: LiveList;
  },
): Promise<LiveList> {
  const { manifest: { batch }, live, known } = options;
  const { checkpoint, added, rows } = live;
  const base = checkpoint === undefined
    ? []
    : checkpoint.sha256 === known?.checkpoint?.sha256
    ? known.base
    : await readJsonList<LiveFile>(zone, checkpoint, {
      what: "list of live files",
      hint: LAKE_WAY_BACK,
    });
  const removed = new Set(live.removed);
  const files = inOrder([
    ...base.filter(({ key }) => !removed.has(key)),
    ...added,
  ]);
  checkRows(files, {
    rows,
    what: `Cannot read the live files of batch ${batch}`,
    subject: zone.url,
  });
  return { checkpoint, base, files };
}

/** Gathers files batch by batch, back to a manifest that has a list. */
async function gatherFiles(
  batches: BatchLog<ProcessedManifest>,
  manifest: ProcessedManifest,
): Promise<LiveList> {
  const later = [ownFiles(manifest)];
  for (let to = manifest.batch - 1; to > 0; to -= REQUESTS_AT_ONCE) {
    const from = Math.max(1, to - REQUESTS_AT_ONCE + 1);
    const found = await Array.fromAsync(batches.range({ from, to }));
    for (const one of found.toReversed()) {
      if (one.live !== undefined) {
        const list = await readLiveList(batches, one);
        return { ...list, files: [...list.files, ...later.reverse().flat()] };
      }
      later.push(ownFiles(one));
    }
  }
  return { ...NOTHING, files: later.reverse().flat() };
}

/** Throws a `StageError` for the first model whose row count differs. */
function checkRows(
  files: readonly LiveFile[],
  options: { rows: Record<string, number>; what: string; subject: string },
): void {
  const { rows, what, subject } = options;
  const found = rowsByModel(files);
  for (const model of new Set([...Object.keys(rows), ...Object.keys(found)])) {
    const [listed = 0, expected = 0] = [found[model], rows[model]];
    if (listed === expected) continue;
    throw new StageError(
      `${what}: those of "${model}" hold ${listed} versions, where ${expected} are expected`,
      {
        subject,
        hint:
          "A manifest or its list was changed by hand or by another version: rebuild the lake with ./totesys rebuild processed",
      },
    );
  }
}

function inOrder(files: readonly LiveFile[]): LiveFile[] {
  return files.toSorted((one, other) =>
    one.from - other.from || (one.key < other.key ? -1 : 1)
  );
}
