import type { LiveFile } from "../../lib/batches/manifest.ts";
import {
  encodeManifestFile,
  liveEntries,
  type ManifestEntry,
  type ManifestFile,
  STATUS,
} from "../../lib/iceberg/manifest_files.ts";
import {
  readManifest,
  readManifestList,
} from "../../lib/iceberg/read_manifests.ts";
import { uriOf } from "../../lib/iceberg/table_metadata.ts";
import { shortChecksum } from "../../lib/zone/checksum.ts";
import type { Zone } from "../../lib/zone/zone.ts";

/** A manifest with more files than this is split. */
const FILES_MAX = 64;
/**
 * A manifest with fewer files is rewritten with each snapshot. So a snapshot
 * writes a bounded number of entries, however many files the table has.
 */
const FILES_MIN = FILES_MAX / 2;
/** The batches and the hash of the files that a manifest's name has. */
const NAME = /\.(\d+)-(\d+)\.([0-9a-f]{16})\.avro$/;

/** A manifest, with its entries if they were read or are about to be written. */
export interface IcebergManifest {
  file: ManifestFile;
  entries?: readonly ManifestEntry[];
  /** Its content, if it must still be written. */
  content?: Uint8Array;
}

/** What a snapshot has to list, compared with the one before. */
export interface FileChanges {
  /** Manifests that stay as they are. */
  kept: readonly IcebergManifest[];
  /** The entries of the other manifests, by their files' URIs. */
  known: ReadonlyMap<string, ManifestEntry>;
  added: readonly LiveFile[];
  /** Entries of files that are no longer live. */
  removed: readonly ManifestEntry[];
}

/** The snapshot that a manifest is written for. */
export interface NewSnapshot {
  id: number;
  sequence: number;
  schema: { id: number; json: string };
  /** The field id of the column `batch`, for the bounds of its values. */
  batchId: number;
  /** Where its manifests go; part of a name that nothing else has. */
  key: (name: string) => string;
}

/** Reads the manifests that a manifest list names; throws if it can't. */
export async function readManifests(
  zone: Zone,
  list: string,
): Promise<IcebergManifest[]> {
  return (await readManifestList(zone, list)).map((file) => ({ file }));
}

/**
 * Compares the manifests of a snapshot with the live files. A large manifest
 * whose name says that all its files are still live isn't read.
 */
export async function compareFiles(
  zone: Zone,
  options: {
    manifests: readonly IcebergManifest[];
    files: readonly LiveFile[];
  },
): Promise<FileChanges> {
  const { manifests } = options;
  const kept: IcebergManifest[] = [];
  const known = new Map<string, ManifestEntry>();
  const left = new Map(
    options.files.map((file) => [uriOf(zone, file.key), file]),
  );
  for (const manifest of manifests) {
    const files = isLarge(manifest.file)
      ? unchangedFiles(manifest.file, options.files)
      : undefined;
    if (files === undefined) {
      const entries = manifest.entries ??
        await readManifest(zone, manifest.file.manifest_path);
      for (const entry of liveEntries(entries)) {
        known.set(entry.data_file.file_path, entry);
      }
    } else {
      kept.push(manifest);
      for (const { key } of files) left.delete(uriOf(zone, key));
    }
  }
  return {
    kept,
    known,
    added: [...left].flatMap(([uri, file]) => known.has(uri) ? [] : [file]),
    removed: [...known].flatMap(([uri, entry]) => left.has(uri) ? [] : [entry]),
  };
}

/**
 * The manifests of a snapshot with these live files: those kept, and new ones
 * for the other files. Files that it removes are listed as deleted, once.
 */
export function nextManifests(
  zone: Zone,
  options: {
    files: readonly LiveFile[];
    changes: Pick<FileChanges, "kept" | "known" | "removed">;
    snapshot: NewSnapshot;
  },
): IcebergManifest[] {
  const { files, changes, snapshot } = options;
  const deleted = changes.removed.map((entry) => ({
    ...entry,
    status: STATUS.deleted,
    snapshot_id: snapshot.id,
  }));
  const runs = runsOf(files, changes.kept);
  if (runs.length === 0 && deleted.length > 0) runs.push([]);
  const written = runs.map((run, index) => {
    const live = run.map((file) => entryOf(zone, { file, ...options }));
    return newManifest(zone, {
      files: run,
      entries: index === 0 ? [...live, ...deleted] : live,
      snapshot,
    });
  });
  return [...changes.kept, ...written];
}

