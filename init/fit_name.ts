/**
 * A name with its ending. The name is cut, between two characters, if the two
 * have more than `bytesMax` bytes in UTF-8, as PostgreSQL counts them.
 */
export function fitName(
  name: string,
  { ending, bytesMax }: { ending: string; bytesMax: number },
): string {
  const encoder = new TextEncoder();
  const room = new Uint8Array(bytesMax - encoder.encode(ending).length);
  return name.slice(0, encoder.encodeInto(name, room).read) + ending;
}
