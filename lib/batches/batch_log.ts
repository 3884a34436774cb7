import { RESTORE_FILE } from "../zone/restore_hint.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { StageError } from "../errors.ts";
import type { Zone } from "../zone/zone.ts";
import { keyName } from "../zone/zone_key.ts";
import { readGeneration } from "./generation.ts";
import { type Manifest } from "./manifest.ts";
import { REQUESTS_AT_ONCE } from "../zone/zone.ts";
import { decodeManifest, encodeManifest } from "./encode_manifest.ts";

const COMMIT_ATTEMPTS_MAX = 6;
const COMMIT_RETRY_MS = 200;
/** How long a silent store is retried: the source's snapshot is open. */
const COMMIT_MS_MAX = 60_000;
const BATCH_DIGITS = 9;
/** How many numbers after a batch are probed, each twice as far. */
const PROBES = 10;
/** A data file's key, with the run's id as `createRunId` makes it. */
const DATA_KEY =
  /^((?:_state\/)?[\w=][\w.=-]*\/batch=(\d{9}))\/\d{8}T\d{6}Z-[0-9a-f]{8}-(?:engine\/[\w-]+(?:\.parquet)?|[\w-]+(?:\.\d+-\d+)?\.(?:csv|txt|parquet|json))$/;
const LOG_KEY = /^_batches(?:-([\w-]+))?\/(?:(\d{9})\.json|latest|failed)$/;

/** The batch number as file names have it. */
export function batchName(batch: number): string {
  return String(batch).padStart(BATCH_DIGITS, "0");
}

/** The key of a batch's manifest in a generation. */
export function manifestKey(batch: number, generation = ""): string {
  return `${logFolder(generation)}/${batchName(batch)}.json`;
}

/** The key of a data file of a table, model or state, with the run's id. */
export function dataKey(
  name: string,
  options: { batch: number; runId: string; part: string; isState?: boolean },
): string {
  const { batch, runId, part, isState = false } = options;
  const under = isState ? "_state/" : "";
  return `${under}${keyName(name)}/batch=${batchName(batch)}/${runId}-${part}`;
}

/** The parts of a data file's key; undefined for any other key. */
export function keyParts(
  key: string,
): { folder: string; batch: number } | undefined {
  const [, folder, batch] = DATA_KEY.exec(key) ?? [];
  if (folder === undefined) return undefined;
  return { folder, batch: Number(batch) };
}

/** The parts of a log file's key, if it is one; only manifests have a batch. */
export function logParts(
  key: string,
): { generation: string; batch?: number } | undefined {
  const found = LOG_KEY.exec(key);
  if (found === null) return undefined;
  const [, generation = "", batch] = found;
  return { generation, ...(batch ? { batch: Number(batch) } : {}) };
}

/** The folder of a generation's manifests. */
export function logFolder(generation: string): string {
  return generation === "" ? "_batches" : `_batches-${generation}`;
}

/**
 * The batches of one zone: a log of manifests, numbered from 1 without gaps. A
 * batch is committed once its manifest exists; it is never changed.
 *
 * A zone that can be rebuilt from the zone before may hold several generations.
 * A log belongs to one of them: the one given or, if none is, the one that was
 * active when it was first needed.
 */
export class BatchLog<M extends Manifest> {
  #generation: Promise<string> | undefined;

  constructor(
    readonly zone: Zone,
    readonly stage: M["stage"],
    options: { generation?: string } = {},
  ) {
    // An ingestion zone can't be rebuilt: it has one generation.
    const known = stage === "extract" ? "" : options.generation;
    if (known !== undefined) this.#generation = Promise.resolve(known);
  }

  /** The generation that these batches belong to; empty for the first. */
  generation(): Promise<string> {
    this.#generation ??= readGeneration(this.zone).then(({ id }) => id);
    return this.#generation;
  }

  /** The newest committed batch. */
  async newest(): Promise<M | undefined> {
    const batch = await this.newestNumber();
    return batch === 0 ? undefined : await this.read(batch);
  }

