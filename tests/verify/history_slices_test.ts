import assert from "node:assert/strict";
import { join } from "node:path";
import { type DuckDb, openDuckDb } from "../../lib/duckdb/duckdb.ts";
import { readConfig } from "../../lib/settings/config.ts";
import { openZone } from "../../lib/zone/zone.ts";
import { historySides } from "../../verify/compared_sides.ts";
import { WORK_CATALOGUE } from "../../verify/expectation.ts";
import { findDifferences } from "../../verify/find_differences.ts";
import { historySlices } from "../../verify/history_slices.ts";
import { keepRows } from "../../verify/kept_rows.ts";
import {
  ENDED_IN_LAKE,
  type ModelInLake,
  openInLake,
  readFromLake,
} from "../../verify/lake_rows.ts";
import {
  BEYOND_WAREHOUSE,
  ENDED_IN_WAREHOUSE,
  INEXACT,
  type ModelInWarehouse,
  OPEN_IN_WAREHOUSE,
} from "../../verify/warehouse_rows.ts";
import { inFolder } from "../harness/in_folder.ts";

const KEYS = 1000;
const BATCHES = 300;
const TEXTS = 8;
const TEXT_CHARACTERS = 40;

const MODEL: ModelInLake = {
  name: "fact_long",
  kind: "fact",
  derivation: "row",
  reads: [],
  key: ["id"],
  columns: [
    { name: "id", type: "INTEGER", isTime: false },
    ...Array.from({ length: TEXTS }, (_, index) => ({
      name: `text_${index}`,
      type: "VARCHAR",
      isTime: false,
    })),
  ],
};

const HELD: ModelInWarehouse = {
  model: MODEL,
  columns: MODEL.columns.map((column) => ({
    ...column,
    fits: true,
    isText: column.type === "VARCHAR",
    hasPrintedForm: false,
  })),
  differing: [],
  drops: false,
  views: [],
  files: undefined,
};

/** Runs a test with a DuckDB that may take this much memory, and spill none. */
function withDuckDb(
  memoryLimit: string,
  test: (duckdb: DuckDb, folder: string) => Promise<void>,
): Promise<void> {
  return inFolder(async (folder) => {
    const env: Record<string, string> = {
      PROCESSED_URL: folder,
      TEMP_DIRECTORY: join(folder, "temp"),
      DUCKDB_MEMORY_LIMIT: memoryLimit,
      DUCKDB_THREADS: "2",
    };
    const config = readConfig((name) => env[name], ["processed"]);
    await using duckdb = await openDuckDb(config, { zones: [folder] });
    // DuckDB would make a folder of this name.
    await Deno.writeTextFile(join(duckdb.tempDirectory, "spill"), "");
    await duckdb.run(
      `attach '${join(folder, "verify.duckdb")}' as ${WORK_CATALOGUE}`,
    );
    await test(duckdb, folder);
  });
}

Deno.test("verify compares a long history in the memory that its slices take", () =>
  withDuckDb("120MB", async (duckdb, folder) => {
    const texts = MODEL.columns.slice(1).map(({ name }, index) =>
      `rpad(md5(concat(batch, ' ', id + ${index})), ${TEXT_CHARACTERS}, 'x') as ${name}`
    );
    const [written] = await duckdb.rows(
      `copy (
        select cast(id as integer) as id, ${texts.join(", ")}, batch,
          timestamp '2024-11-04' + batch * interval '1 day' as snapshot_time,
          false as is_delete
        from range(${KEYS}) as ids(id), range(1, ${BATCHES + 1}) as n(batch)
      ) to '${
        join(folder, "long.parquet")
      }' (format parquet, row_group_size 20480)`,
    );
    const versions = Number(written?.Count);
    const zone = openZone(folder, { s3: undefined });
    await readFromLake(duckdb, {
      zone,
      batch: BATCHES,
      files: [{
        model: MODEL.name,
        from: 1,
        to: BATCHES,
        level: 2,
        key: "long.parquet",
        bytes: 0,
        rows: versions,
        sha256: "",
      }],
    }, MODEL);
    zone.close();
    await holdTheSame(duckdb);

    const slices = await historySlices(duckdb, { versionsMax: versions });
    const found = await findDifferences(duckdb, {
      ...historySides(HELD, []),
      slices,
    });

    assert.equal(versions, KEYS * BATCHES);
    assert.equal(found.rows, versions - KEYS);
    assert.deepEqual(found.firstKeys, [{ key: "[7, 250]", kind: "missing" }]);
    assert.equal(slices.length, 6);
  }));

