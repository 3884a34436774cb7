import { sha256Hex } from "../../lib/zone/checksum.ts";

const SHOWS = "it shows: ";
const MARK = "sha256 of all before: ";
const NOTE_BYTES = note(sha256Hex("")).length;
const SEAL_BYTES = seal("").length;

/** A database file as it was sealed. */
export interface Unsealed {
  content: Uint8Array;
  /** The hash of what it shows; undefined if an earlier version sealed it. */
  shows: string | undefined;
}

/**
 * A DuckDB database file with two hashes added at its end: of what it shows,
 * which can be read there without DuckDB, and the SHA-256 of all before, which
 * shows whether somebody has changed it since. DuckDB reads the blocks that the
 * file's header counts, and nothing behind them.
 */
export function sealed(content: Uint8Array, shows: string): Uint8Array {
  const end = note(shows);
  const file = new Uint8Array(content.length + NOTE_BYTES + SEAL_BYTES);
  file.set(content);
  file.set(end, content.length);
  const all = file.subarray(0, content.length + NOTE_BYTES);
  file.set(seal(all), all.length);
  return file;
}

/** The parts of a sealed file; undefined if it is not as it was sealed. */
export function unsealed(file: Uint8Array): Unsealed | undefined {
  if (file.length < SEAL_BYTES) return undefined;
  const all = file.subarray(0, -SEAL_BYTES);
  const end = seal(all);
  if (!file.subarray(-SEAL_BYTES).every((byte, at) => byte === end[at])) {
    return undefined;
  }
  const noted = new TextDecoder().decode(all.subarray(-NOTE_BYTES));
  if (!noted.startsWith(SHOWS)) return { content: all, shows: undefined };
  return {
    content: all.subarray(0, -NOTE_BYTES),
    shows: noted.slice(SHOWS.length),
  };
}

function note(shows: string): Uint8Array {
  return new TextEncoder().encode(`${SHOWS}${shows}`);
}

function seal(content: string | Uint8Array): Uint8Array {
  return new TextEncoder().encode(`${MARK}${sha256Hex(content)}`);
}
