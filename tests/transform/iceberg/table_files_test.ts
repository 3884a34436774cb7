import { getLogger } from "@logtape/logtape";
import assert from "node:assert/strict";
import { BatchLog } from "../../../lib/batches/batch_log.ts";
import type {
  LiveFile,
  ProcessedManifest,
} from "../../../lib/batches/manifest.ts";
import { columnsHash } from "../../../lib/duckdb/data_files.ts";
import { STAMP_COLUMNS } from "../../../lib/duckdb/version_columns.ts";
import { shortChecksum } from "../../../lib/zone/checksum.ts";
import { DirectoryZone } from "../../../lib/zone/directory_zone.ts";
import type { Zone } from "../../../lib/zone/zone.ts";
import { dueMerges } from "../../../transform/files/due_merges.ts";
import { publishTables } from "../../../transform/iceberg/publish_tables.ts";
import { changedZone } from "../../harness/changed_zone.ts";
import {
  openDuckDbReader,
  openPyiceberg,
} from "../../harness/readers/iceberg_readers.ts";
import { inFolder } from "../../harness/in_folder.ts";
import { emptyManifest } from "../../harness/manifests.ts";
import { openPlatform, PROJECT_SQL } from "../../harness/platform.ts";
import { writeParquet } from "../../../transform/files/write_parquet.ts";
import { type DuckDb, openDuckDb } from "../../../lib/duckdb/duckdb.ts";

const MODEL = "dim_design";
const SQL = {
  models: PROJECT_SQL.models.filter(({ name }) => name === MODEL),
};
const COLUMNS = new Map([[MODEL, [{ name: "design_id", type: "INTEGER" }]]]);
const BATCHES = 1200;

Deno.test("a batch's Iceberg metadata costs the same after many batches", async (test) => {
  await using platform = await openPlatform();
  await using reader = await openDuckDb(platform.config, { zones: [] });
  for (
    const { name, merges, manifestsMax } of [
      { name: "files are merged", merges: true, manifestsMax: 2 },
      {
        name: "files are too large to merge",
        merges: false,
        manifestsMax: BATCHES / 32 + 1,
      },
    ]
  ) {
    await test.step(name, () =>
      inFolder(async (folder) => {
        const calls: { key: string; bytes: number }[] = [];
        const zone = counted(new DirectoryZone(folder), calls);
        let files: LiveFile[] = [];
        const costs: { calls: number; bytes: number }[] = [];
        for (let batch = 1; batch <= BATCHES; batch++) {
          if (merges) files = merged(files);
          files.push(fileOf(batch, batch, 0));
          calls.length = 0;
          await publish(zone, { batch, files, duckdb: reader });
          costs.push({
            calls: calls.length,
            bytes: calls.reduce((sum, { bytes }) => sum + bytes, 0),
          });
        }
        const worst = (from: number, to: number) => {
          const some = costs.slice(from, to);
          return {
            calls: Math.max(...some.map(({ calls }) => calls)),
            bytes: Math.max(...some.map(({ bytes }) => bytes)),
          };
        };
        const [early, late] = [worst(100, 300), worst(BATCHES - 200, BATCHES)];

        assert.ok(late.calls <= early.calls + 1, `${late.calls} calls`);
        assert.ok(late.bytes <= early.bytes * 1.5, `${late.bytes} bytes`);
        await using duckdb = await openDuckDbReader(undefined);
        const found = await duckdb.connection.runAndReadAll(
          `select count(distinct manifest_path) as manifests,
            sum(record_count)::integer as rows
          from iceberg_metadata('${folder}/_iceberg/${MODEL}')
          where status <> 'DELETED'`,
        );
        const [row] = found.getRowObjectsJson();
        assert.equal(row?.rows, BATCHES);
        assert.ok(
          Number(row?.manifests) <= manifestsMax,
          String(row?.manifests),
        );
      }));
  }
});