/** The files that kept manifests lack, in runs of consecutive ones. */
function runsOf(
  files: readonly LiveFile[],
  kept: readonly IcebergManifest[],
): LiveFile[][] {
  const covered = new Set(
    kept.flatMap(({ file }) => unchangedFiles(file, files) ?? []),
  );
  const runs: LiveFile[][] = [];
  let run: LiveFile[] | undefined;
  for (const file of files) {
    if (covered.has(file)) run = undefined;
    else if (run === undefined || run.length === FILES_MAX) {
      runs.push(run = [file]);
    } else run.push(file);
  }
  return runs;
}

function entryOf(
  zone: Zone,
  options: {
    file: LiveFile;
    changes: Pick<FileChanges, "known">;
    snapshot: NewSnapshot;
  },
): ManifestEntry {
  const { file, changes, snapshot } = options;
  const path = uriOf(zone, file.key);
  const known = changes.known.get(path);
  if (known !== undefined) return { ...known, status: STATUS.existing };
  const { id, sequence, batchId } = snapshot;
  return {
    status: STATUS.added,
    snapshot_id: id,
    sequence_number: sequence,
    file_sequence_number: sequence,
    data_file: {
      content: 0,
      file_path: path,
      file_format: "PARQUET",
      partition: {},
      record_count: file.rows,
      file_size_in_bytes: file.bytes,
      lower_bounds: [{ key: batchId, value: longBytes(file.from) }],
      upper_bounds: [{ key: batchId, value: longBytes(file.to) }],
      sort_order_id: 0,
    },
  };
}

function newManifest(
  zone: Zone,
  options: {
    files: readonly LiveFile[];
    entries: readonly ManifestEntry[];
    snapshot: NewSnapshot;
  },
): IcebergManifest {
  const { files, entries, snapshot } = options;
  const { id, sequence, schema } = snapshot;
  const content = encodeManifestFile(entries, {
    schema: schema.json,
    schemaId: schema.id,
  });
  const [added, existing, deleted] = [
    STATUS.added,
    STATUS.existing,
    STATUS.deleted,
  ].map((status) => entries.filter((entry) => entry.status === status));
  const range = `${files[0]?.from ?? 0}-${files.at(-1)?.to ?? 0}`;
  const name = `m${sequence}.${range}.${filesHash(files)}.avro`;
  return {
    content,
    entries,
    file: {
      manifest_path: uriOf(zone, snapshot.key(name)),
      manifest_length: content.length,
      partition_spec_id: 0,
      content: 0,
      sequence_number: sequence,
      min_sequence_number: Math.min(
        ...liveEntries(entries).map((entry) => entry.sequence_number),
        sequence,
      ),
      added_snapshot_id: id,
      added_files_count: added?.length ?? 0,
      existing_files_count: existing?.length ?? 0,
      deleted_files_count: deleted?.length ?? 0,
      added_rows_count: rowsOf(added),
      existing_rows_count: rowsOf(existing),
      deleted_rows_count: rowsOf(deleted),
      partitions: [],
    },
  };
}

/** The live files of a manifest, if none of its files is gone. */
function unchangedFiles(
  { manifest_path }: ManifestFile,
  files: readonly LiveFile[],
): LiveFile[] | undefined {
  const [, first, last, hash] = NAME.exec(manifest_path) ?? [];
  const [from, to] = [Number(first), Number(last)];
  const within = files.filter((file) => file.from >= from && file.to <= to);
  return filesHash(within) === hash ? within : undefined;
}

function isLarge(manifest: ManifestFile): boolean {
  const { added_files_count, existing_files_count } = manifest;
  return added_files_count + existing_files_count >= FILES_MIN;
}

function filesHash(files: readonly LiveFile[]): string {
  const keys = files.map(({ key }) => key).join("\n");
  return shortChecksum(new TextEncoder().encode(keys));
}

/** https://iceberg.apache.org/spec/#binary-single-value-serialization */
function longBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(value), true);
  return bytes;
}

function rowsOf(entries: readonly ManifestEntry[] | undefined): number {
  return (entries ?? [])
    .reduce((sum, { data_file }) => sum + data_file.record_count, 0);
}