  /**
   * The number of the newest committed batch; 0 if there is none. The hint only
   * says where to start looking: a wrong or missing one costs a few requests.
   */
  async newestNumber(): Promise<number> {
    const hint = await this.#readHint();
    let present = hint > 0 && await this.#exists(hint) ? hint : 0;
    let step = 1;
    while (await this.#exists(present + step)) {
      present += step;
      step *= 2;
    }
    let missing = present + step;
    while (missing - present > 1) {
      const middle = Math.floor((present + missing) / 2);
      if (await this.#exists(middle)) present = middle;
      else missing = middle;
    }
    return present;
  }

  /** Reads a committed batch; throws a `StageError` if it doesn't exist. */
  async read(batch: number): Promise<M> {
    const manifest = await this.find(batch);
    if (manifest !== undefined) return manifest;
    const file = this.zone.locate(await this.#key(batch));
    throw new StageError(
      `Cannot read batch ${batch}: the manifest ${file} is missing`,
      {
        subject: file,
        hint: RESTORE_FILE,
      },
    );
  }

  /**
   * Throws a `StageError` if a batch about to be committed is a gap: missing
   * although a later one exists. It lists the files after the batch before,
   * which are next to none in S3. A directory would be read whole: as long as
   * the hint agrees with what was found, a few later batches are probed
   * instead, at growing distances.
   */
  async checkNoGap(batch: number): Promise<void> {
    const isHinted = !this.zone.listsAfter &&
      await this.#readHint() === batch - 1;
    const found = isHinted ? this.#probe(batch) : this.#listAfter(batch);
    for await (const later of found) {
      // Another run may have committed it by now: then it isn't a gap.
      if (await this.#exists(batch)) return;
      const file = this.zone.locate(await this.#key(batch));
      throw new StageError(
        `Cannot commit batch ${batch}: batch ${later} is there, and the manifest ${file} before it is missing`,
        { subject: file, hint: RESTORE_FILE },
      );
    }
  }

  /** Reads committed batches, in order. */
  async *range(batches: { from: number; to: number }): AsyncGenerator<M> {
    const { from, to } = batches;
    for (let first = from; first <= to; first += REQUESTS_AT_ONCE) {
      const length = Math.min(REQUESTS_AT_ONCE, to - first + 1);
      yield* await Promise.all(
        Array.from({ length }, (_, index) => this.read(first + index)),
      );
    }
  }

  /** Reads a batch; undefined if it isn't committed. */
  async find(batch: number): Promise<M | undefined> {
    const key = await this.#key(batch);
    const stored = await this.zone.read(key);
    if (stored === undefined) return undefined;
    return decodeManifest<M>(stored.bytes, {
      file: this.zone.locate(key),
      stage: this.stage,
      batch,
    });
  }

  /**
   * Commits a batch. Returns whether this run did: false if another run
   * committed the number first. If the store's answer is lost, or says that
   * another request is under way, the manifest found there shows who won; a
   * store that can't answer now is asked again.
   */
  async commit(manifest: M): Promise<boolean> {
    const content = encodeManifest(manifest);
    const key = await this.#key(manifest.batch);
    const began = performance.now();
    for (let attempt = 1;; attempt++) {
      let failure: StageError | undefined;
      const answerOf = async <R>(request: Promise<R>) => {
        try {
          return await request;
        } catch (error) {
          if (!(error instanceof StageError && error.retryable)) throw error;
          failure = error;
          await sleep(COMMIT_RETRY_MS * 2 ** (attempt - 1));
          return undefined;
        }
      };
      if (await answerOf(this.zone.create(key, content))) break;
      const found = await answerOf(this.find(manifest.batch));
      if (found !== undefined) {
        if (found.runId !== manifest.runId) return false;
        break;
      }
      const isLate = performance.now() - began > COMMIT_MS_MAX;
      if (attempt >= COMMIT_ATTEMPTS_MAX || isLate) {
        throw failure ?? new StageError(
          `Cannot commit batch ${manifest.batch}: ${this.zone.url} says both that its manifest exists and that it doesn't`,
          {
            subject: this.zone.url,
            retryable: true,
            hint:
              "Run again later; if it persists, the store does not honour If-None-Match",
          },
        );
      }
    }
    await this.#writeHint(manifest.batch);
    return true;
  }

  /** The key of the note on the last failure; see failure_note.ts. */
  async failureKey(): Promise<string> {
    return `${logFolder(await this.generation())}/failed`;
  }

  /** Finds batches after this one, by looking for a few numbers only. */
  async *#probe(batch: number): AsyncGenerator<number> {
    for (let step = 0; step < PROBES; step++) {
      const later = batch + 2 ** step;
      if (await this.#exists(later)) yield later;
    }
  }

  async *#listAfter(batch: number): AsyncGenerator<number> {
    const files = this.zone.list(`${logFolder(await this.generation())}/`, {
      after: await this.#key(batch - 1),
    });
    for await (const { key } of files) {
      const later = logParts(key)?.batch;
      // Not every store starts listing where it is asked to.
      if (later !== undefined && later > batch) yield later;
    }
  }

  async #key(batch: number): Promise<string> {
    return manifestKey(batch, await this.generation());
  }

  async #hintKey(): Promise<string> {
    return `${logFolder(await this.generation())}/latest`;
  }

  async #exists(batch: number): Promise<boolean> {
    return await this.zone.head(await this.#key(batch)) !== undefined;
  }

  async #readHint(): Promise<number> {
    const stored = await this.zone.read(await this.#hintKey());
    if (stored === undefined) return 0;
    const batch = Number(new TextDecoder().decode(stored.bytes));
    return Number.isSafeInteger(batch) && batch > 0 ? batch : 0;
  }

  /** The batch is committed already: failing to write the hint is no loss. */
  async #writeHint(batch: number): Promise<void> {
    const content = new TextEncoder().encode(`${batch}\n`);
    await this.zone.put(await this.#hintKey(), content).catch(() => false);
  }
}
