import { sha256Hex } from "../../lib/zone/checksum.ts";

const MARK = "sha256 of all before: ";
const SEAL_BYTES = seal("").length;

/**
 * A DuckDB database file with the SHA-256 of its content added at its end,
 * which shows whether somebody has changed it since. DuckDB reads the blocks
 * that the file's header counts, and nothing behind them.
 */
export function sealed(content: Uint8Array): Uint8Array {
  const end = seal(content);
  const file = new Uint8Array(content.length + end.length);
  file.set(content);
  file.set(end, content.length);
  return file;
}

/** The content of a sealed file; undefined if it is not as it was sealed. */
export function unsealed(file: Uint8Array): Uint8Array | undefined {
  if (file.length < SEAL_BYTES) return undefined;
  const content = file.subarray(0, -SEAL_BYTES);
  const end = seal(content);
  return file.subarray(-SEAL_BYTES).every((byte, at) => byte === end[at])
    ? content
    : undefined;
}

function seal(content: string | Uint8Array): Uint8Array {
  return new TextEncoder().encode(`${MARK}${sha256Hex(content)}`);
}
