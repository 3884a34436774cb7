import { BatchLog, dataKey } from "../../lib/batches/batch_log.ts";
import {
  type LiveList,
  nextLiveFiles,
  ownFiles,
} from "../../lib/batches/live_files.ts";
import type {
  IngestionManifest,
  LiveFile,
  ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import { openZone, type Zone } from "../../lib/zone/zone.ts";
import { emptyManifest, ingestionManifest } from "../harness/manifests.ts";
import type { Platform } from "../harness/platform.ts";

export const OLD_HOURS = 49;

const WAIT_TRIES_MAX = 400;

const WAIT_MS = 25;

export const GARBAGE_RUN = "20200101T000000Z-0123abcd";

/** A lake of one model, whose files hold nothing. */
export class SmallLake {
  list: LiveList = { checkpoint: undefined, base: [], files: [] };
  #batch = 0;

  constructor(private readonly zone: Zone) {}

  /** Adds a batch with a file, and merges so many of those before. */
  async add(merged = 0): Promise<void> {
    const batch = ++this.#batch;
    const log = new BatchLog<ProcessedManifest>(this.zone, "transform");
    const runId = `20260101T000000Z-${String(batch).padStart(8, "0")}`;
    const file = async (part: string, rows: number) => {
      const key = dataKey("dim_one", { batch, runId, part });
      await this.zone.put(key, new Uint8Array(3));
      return { key, bytes: 3, rows, sha256: "" };
    };
    const { files } = this.list;
    const large: LiveFile[] = merged === 0 ? [] : [{
      ...await file("merged.parquet", merged),
      model: "dim_one",
      from: 1,
      to: merged,
      level: 1,
    }];
    const models = {
      dim_one: { files: [await file("1.parquet", 1)], deletes: 0 },
    };
    const { live, list } = await nextLiveFiles(this.zone, {
      batch,
      before: this.list,
      merged: [...large, ...files.slice(merged)],
      own: ownFiles({ batch, models }),
      runId,
    });
    await log.commit({ ...emptyManifest(batch, runId), models, live });
    this.list = list;
  }
}

export async function untilMore(
  files: number,
  platform: Platform,
): Promise<void> {
  for (let tries = 0; tries < WAIT_TRIES_MAX; tries++) {
    const keys = await keysOf(platform.config.ingestionUrl, platform);
    if (keys.length > files) return;
    await new Promise((wake) => setTimeout(wake, WAIT_MS));
  }
  throw new Error("nothing was shipped");
}

export function open(url: string, { config }: Platform): Zone {
  return openZone(url, { s3: config.s3 });
}

export async function put(url: string, key: string, platform: Platform) {
  const zone = open(url, platform);
  await zone.put(key, new Uint8Array(3));
  zone.close();
}

export async function keysOf(
  url: string,
  platform: Platform,
): Promise<string[]> {
  const zone = open(url, platform);
  const files = await Array.fromAsync(zone.list(""));
  zone.close();
  return files.map(({ key }) => key);
}

export async function listedInIngestion(platform: Platform, last: number) {
  const listed = new Set<string>();
  for (let batch = 1; batch <= last; batch++) {
    const { tables }: IngestionManifest = await ingestionManifest(
      platform,
      batch,
    );
    for (const { rows, deletes, digest } of Object.values(tables)) {
      for (const { key } of [...rows, ...deletes, ...digest.files]) {
        listed.add(key);
      }
    }
  }
  return listed;
}
