import assert from "node:assert/strict";
import {
  createVersion,
  hintKey,
  readTableMetadata,
  type TableMetadata,
} from "../../../lib/iceberg/table_metadata.ts";
import { DirectoryZone } from "../../../lib/zone/directory_zone.ts";
import { changedZone } from "../../harness/changed_zone.ts";
import { inFolder } from "../../harness/in_folder.ts";

const METADATA: TableMetadata = {
  "format-version": 2,
  "table-uuid": "b6c8ca0e-9b0f-4b8c-8d5c-0c5f3d6a7e11",
  location: "file:///zone",
  "last-sequence-number": 0,
  "last-updated-ms": 0,
  "last-column-id": 0,
  schemas: [],
  "current-schema-id": 0,
  "partition-specs": [],
  "default-spec-id": 0,
  "last-partition-id": 999,
  "sort-orders": [],
  "default-sort-order-id": 0,
  properties: {},
  snapshots: [],
  "snapshot-log": [],
};

Deno.test("createVersion() keeps naming the newest version when another run came first", async () => {
  await inFolder(async (folder) => {
    const zone = new DirectoryZone(folder);
    const slow = changedZone(zone, {
      put: async (key, content, options) => {
        // Another run publishes the next version before this names its own.
        if (new TextDecoder().decode(content) === "1") {
          await createVersion(zone, "one", { version: 2, metadata: METADATA });
        }
        return await zone.put(key, content, options);
      },
    });

    await createVersion(slow, "one", { version: 1, metadata: METADATA });

    const hint = await zone.read(hintKey("one"));
    assert.equal(new TextDecoder().decode(hint?.bytes), "2");
    assert.equal((await readTableMetadata(zone, "one"))?.version, 2);
  });
});
