import type {
  LiveFile,
  ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import type { Column } from "../../lib/duckdb/data_files.ts";
import { encodeManifestList } from "../../lib/iceberg/manifest_files.ts";
import {
  keyOf,
  type Snapshot,
  type StoredTable,
  type TableMetadata,
  type TableSchema,
  uriOf,
} from "../../lib/iceberg/table_metadata.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import {
  compareFiles,
  type FileChanges,
  type Manifest,
  nextManifests,
  readManifests,
} from "./table_files.ts";
import { nameMapping, type TableFields, widenFields } from "./table_schema.ts";

/** Older snapshots than these are no longer listed, however young. */
const SNAPSHOTS_MAX = 100;
/** As long as a sweep leaves the files of a batch that was the newest. */
const SNAPSHOT_HOURS_MAX = 48;
/**
 * Before the first snapshot's id: Trino takes a shorter number for an integer,
 * which `for version as of` refuses.
 */
const SNAPSHOT_IDS_AFTER = 10_000_000_000;
const MS_PER_HOUR = 3_600_000;

/** The state that a table is to have. */
export interface TableState {
  zone: Zone;
  newest: Pick<
    ProcessedManifest,
    "batch" | "snapshotTime" | "committedAt" | "lakeId"
  >;
  generation: string;
  fields: TableFields;
  /** The model's live files, those of the earliest batches first. */
  files: readonly LiveFile[];
  /** Reads the columns of those files that were written with others. */
  otherColumns: (files: readonly LiveFile[]) => Promise<Column[]>;
  /** The key of a new file of the table, which no other run uses. */
  key: (name: string) => string;
}

/** A version to commit, and the files to write before it. */
export interface NextVersion {
  metadata: TableMetadata;
  written: { key: string; content: Uint8Array }[];
}

const NAME_MAPPING = "schema.name-mapping.default";

/** Properties of a table, and of the summaries of its snapshots. */
export const ABOUT = {
  lakeId: "totesys.lake-id",
  generation: "totesys.generation",
  batch: "totesys.batch",
  snapshotTime: "totesys.snapshot-time",
} as const;

/** The newest batch that a table shows, and its generation. */
export function shownBatch(
  metadata: TableMetadata,
): { batch: number; generation: string } {
  const { properties } = metadata;
  return {
    batch: Number(properties[ABOUT.batch] ?? 0),
    generation: properties[ABOUT.generation] ?? "",
  };
}

/**
 * The version of a table's metadata that shows this state, from the stored one;
 * undefined if that shows it. Without one, or with one of another lake or
 * place, the table begins with a single snapshot. Throws an Error if the stored
 * snapshot's manifests can't be read.
 */
