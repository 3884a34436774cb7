import { RESTORE_FILE } from "../zone/restore_hint.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { StageError } from "../errors.ts";
import type { Zone } from "../zone/zone.ts";

/** A generation of a zone, and the pointer that names it. */
export interface Generation {
  /** The run that made it; empty for the first, which needs no pointer. */
  id: string;
  /** The pointer's etag; undefined if there is no pointer. */
  etag: string | undefined;
}

const POINTER = "_generation";
const SWAP_ATTEMPTS_MAX = 6;
const SWAP_RETRY_MS = 200;

/**
 * Reads the active generation, which a zone that was rebuilt names in a
 * pointer. Throws a `StageError` if the pointer can't be read.
 */
export async function readGeneration(zone: Zone): Promise<Generation> {
  const stored = await zone.read(POINTER);
  if (stored === undefined) return { id: "", etag: undefined };
  const id = new TextDecoder().decode(stored.bytes).trimEnd();
  if (/^[\w-]+$/.test(id)) return { id, etag: stored.etag };
  const file = zone.locate(POINTER);
  throw new StageError(`Cannot read ${file}: it names no generation`, {
    subject: file,
    hint: RESTORE_FILE,
  });
}

/**
 * Activates another generation, in one conditional put. Returns whether this
 * run did: false if another run came first. If the store's answer is lost, the
 * pointer shows what happened.
 */
export async function activateGeneration(
  zone: Zone,
  options: { from: Generation; to: string },
): Promise<boolean> {
  const { from, to } = options;
  const content = new TextEncoder().encode(`${to}\n`);
  for (let attempt = 1;; attempt++) {
    let failure: unknown;
    try {
      const swapped = from.etag === undefined
        ? await zone.create(POINTER, content)
        : await zone.put(POINTER, content, { ifMatch: from.etag });
      if (swapped) return true;
    } catch (error) {
      const retry = error instanceof StageError && error.retryable &&
        attempt < SWAP_ATTEMPTS_MAX;
      if (!retry) throw error;
      failure = error;
    }
    const found = await readGeneration(zone);
    if (found.id === to) return true;
    if (failure === undefined || found.etag !== from.etag) return false;
    await sleep(SWAP_RETRY_MS * 2 ** (attempt - 1));
  }
}
