import assert from "node:assert/strict";
import { decodeAvro } from "../../../lib/iceberg/avro.ts";
import {
  encodeManifestFile,
  encodeManifestList,
  STATUS,
} from "../../../lib/iceberg/manifest_files.ts";

Deno.test("a manifest list has the summaries that Trino's $manifests counts", () => {
  const list = encodeManifestList([{
    manifest_path: "file:///zone/m1.avro",
    manifest_length: 1,
    partition_spec_id: 0,
    content: 0,
    sequence_number: 1,
    min_sequence_number: 1,
    added_snapshot_id: 1,
    added_files_count: 1,
    existing_files_count: 0,
    deleted_files_count: 0,
    added_rows_count: 1,
    existing_rows_count: 0,
    deleted_rows_count: 0,
    partitions: [],
  }], { id: 1, parent: undefined, sequence: 1 });

  assert.deepEqual(decodeAvro(list).records[0]?.partitions, []);
});

Deno.test("a manifest has the sort orders that Trino's $entries shows", () => {
  const manifest = encodeManifestFile([{
    status: STATUS.added,
    snapshot_id: 1,
    sequence_number: 1,
    file_sequence_number: 1,
    data_file: {
      content: 0,
      file_path: "file:///zone/one.parquet",
      file_format: "PARQUET",
      partition: {},
      record_count: 1,
      file_size_in_bytes: 1,
      lower_bounds: [],
      upper_bounds: [],
      sort_order_id: 0,
    },
  }], { schema: "{}", schemaId: 0 });

  assert.equal(
    JSON.stringify(decodeAvro(manifest).records[0]).match(/"sort_order_id":0/)
      ?.length,
    1,
  );
});
