/**
 * Iceberg's manifests and manifest lists, version 2 of the format, for tables
 * without partitions and without delete files. The names and numbers of the
 * fields are those of https://iceberg.apache.org/spec/#manifests and
 * https://iceberg.apache.org/spec/#manifest-lists; optional fields that nothing
 * here writes are left out, but for
 * `partitions` and `sort_order_id`, which Trino wants.
 */
import {
  type AvroRecord,
  type AvroRecordSchema,
  decodeAvro,
  encodeAvro,
} from "./avro.ts";

/** What became of a file in the snapshot that wrote the entry. */
export const STATUS = { existing: 0, added: 1, deleted: 2 } as const;

/** A data file in a manifest. */
export interface ManifestEntry extends AvroRecord {
  status: number;
  /** The snapshot that added the file, or deleted it. */
  snapshot_id: number;
  sequence_number: number;
  file_sequence_number: number;
  data_file: IcebergDataFile;
}

/** A Parquet file of a table. */
export interface IcebergDataFile extends AvroRecord {
  /** 0: data. */
  content: number;
  file_path: string;
  file_format: string;
  partition: AvroRecord;
  record_count: number;
  file_size_in_bytes: number;
  lower_bounds: readonly Bound[];
  upper_bounds: readonly Bound[];
  /** 0: unsorted. */
  sort_order_id: number;
}

/** The least or the largest value of a field, in Iceberg's binary form. */
export interface Bound extends AvroRecord {
  key: number;
  value: Uint8Array;
}

/** A manifest in a manifest list. */
export interface ManifestFile extends AvroRecord {
  manifest_path: string;
  manifest_length: number;
  partition_spec_id: number;
  /** 0: data. */
  content: number;
  sequence_number: number;
  min_sequence_number: number;
  added_snapshot_id: number;
  added_files_count: number;
  existing_files_count: number;
  deleted_files_count: number;
  added_rows_count: number;
  existing_rows_count: number;
  deleted_rows_count: number;
  /** One for each of the partition's fields, so none. */
  partitions: readonly [];
}

const MANIFEST_LIST: AvroRecordSchema = {
  type: "record",
  name: "manifest_file",
  fields: [
    { name: "manifest_path", type: "string", "field-id": 500 },
    { name: "manifest_length", type: "long", "field-id": 501 },
    { name: "partition_spec_id", type: "int", "field-id": 502 },
    { name: "content", type: "int", "field-id": 517 },
    { name: "sequence_number", type: "long", "field-id": 515 },
    { name: "min_sequence_number", type: "long", "field-id": 516 },
    { name: "added_snapshot_id", type: "long", "field-id": 503 },
    { name: "added_files_count", type: "int", "field-id": 504 },
    { name: "existing_files_count", type: "int", "field-id": 505 },
    { name: "deleted_files_count", type: "int", "field-id": 506 },
    { name: "added_rows_count", type: "long", "field-id": 512 },
    { name: "existing_rows_count", type: "long", "field-id": 513 },
    { name: "deleted_rows_count", type: "long", "field-id": 514 },
    {
      name: "partitions",
      "field-id": 507,
      default: null,
      type: ["null", {
        type: "array",
        "element-id": 508,
        items: {
          type: "record",
          name: "r508",
          fields: [
            { name: "contains_null", type: "boolean", "field-id": 509 },
            {
              name: "contains_nan",
              type: ["null", "boolean"],
              default: null,
              "field-id": 518,
            },
            {
              name: "lower_bound",
              type: ["null", "bytes"],
              default: null,
              "field-id": 510,
            },
            {
              name: "upper_bound",
              type: ["null", "bytes"],
              default: null,
              "field-id": 511,
            },
          ],
        },
      }],
    },
  ],
};

