import { unzipSync } from "fflate";
import { dirname, join } from "node:path";

const ENTRY = 0x02014b50;
const END_BYTES = 22;

/** Unzips a file into a folder, with the modes of its files. */
export async function unzip(zip: Uint8Array, folder: string): Promise<void> {
  const modes = modesOf(zip);
  for (const [path, bytes] of Object.entries(unzipSync(zip))) {
    const target = join(folder, path);
    await Deno.mkdir(dirname(target), { recursive: true });
    await Deno.writeFile(target, bytes);
    await Deno.chmod(target, modes.get(path) ?? 0);
  }
}

/** The modes of the files, from the directory at the zip's end. */
export function modesOf(zip: Uint8Array): Map<string, number> {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.length);
  const modes = new Map<string, number>();
  const end = zip.length - END_BYTES;
  let at = view.getUint32(end + 16, true);
  while (at < end && view.getUint32(at, true) === ENTRY) {
    const nameBytes = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(
      zip.subarray(at + 46, at + 46 + nameBytes),
    );
    modes.set(name, (view.getUint32(at + 38, true) >>> 16) & 0o777);
    at += 46 + nameBytes + view.getUint16(at + 30, true) +
      view.getUint16(at + 32, true);
  }
  return modes;
}
