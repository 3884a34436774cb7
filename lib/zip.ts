const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const COMMENT_BYTES_MAX = 0xffff;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const STORED = 0;
const DEFLATED = 8;

/**
 * Reads the first file of a zip archive (of under 4 GiB) whose name ends so;
 * undefined when there is none.
 */
export async function unzipFile(
  archive: Uint8Array<ArrayBuffer>,
  nameEnd: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.length);
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  let entry = view.getUint32(end + 16, true);
  for (let index = 0; index < count; index++) {
    if (view.getUint32(entry, true) !== ENTRY_SIGNATURE) {
      throw new Error("the zip archive's directory is damaged");
    }
    const nameBytes = view.getUint16(entry + 28, true);
    const nameStart = entry + ENTRY_BYTES;
    const name = new TextDecoder().decode(
      archive.subarray(nameStart, nameStart + nameBytes),
    );
    if (name.endsWith(nameEnd)) return await inflate(archive, view, entry);
    entry = nameStart + nameBytes + view.getUint16(entry + 30, true) +
      view.getUint16(entry + 32, true);
  }
  return undefined;
}

function findEnd(view: DataView): number {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= Math.max(0, last - COMMENT_BYTES_MAX); at--) {
    if (view.getUint32(at, true) === END_SIGNATURE) return at;
  }
  throw new Error("this is no zip archive");
}

async function inflate(
  archive: Uint8Array<ArrayBuffer>,
  view: DataView,
  entry: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const method = view.getUint16(entry + 10, true);
  const bytes = view.getUint32(entry + 20, true);
  const local = view.getUint32(entry + 42, true);
  const start = local + LOCAL_BYTES + view.getUint16(local + 26, true) +
    view.getUint16(local + 28, true);
  const content = archive.subarray(start, start + bytes);
  if (method === STORED) return content;
  if (method !== DEFLATED) {
    throw new Error(`the zip archive is packed by method ${method}`);
  }
  const inflated = new Blob([content]).stream()
    .pipeThrough(new DecompressionStream("deflate-raw"));
  return await new Response(inflated).bytes();
}
