import { keyParts, logFolder } from "../lib/batches/batch_log.ts";
import { type Generation, readGeneration } from "../lib/batches/generation.ts";
import { eachOf } from "../lib/each_of.ts";
import { openStageZone, type StageContext } from "../lib/stage.ts";
import type { ListedFile, Zone } from "../lib/zone/zone.ts";
import { type Listed, openListed } from "./listed_files.ts";
import { takeInventory, type ZoneInventory } from "./zone_inventory.ts";
import { REQUESTS_AT_ONCE } from "../lib/zone/zone.ts";

/** The result of one sweep, or with `dryRun` what it would be. */
export interface SweepResult {
  stage: "sweep";
  zone: "ingestion" | "processed";
  filesRemoved: number;
  bytesRemoved: number;
  /** Uploads and temporary files of writes that died. */
  unfinishedRemoved: number;
  /** Files that are not the zone's own: they stay. */
  foreignFiles: number;
}

/** The options of one sweep. */
export interface SweepOptions {
  zone: "ingestion" | "processed";
  /** Only reports what it would remove. */
  dryRun?: boolean;
}

/** Four times as long as a run that still commits may last. */
const GARBAGE_HOURS_MIN = 48;
const MS_PER_HOUR = 3_600_000;
/** At most this many files are held at once. */
const CANDIDATES_MAX = 20_000;

/**
 * Removes the files of a zone that no manifest lists and that are older than 48
 * hours by the store's clock: files that killed and overtaken runs left, and
 * the generations that a rebuild replaced or didn't finish. In the processed
 * zone those manifests count that were the newest at some time within those 48
 * hours: files merged since then are among those that they list. What the
 * Iceberg tables list stays, too. Manifests of the active log are never removed,
 * nor is what doesn't look like a file of the zone. It may be stopped at any
 * moment; newest batches come first. Throws a `StageError` when a manifest is
 * missing or damaged.
 */
export async function sweep(
  context: StageContext,
  options: SweepOptions,
): Promise<SweepResult> {
  const { log, signal } = context;
  const zone = openStageZone(context, options.zone);
  try {
    const result: SweepResult = {
      stage: "sweep",
      zone: options.zone,
      filesRemoved: 0,
      bytesRemoved: 0,
      unfinishedRemoved: 0,
      foreignFiles: 0,
    };
    const now = await zone.now();
    const before = new Date(now.getTime() - GARBAGE_HOURS_MIN * MS_PER_HOUR);
    const active = options.zone === "processed"
      ? await readGeneration(zone)
      : { id: "", etag: undefined };
    const inventory = await takeInventory(zone, { before, context });
    result.foreignFiles = inventory.foreign.count;
    if (inventory.foreign.count > 0) {
      log.warn("the zone keeps {files} files of others: {names}", {
        files: inventory.foreign.count,
        names: inventory.foreign.first.join(", "),
      });
    }
    const dead = await deadGenerations(zone, { inventory, active, before });
    const listed = await openListed(zone, {
      inventory,
      active,
      dead,
      before,
      ...options,
    });
    const work = { context, zone, before, result, dryRun: options.dryRun };
    if (listed === undefined) {
      log.warn("no batch is committed there: no file is removed");
    } else {
      await removeFiles(listed.unneeded, work);
      for (const folders of inventory.windows()) {
        signal.throwIfAborted();
        const files = result.filesRemoved;
        await sweepWindow(folders, { ...work, listed: listed.ofBatch });
        if (result.filesRemoved === files) continue;
        log.info("{files} files, {bytes} bytes so far", {
          files: result.filesRemoved,
          bytes: result.bytesRemoved,
        });
      }
      for (const id of dead) await removeLog(id, work);
    }
    await removeUnfinished(work);
    if (options.dryRun !== true) await zone.removeEmptyFolders(before);
    return result;
  } finally {
    zone.close();
  }
}

interface Work {
  context: StageContext;
  zone: Zone;
  before: Date;
  result: SweepResult;
  dryRun: boolean | undefined;
}

/**
 * Generations that no run can activate or continue any more: neither their
 * newest manifest nor the pointer, which ended the one before, is young.
 */
async function deadGenerations(
  zone: Zone,
  options: { inventory: ZoneInventory; active: Generation; before: Date },
): Promise<string[]> {
  const { inventory, active, before } = options;
  if (active.etag !== undefined) {
    const pointer = await zone.head("_generation");
    const changed = pointer?.etag !== active.etag;
    if (changed || !(pointer.modified < before)) return [];
  }
  return [...inventory.logs].flatMap(([id, { newest }]) =>
    id !== active.id && newest < before ? [id] : []
  );
}

/** Removes the garbage in these folders, which share a range of batches. */
async function sweepWindow(
  folders: readonly string[],
  work: Work & { listed: Listed },
): Promise<void> {
  const { zone, before } = work;
  let candidates: ListedFile[] = [];
  for (const folder of folders) {
    for await (const file of zone.list(folder)) {
      if (keyParts(file.key) === undefined || !(file.modified < before)) {
        continue;
      }
      candidates.push(file);
      if (candidates.length < CANDIDATES_MAX) continue;
      await removeUnlisted(candidates, work);
      candidates = [];
    }
  }
  await removeUnlisted(candidates, work);
}

async function removeUnlisted(
  files: readonly ListedFile[],
  work: Work & { listed: Listed },
): Promise<void> {
  const byBatch = Map.groupBy(
    files,
    ({ key }) => keyParts(key)?.batch ?? 0,
  );
  const garbage: ListedFile[] = [];
  await eachOf([...byBatch], {
    atOnce: REQUESTS_AT_ONCE,
    work: async ([batch, ofBatch]) => {
      work.context.signal.throwIfAborted();
      const listed = await work.listed(batch);
      garbage.push(...ofBatch.filter(({ key }) => !listed.has(key)));
    },
  });
  await removeFiles(garbage, work);
}

/** The manifests of a dead generation; those of the first one stay. */
async function removeLog(generation: string, work: Work): Promise<void> {
  if (generation === "") return;
  const files = work.zone.list(`${logFolder(generation)}/`);
  let some: ListedFile[] = [];
  for await (const file of files) {
    if (some.push(file) < CANDIDATES_MAX) continue;
    await removeFiles(some, work);
    some = [];
  }
  await removeFiles(some, work);
}

async function removeFiles(
  files: readonly ListedFile[],
  { context, zone, result, dryRun }: Work,
): Promise<void> {
  const { log, signal } = context;
  await eachOf(files, {
    atOnce: REQUESTS_AT_ONCE,
    work: async ({ key, bytes, modified }) => {
      signal.throwIfAborted();
      if (dryRun === true) {
        log.info("{key}, {bytes} bytes, last modified {modified}", {
          key,
          bytes,
          modified: modified.toISOString(),
        });
      } else await zone.remove(key);
      result.filesRemoved++;
      result.bytesRemoved += bytes;
    },
  });
}

async function removeUnfinished(work: Work): Promise<void> {
  const { context, zone, before, result, dryRun } = work;
  for await (const file of zone.unfinished()) {
    context.signal.throwIfAborted();
    if (!(file.begun < before)) continue;
    if (dryRun === true) {
      context.log.info("{name}, unfinished, begun {begun}", {
        name: file.name,
        begun: file.begun.toISOString(),
      });
    } else await file.remove();
    result.unfinishedRemoved++;
  }
}
