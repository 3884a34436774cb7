import { createHash } from "node:crypto";
import type pg from "pg";
import type { DataFile, KeyBucket, KeyIndex } from "../lib/batches/manifest.ts";
import type { Progress } from "../lib/cli/progress.ts";
import { query } from "../lib/postgres/postgres.ts";
import { shortChecksum } from "../lib/zone/checksum.ts";
import type { Zone } from "../lib/zone/zone.ts";
import { copyToZone } from "./copy_to_zone.ts";
import type { LiveTable } from "./live_table.ts";
import { readKeyLists } from "./read_key_lists.ts";
import type { ScannedBucket, TableScan } from "./scan_table.ts";

/** How the keys of a table have changed since the batch before. */
export interface KeyChange {
  keyIndex: KeyIndex;
  /** Files with the keys that are gone. */
  deletes: DataFile[];
}

interface CompareOptions {
  table: LiveTable;
  scan: TableScan;
  previous: KeyIndex | undefined;
  zone: Zone;
  /** The zone's key for a file of the table that this run writes. */
  key: (part: string) => string;
  progress: Progress;
  signal: AbortSignal;
  /** Buckets are compared in groups of about this many bytes of keys. */
  groupBytesMax?: number;
}

/** A bucket that differs from before: new, gone, or holding other keys. */
interface MovedBucket {
  now: ScannedBucket | undefined;
  before: KeyBucket | undefined;
}

/** The key lists of the moved buckets, as the source has them now. */
interface OpenLists {
  /** Reads the lists of the next buckets. */
  read: (buckets: readonly ScannedBucket[]) => Promise<string[]>;
  close: () => Promise<void>;
}

const GROUP_BYTES_MAX = 4 << 20;
/** Settings that carry the keys to COPY, which takes no parameters. */
const SETTING_BEFORE = "totesys.keys_before";
const SETTING_NOW = "totesys.keys_now";

/**
 * Compares the keys with those of the batch before, and writes to the zone the
 * keys of the buckets that differ and the keys that are gone. Only the keys of
 * those buckets are read, the old ones from the zone and the new ones from the
 * source, a group of buckets at a time: memory does not grow with them.
 *
 * Keys of another declaration can't be compared. In that case the contract has
 * changed and the table is read whole: a key that isn't in its rows is gone.
 */
export async function findDeletes(
  client: pg.Client,
  given: CompareOptions,
): Promise<KeyChange> {
  const { scan, zone, key, signal } = given;
  const previous = given.previous?.key === scan.keySql.signature
    ? given.previous
    : undefined;
  const options = { ...given, previous };
  const { moved, unmoved } = compareBuckets(options);
  const kept = [...new Set(unmoved.map(([, , , file]) => file))]
    .sort((a, b) => a - b);
  const places = new Map(kept.map((file, index) => [file, index]));
  const change: KeyChange = {
    keyIndex: {
      key: scan.keySql.signature,
      files: kept.flatMap((file) => previous?.files[file] ?? []),
      buckets: unmoved.map(([id, rows, hash, file, ...place]) =>
        [id, rows, hash, places.get(file), ...place] as KeyBucket
      ),
    },
    deletes: [],
  };
  const { keyIndex } = change;
  const file = { key: key("keys.txt"), bytes: 0, rows: 0, sha256: "" };
  const lines = writeGroups(client, { ...options, moved, change, file });
  if (moved.some((bucket) => bucket.now !== undefined)) {
    await zone.write(file.key, lines, { signal });
    keyIndex.files.push(file);
  } else {
    for await (const _ of lines);
  }
  keyIndex.buckets.sort((a, b) => Number(a[0]) - Number(b[0]));
  return change;
}

function compareBuckets(
  options: CompareOptions,
): { moved: MovedBucket[]; unmoved: KeyBucket[] } {
  const { scan, previous } = options;
  const before = new Map(
    previous?.buckets.map((bucket) => [bucket[0], bucket]),
  );
  const moved: MovedBucket[] = [];
  const unmoved: KeyBucket[] = [];
  for (const now of scan.buckets) {
    const was = before.get(now.id);
    before.delete(now.id);
    const [, rows, hash] = was ?? [];
    if (was !== undefined && rows === now.rows && hash === now.hash) {
      unmoved.push(was);
    } else moved.push({ now, before: was });
  }
  for (const gone of before.values()) {
    moved.push({ now: undefined, before: gone });
  }
  return { moved, unmoved };
}