export async function nextVersion(
  state: TableState,
  stored: StoredTable | undefined,
): Promise<NextVersion | undefined> {
  const { zone, newest, generation, files } = state;
  const base = ownMetadata(state, stored);
  const current = base?.snapshots.at(-1);
  const before = current === undefined
    ? []
    : await readManifests(zone, current["manifest-list"]);
  const changes = await compareFiles(zone, { manifests: before, files });
  const fields = await fieldsOf(state, { base, added: changes.added });
  const schemas = base?.schemas ?? [];
  const schema = schemaOf(fields, schemas);
  const hasChanged = changes.added.length + changes.removed.length > 0;
  if (
    base !== undefined && !hasChanged &&
    base["current-schema-id"] === schema["schema-id"] &&
    shownBatch(base).generation === generation
  ) return undefined;
  const written: NextVersion["written"] = [];
  const made: Snapshot[] = [];
  let parent = current;
  let manifests = before;
  let sequence = stored?.metadata?.["last-sequence-number"] ?? 0;
  const now = Date.parse(newest.committedAt);
  const since = stored?.metadata?.["last-updated-ms"] ?? 0;
  for (
    const step of hasChanged ? stepsOf(state, { base, changes }) : []
  ) {
    sequence++;
    const time = Math.max(now, since + 1) + made.length;
    const next = await makeSnapshot(state, {
      ...step,
      manifests,
      parent,
      sequence,
      schema,
      time,
    });
    made.push(next.snapshot);
    written.push(...next.written);
    ({ manifests } = next);
    parent = next.snapshot;
  }
  const snapshots = keptSnapshots([...base?.snapshots ?? [], ...made]);
  const used = new Set(snapshots.map((snapshot) => snapshot["schema-id"]));
  const last = snapshots.at(-1);
  const metadata: TableMetadata = {
    "format-version": 2,
    "table-uuid": base?.["table-uuid"] ?? crypto.randomUUID(),
    location: uriOf(zone, state.key("").replace(/\/metadata\/.*$/, "")),
    "last-sequence-number": sequence,
    "last-updated-ms": last === undefined
      ? Math.max(now, since)
      : Math.max(last["timestamp-ms"], since),
    "last-column-id": Math.max(
      base?.["last-column-id"] ?? 0,
      ...fields.fields.map(({ id }) => id),
    ),
    schemas: [
      ...schemas.filter((one) =>
        one["schema-id"] !== schema["schema-id"] && used.has(one["schema-id"])
      ),
      schema,
    ],
    "current-schema-id": schema["schema-id"],
    "partition-specs": [{ "spec-id": 0, fields: [] }],
    "default-spec-id": 0,
    // Before the first number of a partition's field.
    "last-partition-id": 999,
    "sort-orders": [{ "order-id": 0, fields: [] }],
    "default-sort-order-id": 0,
    properties: {
      [NAME_MAPPING]: nameMapping(
        fields.fields,
        base?.properties[NAME_MAPPING],
      ),
      // Only transform and sweep may remove files.
      "gc.enabled": "false",
      [ABOUT.lakeId]: newest.lakeId,
      [ABOUT.generation]: generation,
      [ABOUT.batch]: String(newest.batch),
    },
    ...last === undefined ? {} : {
      "current-snapshot-id": last["snapshot-id"],
      refs: {
        main: { "snapshot-id": last["snapshot-id"], type: "branch" as const },
      },
    },
    snapshots,
    "snapshot-log": snapshots.map((snapshot) => ({
      "timestamp-ms": snapshot["timestamp-ms"],
      "snapshot-id": snapshot["snapshot-id"],
    })),
  };
  return { metadata, written };
}

/** The stored metadata if its snapshots are of this lake, at this place. */
function ownMetadata(
  { zone, newest, key }: TableState,
  stored: StoredTable | undefined,
): TableMetadata | undefined {
  const metadata = stored?.metadata;
  const location = uriOf(zone, key("").replace(/\/metadata\/.*$/, ""));
  const isOwn = metadata?.location === location &&
    metadata.properties[ABOUT.lakeId] === newest.lakeId;
  return isOwn ? metadata : undefined;
}

/**
 * The fields, wide enough for all files: the current schema is so for the files
 * that it was made for.
 */
async function fieldsOf(
  { fields, files, otherColumns }: TableState,
  options: { base: TableMetadata | undefined; added: readonly LiveFile[] },
): Promise<TableFields> {
  const { base, added } = options;
  const known =
    base?.schemas.find((one) => one["schema-id"] === base["current-schema-id"])
      ?.fields ?? [];
  const ids = new Set(known.map(({ id }) => id));
  const hasOther = fields.fields.some(({ id }) => !ids.has(id));
  return widenFields(fields, {
    fields: known,
    columns: await otherColumns(hasOther ? files : added),
  });
}

/** A known schema with these fields, or a new one. */
function schemaOf(
  { fields }: TableFields,
  known: readonly TableSchema[],
): TableSchema {
  const text = JSON.stringify(fields);
  return known.find((one) => JSON.stringify(one.fields) === text) ?? {
    type: "struct",
    "schema-id": Math.max(-1, ...known.map((one) => one["schema-id"])) + 1,
    fields,
  };
}

/** A snapshot to make, with all files that it shows. */
interface Step {
  operation: "append" | "replace" | "overwrite";
  files: readonly LiveFile[];
  /** The batch whose rows it shows, if it isn't the newest. */
  shows?: { batch: number; snapshotTime: string };
}

/**
 * The snapshots that lead to the live files: merged files replace others, with
 * the same rows, before new rows are appended. If several batches came at once,
 * a file may have both old and new rows; then one snapshot overwrites, as it
 * does after a rebuild.
 */
