import type { DataFile } from "./manifest.ts";
import { damageOf } from "./check_files.ts";
import { StageError } from "../errors.ts";
import { sha256Hex } from "../zone/checksum.ts";
import type { Zone } from "../zone/zone.ts";

/** Writes a list as a JSON file of the zone, for a manifest to name. */
export async function writeJsonList(
  zone: Zone,
  key: string,
  list: readonly unknown[],
): Promise<DataFile> {
  const content = new TextEncoder().encode(`${JSON.stringify(list)}\n`);
  // If a file has that name already, an attempt of this run whose answer was
  // lost has put it there.
  await zone.create(key, content);
  return {
    key,
    bytes: content.length,
    rows: list.length,
    sha256: sha256Hex(content),
  };
}

/**
 * Reads such a list; the caller knows the type of its items. Throws a
 * `StageError` if the file is missing or is not the one that was written.
 */
export async function readJsonList<Item>(
  zone: Zone,
  file: DataFile,
  options: { what: string; hint: string },
): Promise<Item[]> {
  const path = zone.locate(file.key);
  const damaged = (found: string) =>
    new StageError(`Cannot read the ${options.what} ${path}: ${found}`, {
      subject: path,
      hint: options.hint,
    });
  const stored = await zone.read(file.key);
  if (stored === undefined) {
    throw damaged("the manifest names it, and it is missing");
  }
  const damage = damageOf(file, {
    bytes: stored.bytes.length,
    sha256: sha256Hex(stored.bytes),
  });
  if (damage !== undefined) throw damaged(damage);
  const list: Item[] = JSON.parse(new TextDecoder().decode(stored.bytes));
  if (list.length === file.rows) return list;
  throw damaged(`it lists ${list.length}, the manifest says ${file.rows}`);
}
