/**
 * `deno task bench:current [--keys 5000000] [--recent]`: makes a lake of one
 * model in which every key has two versions, from a first batch and from a
 * hundred small ones, with the code that merges and publishes. Measures queries
 * on `lake.duckdb` beside a plain scan of the same versions. With `--recent`,
 * only the newest twentieth of the keys gets other versions.
 */
import { emptyModelSql } from "../lib/models/empty_relation.ts";
import type { ModelColumn } from "../lib/models/model_column.ts";
import { DuckDBInstance } from "@duckdb/node-api";
import { getLogger } from "@logtape/logtape";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { TOTESYS } from "../demo/examples.ts";
import { BatchLog, dataKey } from "../lib/batches/batch_log.ts";
import {
  type LiveList,
  nextLiveFiles,
  ownFiles,
  readLiveList,
} from "../lib/batches/live_files.ts";
import type { LiveFile, ProcessedManifest } from "../lib/batches/manifest.ts";
import { columnsHash, readParquetSql } from "../lib/duckdb/data_files.ts";
import { type DuckDb, openDuckDb } from "../lib/duckdb/duckdb.ts";
import { STAMP_COLUMNS } from "../lib/duckdb/version_columns.ts";
import { versionIntervalsSql } from "../lib/duckdb/version_intervals.ts";
import { quoteNames, quoteText } from "../lib/sql/quote.ts";
import { type ProjectSql, readProjectSql } from "../lib/project/project_sql.ts";
import { type Config, readConfig } from "../lib/settings/config.ts";
import { createRunId } from "../lib/stage.ts";
import { openZone, type Zone } from "../lib/zone/zone.ts";
import { compact, compactionBounds } from "../transform/files/compact.ts";
import { dueMerges } from "../transform/files/due_merges.ts";
import { versionsSql } from "../transform/models/model_changes.ts";
import { publishLake } from "../transform/lake/publish_lake.ts";
import { registerModels } from "../lib/models/register_models.ts";
import { foundKeyRange, keyRangeSql } from "../transform/files/key_range.ts";
import { writeParquet } from "../transform/files/write_parquet.ts";

const { name: MODEL, orderKey: KEY, measure: MEASURE } = TOTESYS.fact;
/** Batches that each change a hundredth of the keys, after the first one. */
const CHANGES = 100;
/** The last batch, and from here on those around a merge of all files. */
const MEASURED_FROM = 80;
const LAST = CHANGES + 1;
const REPEATS = 3;
const FIRST_TIME = Date.UTC(2024, 0, 1);
const MS_PER_BATCH = 900_000;

