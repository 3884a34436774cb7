import type { Zone } from "../zone/zone.ts";
import {
  decodeManifestFile,
  decodeManifestList,
  type ManifestEntry,
  type ManifestFile,
} from "./manifest_files.ts";
import { keyOf } from "./table_metadata.ts";

/**
 * Reads a manifest list of this zone. Throws an Error if it is missing, in
 * another place, or another's.
 */
export async function readManifestList(
  zone: Zone,
  uri: string,
): Promise<ManifestFile[]> {
  return decodeManifestList(await readUri(zone, uri));
}

/** Reads a manifest of this zone; throws likewise. */
export async function readManifest(
  zone: Zone,
  uri: string,
): Promise<ManifestEntry[]> {
  return decodeManifestFile(await readUri(zone, uri));
}

async function readUri(zone: Zone, uri: string): Promise<Uint8Array> {
  const key = keyOf(zone, uri);
  const stored = key === undefined ? undefined : await zone.read(key);
  if (stored === undefined) throw new Error(`${uri} is missing`);
  return stored.bytes;
}
