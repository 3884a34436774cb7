import { messageOf } from "../errors.ts";
import { secretsOf } from "../settings/secret_mask.ts";
import type { StageContext } from "../stage.ts";
import type { Zone } from "../zone/zone.ts";

/** The published lake, in the processed zone. */
export const LAKE_FILE = "lake.duckdb";
/** Why that could not be replaced. */
export const LAKE_NOTE = "_lake";

/** The note of a run that could not replace `lake.duckdb`. */
export interface LakeNote {
  /** When that failed for the first time, and for the last. */
  since: string;
  at: string;
  message: string;
}

const MESSAGE_CHARACTERS_MAX = 2_000;

/** A note with the file that was not replaced: once it is, the note is void. */
interface StoredNote extends LakeNote {
  /** The file's etag; null if there was none. */
  etag: string | null;
}

/**
 * Leaves a note that `lake.duckdb` could not be replaced, for `status` to show.
 * Nothing has to remove it. An error in writing it is ignored.
 */
export async function noteLake(
  { config, clock }: Pick<StageContext, "config" | "clock">,
  options: {
    zone: Zone;
    error: unknown;
    /**
     * Of the file that was there; null if there was none, undefined if it could
     * not be read.
     */
    etag: string | null | undefined;
  },
): Promise<void> {
  const { zone, error } = options;
  const at = clock().toISOString();
  const message = secretsOf(config)(messageOf(error))
    .slice(0, MESSAGE_CHARACTERS_MAX);
  try {
    const { since = at } = await readLakeNote(zone) ?? {};
    const { etag = await etagOf(zone) } = options;
    const note: StoredNote = { etag, since, at, message };
    await zone.put(
      LAKE_NOTE,
      new TextEncoder().encode(`${JSON.stringify(note)}\n`),
    );
  } catch {
    // The run's log has the error.
  }
}

/** Why `lake.duckdb` can't be replaced; undefined if it has been since. */
export async function readLakeNote(zone: Zone): Promise<LakeNote | undefined> {
  const stored = await zone.read(LAKE_NOTE);
  if (stored === undefined) return undefined;
  let note: StoredNote | null;
  try {
    note = JSON.parse(new TextDecoder().decode(stored.bytes));
  } catch {
    return undefined;
  }
  return note !== null && note.etag === await etagOf(zone) ? note : undefined;
}

async function etagOf(zone: Zone): Promise<string | null> {
  const head = await zone.head(LAKE_FILE).catch(() => undefined);
  return head?.etag ?? null;
}
