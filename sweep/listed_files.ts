import { BatchLog, logFolder } from "../lib/batches/batch_log.ts";
import type { Generation } from "../lib/batches/generation.ts";
import { type LiveList, readLiveList } from "../lib/batches/live_files.ts";
import type {
  IngestionManifest,
  ProcessedManifest,
} from "../lib/batches/manifest.ts";
import { StageError } from "../lib/errors.ts";
import type { ListedFile, Zone } from "../lib/zone/zone.ts";
import type { SweepOptions } from "./sweep.ts";
import { findTableFiles } from "./table_files.ts";
import { type InventoriedLog, type ZoneInventory } from "./zone_inventory.ts";

type AnyManifest = IngestionManifest | ProcessedManifest;

/** A log whose files stay, and its inventory. */
interface KeptLog<M extends AnyManifest> {
  log: BatchLog<M>;
  found: InventoriedLog;
}

/** The keys of a batch's files that manifests list. */
export type Listed = (batch: number) => Promise<ReadonlySet<string>>;

/**
 * What stays, and what of the Iceberg tables doesn't; undefined when the active
 * log has no batch at all.
 */
export async function openListed(
  zone: Zone,
  options: SweepOptions & {
    inventory: ZoneInventory;
    active: Generation;
    dead: readonly string[];
    before: Date;
  },
): Promise<{ ofBatch: Listed; unneeded: ListedFile[] } | undefined> {
  const { inventory, active, dead, before } = options;
  const found = inventory.logs.get(active.id);
  if (found === undefined || found.highest === 0) return undefined;
  if (found.batches < found.highest) {
    const folder = zone.locate(logFolder(active.id));
    throw new StageError(
      `Cannot sweep ${zone.url}: ${folder} has ${found.batches} manifests, and batch ${found.highest}`,
      {
        subject: zone.url,
        hint:
          "Restore the missing ones from the bucket's versions or a copy of the zone: the files they list would count as garbage",
      },
    );
  }
  if (options.zone === "ingestion") {
    const log = new BatchLog<IngestionManifest>(zone, "extract");
    return {
      ofBatch: (batch) => ingestedFiles(batch, { log, found }),
      unneeded: [],
    };
  }
  const kept = [...inventory.logs].filter(([id, { highest }]) =>
    highest > 0 && !dead.includes(id)
  ).map(([generation, found]): KeptLog<ProcessedManifest> => ({
    log: new BatchLog<ProcessedManifest>(zone, "transform", { generation }),
    found,
  }));
  const { needed: keys, unneeded } = await findTableFiles(zone, { before });
  for (const one of kept) await addListed(keys, one);
  return { ofBatch: () => Promise.resolve(keys), unneeded };
}

/**
 * Adds the keys that those manifests list that were the newest at some moment
 * since `before`: the young ones, and the one before these.
 */
async function addListed(
  keys: Set<string>,
  { log, found }: KeptLog<ProcessedManifest>,
): Promise<void> {
  const { highest, firstYoung = highest + 1 } = found;
  const from = Math.max(1, firstYoung - 1);
  let list: LiveList | undefined;
  for await (const manifest of log.range({ from, to: highest })) {
    const own = Object.values(manifest.models).flatMap(({ files }) => files);
    const { checkpoint } = manifest.live ?? {};
    // If an earlier sweep has removed it, nobody reads its list any more.
    const isLost = checkpoint !== undefined && manifest.batch < highest &&
      checkpoint.key !== list?.checkpoint?.key &&
      await log.zone.head(checkpoint.key) === undefined;
    // One that lists none adds its own to those of the previous batch.
    if (!isLost && (list === undefined || manifest.live !== undefined)) {
      list = await readLiveList(log, manifest, list && { known: list });
    }
    for (
      const { key } of [
        ...list?.files ?? [],
        ...own,
        ...Object.values(manifest.state),
        ...checkpoint === undefined ? [] : [checkpoint],
        ...manifest.group === undefined ? [] : [manifest.group.manifests],
      ]
    ) keys.add(key);
  }
}

/** A manifest lists all that its run wrote, so the file's own batch decides. */
async function ingestedFiles(
  batch: number,
  { log, found }: KeptLog<IngestionManifest>,
): Promise<Set<string>> {
  const manifest = batch <= found.highest
    ? await log.read(batch)
    : await log.find(batch);
  const files = Object.values(manifest?.tables ?? {}).flatMap((table) => [
    ...table.rows,
    ...table.deletes,
    ...table.digest.files,
  ]);
  return new Set(files.map(({ key }) => key));
}
