import { RESTORE_FILE } from "../lib/zone/restore_hint.ts";
import type { KeyBucket, KeyIndex } from "../lib/batches/manifest.ts";
import { StageError } from "../lib/errors.ts";
import { shortChecksum } from "../lib/zone/checksum.ts";
import type { Zone } from "../lib/zone/zone.ts";

/** Adjacent buckets of a file, read by one request. */
interface Stretch {
  file: number;
  offset: number;
  end: number;
  buckets: KeyBucket[];
}

/**
 * Reads the key lists of buckets from the zone, one each. Throws a `StageError`
 * that names the file if a list is not as it was written.
 */
export async function readKeyLists(
  zone: Pick<Zone, "readRange" | "locate">,
  keyIndex: KeyIndex,
  buckets: readonly KeyBucket[],
): Promise<string[]> {
  const lists: string[] = [];
  for (const { file, offset, end, buckets: near } of stretchesOf(buckets)) {
    const key = keyIndex.files[file]?.key ?? "";
    const bytes = await zone.readRange(key, { offset, length: end - offset });
    for (const bucket of near) {
      const [id, , , , start, length, checksum] = bucket;
      const list = bytes.subarray(start - offset, start - offset + length);
      if (shortChecksum(list) !== checksum) {
        throw damaged(zone.locate(key), id);
      }
      lists.push(new TextDecoder().decode(list));
    }
  }
  return lists;
}

function stretchesOf(buckets: readonly KeyBucket[]): Stretch[] {
  const stretches: Stretch[] = [];
  for (const bucket of buckets) {
    const [, , , file, offset, bytes] = bucket;
    const open = stretches.at(-1);
    if (open?.file === file && open.end + 1 === offset) {
      open.end = offset + bytes;
      open.buckets.push(bucket);
    } else {
      stretches.push({ file, offset, end: offset + bytes, buckets: [bucket] });
    }
  }
  return stretches;
}

function damaged(path: string, bucket: string): StageError {
  return new StageError(
    `Cannot read ${path}: its keys of bucket ${bucket} do not match their checksum`,
    {
      subject: path,
      hint: RESTORE_FILE,
    },
  );
}
