/**
 * Decodes a text that people write, its byte order mark left in. Throws a
 * TypeError that says what it is if it isn't UTF-8: other decoders replace what
 * they can't read, and the text would mean something else in silence.
 */
export function utf8Text(bytes: Uint8Array): string {
  const isUtf16 = bytes.includes(0);
  if (isUtf16) throw new TypeError("UTF-16, or no text");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes);
  } catch {
    throw new TypeError("not UTF-8");
  }
}
