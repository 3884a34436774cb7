import { createHash } from "node:crypto";

const SHORT_CHARACTERS = 16;

/** The SHA-256 of a text or bytes, in hexadecimal. */
export function sha256Hex(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/** A shortened SHA-256, enough to detect damage. */
export function shortChecksum(content: Uint8Array): string {
  return sha256Hex(content).slice(0, SHORT_CHARACTERS);
}

/** The SHA-256, in hexadecimal, and the length of bytes that come in pieces. */
export async function sha256OfStream(
  content: AsyncIterable<Uint8Array>,
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const piece of content) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { sha256: hash.digest("hex"), bytes };
}
