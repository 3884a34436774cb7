import { isAbsolute } from "node:path";
import type { Zone } from "../zone/zone.ts";
import { keyName } from "../zone/zone_key.ts";

/** The folder of a zone that has the Iceberg tables' metadata. */
export const ICEBERG_FOLDER = "_iceberg";
/** A file that says what the last run published. */
export const PUBLISHED_KEY = `${ICEBERG_FOLDER}/published.json`;
/** A file with SQL that makes views over the tables. */
export const VIEWS_KEY = `${ICEBERG_FOLDER}/views.sql`;
const HINT = "version-hint.text";
const VERSIONS_AT_ONCE_MAX = 10_000;

/**
 * A table's metadata, version 2 of the format, with the names of
 * https://iceberg.apache.org/spec/#table-metadata-fields.
 */
export interface TableMetadata {
  "format-version": 2;
  "table-uuid": string;
  location: string;
  "last-sequence-number": number;
  "last-updated-ms": number;
  "last-column-id": number;
  schemas: readonly TableSchema[];
  "current-schema-id": number;
  "partition-specs": readonly { "spec-id": number; fields: readonly [] }[];
  "default-spec-id": number;
  "last-partition-id": number;
  "sort-orders": readonly { "order-id": number; fields: readonly [] }[];
  "default-sort-order-id": number;
  properties: Readonly<Record<string, string>>;
  "current-snapshot-id"?: number;
  refs?: { main: { "snapshot-id": number; type: "branch" } };
  snapshots: readonly IcebergSnapshot[];
  "snapshot-log": readonly { "timestamp-ms": number; "snapshot-id": number }[];
}

/** A schema; a field never changes its number. */
export interface TableSchema {
  type: "struct";
  "schema-id": number;
  fields: readonly SchemaField[];
}

export interface SchemaField {
  id: number;
  name: string;
  required: false;
  type: string;
  doc?: string;
}

/** The state of a table after a commit. */
export interface IcebergSnapshot {
  "snapshot-id": number;
  "parent-snapshot-id"?: number;
  "sequence-number": number;
  "timestamp-ms": number;
  "manifest-list": string;
  "schema-id": number;
  summary: Readonly<Record<string, string>> & { operation: string };
}

/** A table as it is stored. */
export interface StoredTable {
  /** The number in the metadata file's name. */
  version: number;
  /** Undefined if the file can't be read as metadata. */
  metadata: TableMetadata | undefined;
  /** The version that `version-hint.text` names; 0 if none. */
  hint: number;
}

/** The URI by which other engines find a file or folder of the zone. */
export function uriOf(zone: Zone, key?: string): string {
  const root = isAbsolute(zone.url) ? `file://${zone.url}` : zone.url;
  return key === undefined ? root : `${root}/${key}`;
}

/** The key of a file of this zone; undefined for any other URI. */
export function keyOf(zone: Zone, uri: string): string | undefined {
  const root = `${uriOf(zone)}/`;
  return uri.startsWith(root) ? uri.slice(root.length) : undefined;
}

/** The folder of a model's table. */
export function tableFolder(model: string): string {
  return `${ICEBERG_FOLDER}/${keyName(model)}`;
}

/** The key of one of the table's own files. */
export function metadataKey(folder: string, name: string): string {
  return `${folder}/metadata/${name}`;
}

/** The key of a version of the metadata. */
export function versionKey(folder: string, version: number): string {
  return metadataKey(folder, `v${version}.metadata.json`);
}

/** The version that a key names, if it is that of a version. */
export function versionOf(key: string): number | undefined {
  const [, version] = /\/v(\d+)\.metadata\.json$/.exec(key) ?? [];
  return version === undefined ? undefined : Number(version);
}

export function hintKey(folder: string): string {
  return metadataKey(folder, HINT);
}

/**
 * Reads the newest version of a table; undefined if there is none. As in
 * Hadoop's catalogue, `version-hint.text` names it, and may be behind; with
 * `after`, a version that is known to exist, the hint need not be right.
 */
export async function readTableMetadata(
  zone: Zone,
  folder: string,
  options: { after?: number } = {},
): Promise<StoredTable | undefined> {
  const hint = await readHint(zone, folder);
  let version = Math.max(hint, options.after ?? 0);
  let stored = version === 0
    ? undefined
    : await zone.read(versionKey(folder, version));
  if (stored === undefined) {
    version = await highestVersion(zone, folder);
    if (version === 0) return undefined;
    stored = await zone.read(versionKey(folder, version));
  }
  if (options.after !== undefined) {
    for (let step = 0; step < VERSIONS_AT_ONCE_MAX; step++) {
      const next = await zone.read(versionKey(folder, version + 1));
      if (next === undefined) break;
      version++;
      stored = next;
    }
  }
  return { version, hint, metadata: parseMetadata(stored?.bytes) };
}

/**
 * Creates the version after the one that was read, which makes it the table's
 * state: false if another run created it first. Readers look for it once
 * `version-hint.text` names it.
 */
export async function createVersion(
  zone: Zone,
  folder: string,
  options: { version: number; metadata: TableMetadata },
): Promise<boolean> {
  const { version, metadata } = options;
  const content = new TextEncoder().encode(`${JSON.stringify(metadata)}\n`);
  if (!await zone.create(versionKey(folder, version), content)) return false;
  await writeHint(zone, folder, version);
  return true;
}

/**
 * Names a version to readers, or a later one that exists by then: another run
 * may have named that before this one came to it.
 */
export async function writeHint(
  zone: Zone,
  folder: string,
  version: number,
): Promise<void> {
  for (let named = version; named < version + VERSIONS_AT_ONCE_MAX; named++) {
    await zone.put(hintKey(folder), new TextEncoder().encode(String(named)));
    const later = await zone.head(versionKey(folder, named + 1));
    if (later === undefined) return;
  }
}

async function readHint(zone: Zone, folder: string): Promise<number> {
  const stored = await zone.read(hintKey(folder));
  const version = Number(new TextDecoder().decode(stored?.bytes));
  return Number.isSafeInteger(version) && version > 0 ? version : 0;
}

async function highestVersion(zone: Zone, folder: string): Promise<number> {
  let highest = 0;
  for await (const { key } of zone.list(metadataKey(folder, "v"))) {
    highest = Math.max(highest, versionOf(key) ?? 0);
  }
  return highest;
}

function parseMetadata(
  bytes: Uint8Array | undefined,
): TableMetadata | undefined {
  if (bytes === undefined) return undefined;
  try {
    const metadata: TableMetadata = JSON.parse(new TextDecoder().decode(bytes));
    return metadata["format-version"] === 2 && Array.isArray(metadata.snapshots)
      ? metadata
      : undefined;
  } catch {
    return undefined;
  }
}