const MANIFEST: AvroRecordSchema = {
  type: "record",
  name: "manifest_entry",
  fields: [
    { name: "status", type: "int", "field-id": 0 },
    {
      name: "snapshot_id",
      type: ["null", "long"],
      default: null,
      "field-id": 1,
    },
    {
      name: "sequence_number",
      type: ["null", "long"],
      default: null,
      "field-id": 3,
    },
    {
      name: "file_sequence_number",
      type: ["null", "long"],
      default: null,
      "field-id": 4,
    },
    {
      name: "data_file",
      "field-id": 2,
      type: {
        type: "record",
        name: "r2",
        fields: [
          { name: "content", type: "int", "field-id": 134 },
          { name: "file_path", type: "string", "field-id": 100 },
          { name: "file_format", type: "string", "field-id": 101 },
          {
            name: "partition",
            type: { type: "record", name: "r102", fields: [] },
            "field-id": 102,
          },
          { name: "record_count", type: "long", "field-id": 103 },
          { name: "file_size_in_bytes", type: "long", "field-id": 104 },
          boundsField({ name: "lower_bounds", id: 125, key: 126, value: 127 }),
          boundsField({ name: "upper_bounds", id: 128, key: 129, value: 130 }),
          {
            name: "sort_order_id",
            type: ["null", "int"],
            default: null,
            "field-id": 140,
          },
        ],
      },
    },
  ],
};

/** Encodes a manifest of a table with this schema, given as JSON. */
export function encodeManifestFile(
  entries: readonly ManifestEntry[],
  { schema, schemaId }: { schema: string; schemaId: number },
): Uint8Array<ArrayBuffer> {
  return encodeAvro(MANIFEST, {
    records: entries,
    metadata: {
      schema,
      "schema-id": String(schemaId),
      "partition-spec": "[]",
      "partition-spec-id": "0",
      "format-version": "2",
      content: "data",
    },
  });
}

/** Encodes the list of a snapshot's manifests. */
export function encodeManifestList(
  manifests: readonly ManifestFile[],
  snapshot: { id: number; parent: number | undefined; sequence: number },
): Uint8Array<ArrayBuffer> {
  const { id, parent, sequence } = snapshot;
  return encodeAvro(MANIFEST_LIST, {
    records: manifests,
    metadata: {
      "snapshot-id": String(id),
      "parent-snapshot-id": parent === undefined ? "null" : String(parent),
      "sequence-number": String(sequence),
      "format-version": "2",
    },
  });
}

/** Decodes a manifest that this project wrote; throws if it is another's. */
export function decodeManifestFile(bytes: Uint8Array): ManifestEntry[] {
  return decodeOwn<ManifestEntry>(bytes, MANIFEST);
}

/** Decodes a manifest list that this project wrote; throws likewise. */
export function decodeManifestList(bytes: Uint8Array): ManifestFile[] {
  return decodeOwn<ManifestFile>(bytes, MANIFEST_LIST);
}

/** The files that a manifest's entries leave in the table. */
export function liveEntries(
  entries: readonly ManifestEntry[],
): ManifestEntry[] {
  return entries.filter(({ status }) => status !== STATUS.deleted);
}

/** The schema decides which fields the records have. */
function decodeOwn<Row extends AvroRecord>(
  bytes: Uint8Array,
  schema: AvroRecordSchema,
): Row[] {
  const { metadata, records } = decodeAvro(bytes);
  if (metadata["avro.schema"] !== JSON.stringify(schema)) {
    throw new Error("it was written by other software, or by another version");
  }
  return records as Row[];
}

function boundsField(
  field: { name: string; id: number; key: number; value: number },
): AvroRecordSchema["fields"][number] {
  const { name, id, key, value } = field;
  return {
    name,
    "field-id": id,
    default: null,
    type: ["null", {
      type: "array",
      logicalType: "map",
      items: {
        type: "record",
        name: `k${key}_v${value}`,
        fields: [
          { name: "key", type: "int", "field-id": key },
          { name: "value", type: "bytes", "field-id": value },
        ],
      },
    }],
  };
}
