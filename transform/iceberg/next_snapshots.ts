import type {
  LiveFile,
  ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import type { Column } from "../../lib/duckdb/data_files.ts";
import { encodeManifestList } from "../../lib/iceberg/manifest_files.ts";
import {
  type IcebergSnapshot,
  keyOf,
  type TableMetadata,
  type TableSchema,
  uriOf,
} from "../../lib/iceberg/table_metadata.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import {
  compareFiles,
  type FileChanges,
  type IcebergManifest,
  nextManifests,
} from "./table_files.ts";
import type { TableFields } from "./table_schema.ts";
import { sum } from "../../lib/batches/sum.ts";

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

/** A file to write before the version that names it. */
export interface NewFile {
  key: string;
  content: Uint8Array;
}

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

/** Snapshots that lead from a table's current one to its live files. */
interface NextSnapshots {
  made: IcebergSnapshot[];
  written: NewFile[];
  /** The last sequence number. */
  sequence: number;
}

/** Makes the snapshots that a table lacks; none where no file changed. */
export async function makeSnapshots(
  state: TableState,
  options: {
    /** The table's own metadata, if it has any yet. */
    base: TableMetadata | undefined;
    /** The manifests of its current snapshot. */
    manifests: readonly IcebergManifest[];
    changes: FileChanges;
    schema: TableSchema;
    /** The last number and time in the stored metadata, whosever they are. */
    last: { sequence: number; time: number };
  },
): Promise<NextSnapshots> {
  const { base, changes, schema, last } = options;
  const made: IcebergSnapshot[] = [];
  const written: NewFile[] = [];
  let { manifests } = options;
  let { sequence } = last;
  if (changes.added.length + changes.removed.length === 0) {
    return { made, written, sequence };
  }
  const time = Math.max(
    Date.parse(state.newest.committedAt),
    last.time + 1,
  );
  for (const step of stepsOf(state, { base, changes })) {
    sequence++;
    const next = await makeSnapshot(state, {
      ...step,
      manifests,
      parent: made.at(-1) ?? base?.snapshots.at(-1),
      sequence,
      schema,
      time: time + made.length,
    });
    made.push(next.snapshot);
    written.push(...next.written);
    ({ manifests } = next);
  }
  return { made, written, sequence };
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
    sum(merged, "rows") ===
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
    manifests: readonly IcebergManifest[];
    parent: IcebergSnapshot | undefined;
    sequence: number;
    schema: TableSchema;
    time: number;
  },
): Promise<{
  snapshot: IcebergSnapshot;
  manifests: IcebergManifest[];
  written: NewFile[];
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
): IcebergSnapshot["summary"] {
  const { operation, files, shows = newest, changes: { added, removed } } =
    options;
  const rows = (some: readonly LiveFile[]) => sum(some, "rows");
  const bytes = (some: readonly LiveFile[]) => sum(some, "bytes");
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
export function keptSnapshots(
  snapshots: readonly IcebergSnapshot[],
): IcebergSnapshot[] {
  const last = snapshots.at(-1);
  if (last === undefined) return [];
  const oldest = last["timestamp-ms"] - SNAPSHOT_HOURS_MAX * MS_PER_HOUR;
  return snapshots.slice(-SNAPSHOTS_MAX).filter((_, index, some) => {
    const next = some[index + 1];
    return next === undefined || next["timestamp-ms"] >= oldest;
  });
}