const { values } = parseArgs({
  options: {
    keys: { type: "string", default: "5000000" },
    recent: { type: "boolean", default: false },
  },
});
const keys = Number(values.keys);
const RECENT = Math.floor(keys * 0.95);
const folder = await Deno.makeTempDir({ prefix: "totesys-bench-" });
try {
  await bench();
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function bench(): Promise<void> {
  const env: Record<string, string> = {
    PROCESSED_URL: join(folder, "processed"),
    TEMP_DIRECTORY: join(folder, "temp"),
  };
  const config = readConfig((name) => env[name], ["processed"]);
  const zone = openZone(config.processedUrl, { s3: undefined });
  const sql = readProjectSql(TOTESYS.sqlDirectory);
  await using duckdb = await openDuckDb(config, { zones: [zone.url] });
  const columns = await registerModels(duckdb, sql);
  const work = { config, duckdb, zone, sql, columns };
  console.log(
    "| batches | files | query | plain scan, CPU s | ranked | current | as of now | as of half | as of now's time |",
  );
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  let newest: ProcessedManifest | undefined;
  let wasDue = false;
  for (let batch = 1; batch <= LAST; batch++) {
    newest = await makeBatch(work, { batch, previous: newest });
    const batches = new BatchLog<ProcessedManifest>(zone, "transform");
    const { files } = await readLiveList(batches, newest);
    const isDue = dueMerges(files, compactionBounds({ config }))
      .some(({ length }) => length === files.length);
    const isMeasured = batch === LAST ||
      batch >= MEASURED_FROM && (isDue || wasDue);
    wasDue = isDue;
    if (isMeasured) await measure(work, { newest, files });
  }
}

interface Work {
  config: Config;
  duckdb: DuckDb;
  zone: Zone;
  sql: ProjectSql;
  columns: ReadonlyMap<string, readonly ModelColumn[]>;
}

/** Makes a batch's own file, merges files that are due, commits, publishes. */
async function makeBatch(
  work: Work,
  options: { batch: number; previous: ProcessedManifest | undefined },
): Promise<ProcessedManifest> {
  const { config, duckdb, zone, sql } = work;
  const { batch, previous } = options;
  const batches = new BatchLog<ProcessedManifest>(zone, "transform");
  const runId = createRunId(new Date());
  const snapshotTime = new Date(FIRST_TIME + batch * MS_PER_BATCH)
    .toISOString();
  const models = await writeModel(work, { batch, runId, snapshotTime });
  const before: LiveList = await readLiveList(batches, previous);
  const log = getLogger("bench");
  const merged = await compact({
    duckdb,
    zone,
    sql,
    batch,
    runId,
    bounds: compactionBounds({ config }),
    all: false,
    secondsLeft: () => Infinity,
    clock: () => new Date(),
    log,
    signal: new AbortController().signal,
  }, before.files);
  const { live } = await nextLiveFiles(zone, {
    batch,
    before,
    merged,
    own: ownFiles({ batch, models }),
    runId,
  });
  const manifest: ProcessedManifest = {
    format: 1,
    stage: "transform",
    batch,
    runId,
    lakeId: "bench",
    snapshotTime,
    committedAt: snapshotTime,
    engine: {},
    inputSha256: "",
    transformHash: sql.transformHash,
    state: {},
    quarantined: 0,
    models,
    live,
  };
  await batches.commit(manifest);
  await publishLake(duckdb, { ...work, batches, newest: manifest, log });
  return manifest;
}

async function writeModel(
  work: Work,
  stamp: { batch: number; runId: string; snapshotTime: string },
): Promise<ProcessedManifest["models"]> {
  const columns = work.columns.get(MODEL) ?? [];
  const { batch, runId, snapshotTime } = stamp;
  const file = await writeParquet(
    work.duckdb,
    versionsSql({ key: [KEY] }, {
      columns,
      changed: rowsSql(batch, columns),
      deleted: emptyModelSql(columns),
      stamp: { batch, snapshotTime },
    }),
    {
      zone: work.zone,
      key: dataKey(MODEL, { batch, runId, part: "1.parquet" }),
    },
  );
  if (file === undefined) return {};
  const [found] = await work.duckdb.rows(
    `select ${keyRangeSql([KEY], columns)} as range
    from ${readParquetSql(work.zone, [file])}`,
  );
  const ranged = { ...file, ...foundKeyRange(found?.range, [KEY]) };
  const hash = columnsHash([...columns, ...STAMP_COLUMNS]);
  return { [MODEL]: { files: [ranged], deletes: 0, columns: hash } };
}

/** SQL for a batch's rows: all keys in the first, each again in one other. */
function rowsSql(batch: number, columns: readonly ModelColumn[]): string {
  const chosen = batch === 1
    ? "true"
    : values.recent
    ? `number >= ${RECENT} and hash(number, ${batch}) % 5 = 0`
    : `hash(number, 0) % ${CHANGES} = ${batch - 2}`;
  const names = columns.map(({ name, type }, index) => {
    const value = name === KEY
      ? "number"
      : type === "DATE"
      ? `date '2022-01-01' + cast(number // ${
        Math.ceil(keys / 1000)
      } as integer)`
      : type === "VARCHAR"
      ? `'10:20:' || lpad(cast(hash(number, ${batch}) % 60 as varchar), 2, '0')`
      : `hash(number, ${index}, ${batch}) % 1000`;
    return `cast(${value} as ${type}) as "${name}"`;
  });
  return `select ${names.join(", ")} from range(${keys}) as numbers(number)
    where ${chosen}`;
}

/**
 * Prints the CPU seconds of a plain scan, and the others as multiples of it:
 * other work on the machine disturbs these less than wall time.
 */
async function measure(
  { zone, columns }: Work,
  lake: { newest: ProcessedManifest; files: readonly LiveFile[] },
): Promise<void> {
  const { newest, files } = lake;
  const instance = await DuckDBInstance.create(":memory:", { threads: "2" });
  const connection = await instance.connect();
  await connection.run(
    `attach ${quoteText(zone.locate("lake.duckdb"))} as lake (read_only)`,
  );
  const seconds = async (select: string, repeats = REPEATS) => {
    let least = Infinity;
    for (let repeat = 0; repeat < repeats; repeat++) {
      const before = process.cpuUsage();
      await connection.runAndReadAll(select);
      const { user, system } = process.cpuUsage(before);
      least = Math.min(least, (user + system) / 1e6);
    }
    return least;
  };
  const plain = readParquetSql(zone, files);
  const ranked = `(${versionIntervalsSql(plain, [KEY])})
    where to_batch is null and not is_delete`;
  const half = newest.batch >> 1;
  const wide = quoteNames(
    (columns.get(MODEL) ?? []).map(({ name }) => name)
      .filter((name) => !name.endsWith("_time")),
  );
  for (
    const { query, select } of [
      { query: "one column", select: `sum(${MEASURE})` },
      { query: "all columns", select: `sum(hash(${wide}))` },
    ]
  ) {
    const of = (relation: string) => `select ${select} from ${relation}`;
    const scan = await seconds(of(plain));
    const inLake = (suffix: string) => seconds(of(`lake.${MODEL}_${suffix}`));
    const others = [
      await seconds(of(ranked), 1),
      await inLake("current"),
      await inLake(`as_of_batch(${newest.batch})`),
      await inLake(`as_of_batch(${half})`),
      await inLake(`as_of_time('${newest.snapshotTime}')`),
    ].map((found) => (found / scan).toFixed(1));
    console.log(
      `| ${newest.batch} | ${files.length} | ${query} | ${
        [scan.toFixed(2), ...others].join(" | ")
      } |`,
    );
  }
  connection.closeSync();
  instance.closeSync();
}