/** Yields the lines of the keys file, and notes where each bucket's is. */
async function* writeGroups(
  client: pg.Client,
  options: CompareOptions & {
    moved: MovedBucket[];
    change: KeyChange;
    file: DataFile;
  },
): AsyncGenerator<Uint8Array> {
  const { scan, previous, zone, moved, change, file } = options;
  const { keyIndex, deletes } = change;
  const hash = createHash("sha256");
  const number = keyIndex.files.length;
  const lists = await openLists(client, { scan, moved });
  for (const group of groupsOf(moved, options.groupBytesMax)) {
    const was = group.flatMap(({ before }) => before ? [before] : []);
    const before = previous === undefined
      ? []
      : await readKeyLists(zone, previous, was);
    const buckets = group.flatMap(({ now }) => now ? [now] : []);
    const now = await lists.read(buckets);
    for (const [index, { id, rows, hash: keysHash }] of buckets.entries()) {
      const line = new TextEncoder().encode(`${now[index]}\n`);
      const length = line.length - 1;
      const checksum = shortChecksum(line.subarray(0, length));
      keyIndex.buckets.push(
        [id, rows, keysHash, number, file.bytes, length, checksum],
      );
      hash.update(line);
      file.bytes += line.length;
      file.rows++;
      yield line;
    }
    if (before.length === 0) continue;
    const gone = await copyMissing(client, { ...options, before, now });
    if (gone !== undefined) deletes.push(gone);
  }
  await lists.close();
  file.sha256 = hash.digest("hex");
}

/** Opens the lists of the moved buckets, to be read in their order. */
async function openLists(
  client: pg.Client,
  options: { scan: TableScan; moved: MovedBucket[] },
): Promise<OpenLists> {
  const ids = options.moved.flatMap(({ now }) =>
    now === undefined || now.run !== undefined ? [] : [now.id]
  );
  if (ids.length > 0) {
    await query(
      client,
      `declare lists no scroll cursor for ${options.scan.keySql.lists}`,
      [ids],
    );
  }
  return {
    read: async (buckets) => {
      const unread = buckets.filter((bucket) => bucket.run === undefined);
      const rows = unread.length === 0
        ? []
        : await query(client, `fetch ${unread.length} from lists`);
      const lists = new Map(rows.map((row) => [row.id, row.list ?? ""]));
      return buckets.map(({ id, run }) => {
        const list = run ?? lists.get(id);
        if (list === undefined) throw new Error(`No keys for bucket ${id}`);
        return list;
      });
    },
    close: async () => {
      if (ids.length > 0) await client.query("close lists");
    },
  };
}

function groupsOf(
  moved: readonly MovedBucket[],
  bytesMax = GROUP_BYTES_MAX,
): MovedBucket[][] {
  const groups: MovedBucket[][] = [];
  let bytes = Infinity;
  for (const bucket of moved) {
    const own = (bucket.now?.bytes ?? 0) + (bucket.before?.[5] ?? 0);
    if (bytes + own > bytesMax) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(bucket);
    bytes += own;
  }
  return groups;
}

/** Ships the keys that a group of buckets no longer has. */
async function copyMissing(
  client: pg.Client,
  options: CompareOptions & {
    change: KeyChange;
    before: string[];
    now: string[];
  },
): Promise<DataFile | undefined> {
  const { table, scan, change, before, now, key } = options;
  const inside = (lists: string[]) =>
    lists.map((list) => list.slice(1, -1)).join();
  await query(
    client,
    "select length(set_config($1, $2, true)), length(set_config($3, $4, true))",
    [SETTING_BEFORE, inside(before), SETTING_NOW, inside(now)],
  );
  const missing = scan.keySql.missing({
    before: `current_setting('${SETTING_BEFORE}')`,
    now: `current_setting('${SETTING_NOW}')`,
  });
  return await copyToZone(client, missing, {
    ...options,
    table: table.contract.name,
    key: key(`deletes-${change.deletes.length + 1}.csv`),
  });
}