Deno.test("keepRows() takes memory for a few rows, however long they are", () =>
  withDuckDb("180MB", async (duckdb, folder) => {
    const rows = 300;
    const path = join(folder, "long.csv");
    using file = await Deno.open(path, { write: true, createNew: true });
    for (let row = 0; row < rows; row++) {
      const line = `${String(row).padStart(1000, "x").repeat(1000)}\n`;
      await new Blob([line]).stream().pipeTo(file.writable, {
        preventClose: true,
      });
    }
    const view = `${WORK_CATALOGUE}.main.kept`;

    await keepRows(duckdb, {
      view,
      select: `from read_csv('${path}', columns = {'long_text': 'VARCHAR'},
        auto_detect = false, max_line_size = 2000000, buffer_size = 4000000)`,
    });

    const [kept] = await duckdb.rows(
      `select count(*) as rows, sum(length(long_text)) as length from ${view}`,
    );
    assert.deepEqual(kept, { rows: "300", length: "300000000" });
  }));

Deno.test("historySlices() gives each version to one slice, whatever batch it names", () =>
  withDuckDb("64MB", async (duckdb) => {
    await duckdb.run(
      `create view ${ENDED_IN_LAKE} as
      select unnest([1, 1, 2, 5, 9]) as from_batch
      union all select 3 from range(150_000)
      union all select 20 + n % 70_000 from range(600_000) as n(n)`,
    );
    await duckdb.run(
      `create view ${ENDED_IN_WAREHOUSE} as
      select unnest([0, null, 3, 4, 90_000]) as from_batch`,
    );

    const slices = await historySlices(duckdb, { versionsMax: 750_010 });

    const all = `(from ${ENDED_IN_LAKE} union all from ${ENDED_IN_WAREHOUSE}
      union all select unnest([-1, 100_000]))`;
    const sums = slices.map((slice) => `cast(${slice} as integer)`);
    const [outside] = await duckdb.rows(
      `select count(*) as rows from ${all} where ${sums.join(" + ")} <> 1`,
    );
    assert.equal(outside?.rows, "0");
    for (const slice of slices) {
      const [inside] = await duckdb.rows(
        `select count(*) as rows, count(distinct from_batch) as batches
        from ${all} where ${slice}`,
      );
      const isOne = inside?.batches === "1";
      assert.ok(isOne || Number(inside?.rows) <= 251_000, slice);
    }
  }));

Deno.test("historySlices() gives one for a short history, and at most 64 for a long one", () =>
  withDuckDb("64MB", async (duckdb) => {
    for (
      const { versions, slices } of [
        { versions: 0, slices: 1 },
        { versions: 99_999, slices: 1 },
        { versions: 199_999, slices: 2 },
        { versions: 20_000_000, slices: 64 },
      ]
    ) {
      await duckdb.run(
        `create or replace view ${ENDED_IN_LAKE} as
        select n // 1000 as from_batch from range(${versions}) as n(n)`,
      );
      await duckdb.run(
        `create or replace view ${ENDED_IN_WAREHOUSE} as
        from ${ENDED_IN_LAKE} where false`,
      );

      const found = await historySlices(duckdb, { versionsMax: versions });

      assert.equal(found.length, slices);
    }
  }));

/** Gives the warehouse the lake's versions, but for one. */
async function holdTheSame(duckdb: DuckDb): Promise<void> {
  const stamps = `batch as from_batch, null::bigint as to_batch,
    snapshot_time as valid_from, null::timestamp as valid_to`;
  const ended = `select *, false as ${INEXACT} from ${ENDED_IN_LAKE}`;
  await duckdb.run(
    `create view ${OPEN_IN_WAREHOUSE} as
    select * exclude (batch, snapshot_time, is_delete), ${stamps}
    from ${openInLake(MODEL)}`,
  );
  await duckdb.run(
    `create view ${ENDED_IN_WAREHOUSE} as
    ${ended} where id <> 7 or from_batch <> 250`,
  );
  await duckdb.run(`create view ${BEYOND_WAREHOUSE} as ${ended} where false`);
}