function stepsOf(
  { generation, files }: TableState,
  options: { base: TableMetadata | undefined; changes: FileChanges },
): Step[] {
  const { base, changes: { added, removed } } = options;
  if (removed.length === 0) return [{ operation: "append", files }];
  const shown = base === undefined ? undefined : shownBatch(base);
  const isNew = ({ from }: LiveFile) => from > (shown?.batch ?? 0);
  const merged = added.filter((file) => !isNew(file));
  const appended = new Set(added.filter(isNew));
  const isReplaced = shown?.generation === generation &&
    merged.every(({ to }) => to <= shown.batch) &&
    merged.reduce((sum, { rows }) => sum + rows, 0) ===
      removed.reduce((sum, { data_file }) => sum + data_file.record_count, 0);
  if (!isReplaced) return [{ operation: "overwrite", files }];
  const replace: Step = {
    operation: "replace",
    files: files.filter((file) => !appended.has(file)),
  };
  if (appended.size === 0) return [replace];
  const summary = base?.snapshots.at(-1)?.summary;
  const snapshotTime = summary?.[ABOUT.snapshotTime] ?? "";
  return [
    { ...replace, shows: { batch: shown.batch, snapshotTime } },
    { operation: "append", files },
  ];
}

/** Makes a snapshot: its manifests, its list of them and its summary. */
async function makeSnapshot(
  state: TableState,
  options: Step & {
    manifests: readonly Manifest[];
    parent: Snapshot | undefined;
    sequence: number;
    schema: TableSchema;
    time: number;
  },
): Promise<{
  snapshot: Snapshot;
  manifests: Manifest[];
  written: NextVersion["written"];
}> {
  const { zone, fields: { batchId }, key } = state;
  const { files, parent, sequence, schema, time } = options;
  const changes = await compareFiles(zone, options);
  const id = SNAPSHOT_IDS_AFTER + sequence;
  const manifests = nextManifests(zone, {
    files,
    changes,
    snapshot: {
      id,
      sequence,
      batchId,
      key,
      schema: { id: schema["schema-id"], json: JSON.stringify(schema) },
    },
  });
  const list = key(`snap${sequence}.avro`);
  const before = parent?.["snapshot-id"];
  return {
    manifests: manifests.map(({ content: _, ...manifest }) => manifest),
    written: [
      ...manifests.flatMap(({ file, content }) => {
        const path = keyOf(zone, file.manifest_path);
        return content === undefined || path === undefined
          ? []
          : [{ key: path, content }];
      }),
      {
        key: list,
        content: encodeManifestList(
          manifests.map(({ file }) => file),
          { id, parent: before, sequence },
        ),
      },
    ],
    snapshot: {
      "snapshot-id": id,
      ...before === undefined ? {} : { "parent-snapshot-id": before },
      "sequence-number": sequence,
      "timestamp-ms": time,
      "manifest-list": uriOf(zone, list),
      "schema-id": schema["schema-id"],
      summary: summaryOf(state, { ...options, changes }),
    },
  };
}

/** https://iceberg.apache.org/spec/#optional-snapshot-summary-fields */
function summaryOf(
  { newest, generation }: TableState,
  options: Step & { changes: FileChanges },
): Snapshot["summary"] {
  const { operation, files, shows = newest, changes: { added, removed } } =
    options;
  const rows = (some: readonly LiveFile[]) =>
    some.reduce((sum, file) => sum + file.rows, 0);
  const bytes = (some: readonly LiveFile[]) =>
    some.reduce((sum, file) => sum + file.bytes, 0);
  const gone = removed.map(({ data_file }) => data_file);
  return {
    operation,
    [ABOUT.batch]: String(shows.batch),
    [ABOUT.snapshotTime]: shows.snapshotTime,
    [ABOUT.generation]: generation,
    "added-data-files": String(added.length),
    "added-records": String(rows(added)),
    "added-files-size": String(bytes(added)),
    "deleted-data-files": String(gone.length),
    "deleted-records": String(
      gone.reduce((sum, file) => sum + file.record_count, 0),
    ),
    "removed-files-size": String(
      gone.reduce((sum, file) => sum + file.file_size_in_bytes, 0),
    ),
    "total-data-files": String(files.length),
    "total-records": String(rows(files)),
    "total-files-size": String(bytes(files)),
    "total-delete-files": "0",
    "total-position-deletes": "0",
    "total-equality-deletes": "0",
  };
}

/** The current snapshot, and those that were current not long ago. */
function keptSnapshots(snapshots: readonly Snapshot[]): Snapshot[] {
  const last = snapshots.at(-1);
  if (last === undefined) return [];
  const oldest = last["timestamp-ms"] - SNAPSHOT_HOURS_MAX * MS_PER_HOUR;
  return snapshots.slice(-SNAPSHOTS_MAX).filter((_, index, some) => {
    const next = some[index + 1];
    return next === undefined || next["timestamp-ms"] >= oldest;
  });
}
