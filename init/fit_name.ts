/**
 * A name and its ending in at most so many bytes of UTF-8, as PostgreSQL counts
 * them: the name is cut, between two characters, where both don't fit.
 */
export function fitName(
  name: string,
  { ending, bytesMax }: { ending: string; bytesMax: number },
): string {
  const encoder = new TextEncoder();
  const room = new Uint8Array(bytesMax - encoder.encode(ending).length);
  return name.slice(0, encoder.encodeInto(name, room).read) + ending;
}