Deno.test("an Iceberg table reads files without field ids by their columns' names", async () => {
  await using platform = await openPlatform();
  const { config } = platform;
  const zone = new DirectoryZone(config.processedUrl);
  const select = (id: number, rest: string) =>
    `select ${id} as design_id, ${id}::bigint as batch, false as is_delete,
      timestamp '2024-01-01' as snapshot_time ${rest}`;
  const holds = `, 5::bigint as holds_until_batch,
    'infinity'::timestamp as holds_until_time`;
  const files: LiveFile[] = [];
  {
    await using duckdb = await openDuckDb(config, { zones: [zone.url] });
    for (const [batch, rest] of [[1, holds], [2, ""]] as const) {
      const key = `${MODEL}/batch=00000000${batch}/old.parquet`;
      const file = await writeParquet(duckdb, select(batch, rest), {
        zone,
        key,
      });
      assert.ok(file !== undefined);
      const { columns: _, ...listed } = fileOf(batch, batch, 0);
      files.push({ ...listed, ...file });
    }
    await publish(zone, { batch: 2, files, duckdb });
  }
  await using duckdb = await openDuckDbReader(undefined);
  const pyiceberg = await openPyiceberg(undefined);

  for (
    const reader of [duckdb, ...pyiceberg === undefined ? [] : [pyiceberg]]
  ) {
    const rows = await reader.rows(`${config.processedUrl}/_iceberg/${MODEL}`);
    assert.deepEqual(rows.map((row) => JSON.parse(row).design_id), ["1", "2"]);
  }
});

/** A live file that holds one row for each of its batches. */
function fileOf(from: number, to: number, level: number): LiveFile {
  const name = `${from}-${to}`;
  return {
    model: MODEL,
    from,
    to,
    level,
    key: `${MODEL}/batch=${String(to).padStart(9, "0")}/${name}.parquet`,
    rows: to - from + 1,
    bytes: 1000,
    sha256: shortChecksum(new TextEncoder().encode(name)),
    columns: columnsHash([...COLUMNS.get(MODEL) ?? [], ...STAMP_COLUMNS]),
  };
}

/** The files after the merges that are due. */
function merged(files: LiveFile[]): LiveFile[] {
  const due = dueMerges(files, {
    fanOut: 10,
    bytesMax: Infinity,
    laterRowsMin: Infinity,
  });
  const gone = new Set(due.flat());
  const made = due.map((some) =>
    fileOf(some[0]?.from ?? 0, some.at(-1)?.to ?? 0, (some[0]?.level ?? 0) + 1)
  );
  return [...files.filter((file) => !gone.has(file)), ...made]
    .toSorted((one, other) => one.from - other.from);
}

async function publish(
  zone: Zone,
  { batch, files, duckdb }: {
    batch: number;
    files: readonly LiveFile[];
    duckdb: DuckDb;
  },
): Promise<void> {
  const time = new Date(Date.UTC(2024, 0, 1) + batch * 900_000).toISOString();
  const rows = files.reduce((sum, file) => sum + file.rows, 0);
  await publishTables({
    duckdb,
    batches: new BatchLog<ProcessedManifest>(zone, "transform"),
    newest: {
      ...emptyManifest(batch, "run"),
      committedAt: time,
      snapshotTime: time,
      live: { added: [...files], removed: [], rows: { [MODEL]: rows } },
    },
    sql: SQL,
    columns: COLUMNS,
    newRunId: () => crypto.randomUUID(),
    log: getLogger("totesys"),
  });
}

/** Notes each request to a zone, with its bytes. */
function counted(
  zone: Zone,
  calls: { key: string; bytes: number }[],
): Zone {
  return changedZone(zone, {
    read: async (key) => {
      const stored = await zone.read(key);
      calls.push({ key, bytes: stored?.bytes.length ?? 0 });
      return stored;
    },
    create: async (key, content) => {
      calls.push({ key, bytes: content.length });
      return await zone.create(key, content);
    },
    put: async (key, content, options) => {
      calls.push({ key, bytes: content.length });
      return await zone.put(key, content, options);
    },
  });
}
