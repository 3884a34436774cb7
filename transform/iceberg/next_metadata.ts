import type { LiveFile } from "../../lib/batches/manifest.ts";
import {
  type IcebergSnapshot,
  type StoredTable,
  type TableMetadata,
  type TableSchema,
  uriOf,
} from "../../lib/iceberg/table_metadata.ts";
import {
  ABOUT,
  keptSnapshots,
  makeSnapshots,
  type NewFile,
  shownBatch,
  type TableState,
} from "./next_snapshots.ts";
import { compareFiles, readManifests } from "./table_files.ts";
import { nameMapping, type TableFields, widenFields } from "./table_schema.ts";

/** A version to commit, and the files to write before it. */
export interface NextVersion {
  metadata: TableMetadata;
  written: readonly NewFile[];
}

const NAME_MAPPING = "schema.name-mapping.default";
/** Neither partitioned nor sorted. */
const UNPARTITIONED = {
  "partition-specs": [{ "spec-id": 0, fields: [] }],
  "default-spec-id": 0,
  // Before the first number of a partition's field.
  "last-partition-id": 999,
  "sort-orders": [{ "order-id": 0, fields: [] }],
  "default-sort-order-id": 0,
} as const;

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
  const { zone, generation, files } = state;
  const base = ownMetadata(state, stored);
  const current = base?.snapshots.at(-1);
  const manifests = current === undefined
    ? []
    : await readManifests(zone, current["manifest-list"]);
  const changes = await compareFiles(zone, { manifests, files });
  const fields = await fieldsOf(state, { base, added: changes.added });
  const schema = schemaOf(fields, base?.schemas ?? []);
  if (
    base !== undefined && changes.added.length + changes.removed.length === 0 &&
    base["current-schema-id"] === schema["schema-id"] &&
    shownBatch(base).generation === generation
  ) return undefined;
  const last = {
    sequence: stored?.metadata?.["last-sequence-number"] ?? 0,
    time: stored?.metadata?.["last-updated-ms"] ?? 0,
  };
  const { made, written, sequence } = await makeSnapshots(state, {
    base,
    manifests,
    changes,
    schema,
    last,
  });
  const metadata = metadataOf(state, {
    base,
    fields,
    schema,
    snapshots: keptSnapshots([...base?.snapshots ?? [], ...made]),
    last: { sequence, time: last.time },
  });
  return { metadata, written };
}

/** The metadata of a table with these snapshots, the current one last. */
function metadataOf(
  state: TableState,
  options: {
    base: TableMetadata | undefined;
    fields: TableFields;
    schema: TableSchema;
    snapshots: IcebergSnapshot[];
    last: { sequence: number; time: number };
  },
): TableMetadata {
  const { newest, generation } = state;
  const { base, fields: { fields }, schema, snapshots, last } = options;
  const used = new Set(snapshots.map((snapshot) => snapshot["schema-id"]));
  const current = snapshots.at(-1);
  return {
    "format-version": 2,
    "table-uuid": base?.["table-uuid"] ?? crypto.randomUUID(),
    location: locationOf(state),
    "last-sequence-number": last.sequence,
    "last-updated-ms": Math.max(
      current?.["timestamp-ms"] ?? Date.parse(newest.committedAt),
      last.time,
    ),
    "last-column-id": Math.max(
      base?.["last-column-id"] ?? 0,
      ...fields.map(({ id }) => id),
    ),
    schemas: [
      ...(base?.schemas ?? []).filter((one) =>
        one["schema-id"] !== schema["schema-id"] && used.has(one["schema-id"])
      ),
      schema,
    ],
    "current-schema-id": schema["schema-id"],
    ...UNPARTITIONED,
    properties: {
      [NAME_MAPPING]: nameMapping(fields, base?.properties[NAME_MAPPING]),
      // Only transform and sweep may remove files.
      "gc.enabled": "false",
      [ABOUT.lakeId]: newest.lakeId,
      [ABOUT.generation]: generation,
      [ABOUT.batch]: String(newest.batch),
    },
    ...current === undefined ? {} : {
      "current-snapshot-id": current["snapshot-id"],
      refs: {
        main: { "snapshot-id": current["snapshot-id"], type: "branch" },
      },
    },
    snapshots,
    "snapshot-log": snapshots.map((snapshot) => ({
      "timestamp-ms": snapshot["timestamp-ms"],
      "snapshot-id": snapshot["snapshot-id"],
    })),
  };
}

/** Where the table is. */
function locationOf({ zone, key }: TableState): string {
  return uriOf(zone, key("").replace(/\/metadata\/.*$/, ""));
}

/** The stored metadata if its snapshots are of this lake, at this place. */
function ownMetadata(
  state: TableState,
  stored: StoredTable | undefined,
): TableMetadata | undefined {
  const metadata = stored?.metadata;
  const isOwn = metadata?.location === locationOf(state) &&
    metadata.properties[ABOUT.lakeId] === state.newest.lakeId;
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
