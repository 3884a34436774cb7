import { liveEntries } from "../lib/iceberg/manifest_files.ts";
import {
  readManifest,
  readManifestList,
} from "../lib/iceberg/read_manifests.ts";
import {
  hintKey,
  ICEBERG_FOLDER,
  keyOf,
  PUBLISHED_KEY,
  readTableMetadata,
  type StoredTable,
  versionKey,
  VIEWS_KEY,
} from "../lib/iceberg/table_metadata.ts";
import { eachOf } from "../lib/each_of.ts";
import { StageError } from "../lib/errors.ts";
import type { ListedFile, Zone } from "../lib/zone/zone.ts";
import { REQUESTS_AT_ONCE } from "../lib/zone/zone.ts";

/** The files of the Iceberg tables in a zone. */
export interface TableFiles {
  /** All that their snapshots need: metadata, and data files of the lake. */
  needed: Set<string>;
  /** Older versions and what only those list. */
  unneeded: ListedFile[];
}

const TABLE_KEY = /^(_iceberg\/[^/]+)\/metadata\/[^/]+$/;

/**
 * Finds what the Iceberg tables need: every snapshot that a table's newest
 * metadata lists must stay readable, whether or not transform still publishes
 * it. A table whose metadata can't be read keeps all its own files; the next
 * run of transform makes it again.
 */
export async function findTableFiles(
  zone: Zone,
  { before }: { before: Date },
): Promise<TableFiles> {
  const byTable = new Map<string, ListedFile[]>();
  for await (const file of zone.list(`${ICEBERG_FOLDER}/`)) {
    const [, folder] = TABLE_KEY.exec(file.key) ?? [];
    if (folder === undefined) continue;
    const old = byTable.get(folder) ?? [];
    byTable.set(folder, old);
    if (file.modified < before) old.push(file);
  }
  const needed = new Set([PUBLISHED_KEY, VIEWS_KEY]);
  const unneeded: ListedFile[] = [];
  for (const [folder, old] of byTable) {
    const stored = await readTableMetadata(zone, folder, { after: 1 });
    if (stored?.metadata === undefined) continue;
    for (const key of await neededBy(zone, { folder, stored })) needed.add(key);
    unneeded.push(...old.filter(({ key }) => !needed.has(key)));
  }
  return { needed, unneeded };
}

async function neededBy(
  zone: Zone,
  { folder, stored }: { folder: string; stored: StoredTable },
): Promise<Set<string>> {
  const { version, hint, metadata } = stored;
  // A reader may just have read the hint before this version.
  const needed = new Set(
    [hint, version - 1, version].map((one) => versionKey(folder, one)),
  ).add(hintKey(folder));
  const manifests = new Set<string>();
  await readEach(metadata?.snapshots ?? [], async (snapshot) => {
    const list = snapshot["manifest-list"];
    addKey(needed, { zone, uri: list });
    for (const { manifest_path } of await readManifestList(zone, list)) {
      manifests.add(manifest_path);
    }
  });
  await readEach([...manifests], async (uri) => {
    addKey(needed, { zone, uri });
    for (const { data_file } of liveEntries(await readManifest(zone, uri))) {
      addKey(needed, { zone, uri: data_file.file_path });
    }
  });
  return needed;
}

function addKey(
  keys: Set<string>,
  { zone, uri }: { zone: Zone; uri: string },
): void {
  const key = keyOf(zone, uri);
  if (key !== undefined) keys.add(key);
}

/** A file that is no longer there, or is in another zone, needs nothing. */
async function readEach<Item>(
  items: readonly Item[],
  read: (item: Item) => Promise<void>,
): Promise<void> {
  await eachOf(items, {
    atOnce: REQUESTS_AT_ONCE,
    work: (item) =>
      read(item).catch((error) => {
        if (error instanceof StageError) throw error;
      }),
  });
}
