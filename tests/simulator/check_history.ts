import assert from "node:assert/strict";
import { BatchLog } from "../../lib/batches/batch_log.ts";
import { readLiveFiles } from "../../lib/batches/live_files.ts";
import type {
  DataFile,
  IngestionManifest,
  Manifest,
  ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import { checkFiles } from "../../lib/batches/check_files.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { openStageZone } from "../../lib/stage.ts";
import {
  assertNothingTwice,
  assertSame,
  assertSameHistories,
  lakeHistory,
  lakeState,
  openLake,
  type State,
  unreadableKeys,
  warehouseHistory,
  warehouseState,
} from "../harness/readers/oracle.ts";
import type { Platform } from "../harness/platform.ts";
import { csvRecords } from "./csv_records.ts";
import type { Truth } from "./truth.ts";

/** A little more than extract lets clocks be apart. */
const SKEW_MS_MAX = 6 * 60_000;
/** Values at the end of a version: its interval, in times and in batches. */
const INTERVAL_VALUES = 4;

/**
 * Checks everything that is promised of a finished history. Throws an
 * assertion error that says what does not hold.
 */
export async function checkHistory(
  platform: Platform,
  options: {
    truth: Truth;
    lastBatch: number;
    spotBatch: number;
    /** Whether extract looks at clocks, so that no time is far from it. */
    hasTime?: boolean;
    /** Whether files of older batches may be gone that were merged. */
    isSwept?: boolean;
  },
): Promise<void> {
  const { truth, lastBatch, spotBatch } = options;
  const ingested = await checkZone<IngestionManifest>(platform, {
    zone: "ingestion",
    stage: "extract",
    lastBatch,
    files: (manifest) =>
      Object.values(manifest.tables)
        .flatMap((table) => [...table.rows, ...table.deletes]),
    kept: (manifest) =>
      Object.values(manifest.tables).flatMap((table) => table.digest.files),
  });
  if (options.hasTime === true) checkTimes(ingested, truth);
  await checkZone<ProcessedManifest>(platform, {
    zone: "processed",
    stage: "transform",
    lastBatch,
    files: (manifest) =>
      Object.values(manifest.models).flatMap((model) => model.files),
    kept: (manifest) => Object.values(manifest.state),
    ...options.isSwept === true ? { needed: neededFiles } : {},
  });
  await checkNothingTwice(platform, ingested);
  const { company } = truth;
  await using lake = await openLake(platform);
  const history = await warehouseHistory(platform, company);
  assertSameHistories(await lakeHistory(lake, company), history);
  await assertNothingTwice(lake, company);
  await checkAsOf(history, { truth, ingested });
  await checkViews(platform, { lake, truth, lastBatch, spotBatch, ingested });
}

/** No batch is of a time that was not yet, or long ago. */
function checkTimes(
  manifests: readonly IngestionManifest[],
  truth: Truth,
): void {
  for (const { batch, snapshotTime } of manifests) {
    const ahead = truth.aheadMs(snapshotTime);
    assert.ok(
      Math.abs(ahead) < SKEW_MS_MAX,
      `batch ${batch} is of ${snapshotTime}, ${ahead} ms from then`,
    );
  }
}

/** Every batch is there, and every file of it as its manifest says. */
async function checkZone<M extends Manifest>(
  platform: Platform,
  options: {
    zone: "ingestion" | "processed";
    stage: M["stage"];
    lastBatch: number;
    /** Those that the batch brought. */
    files: (manifest: M) => DataFile[];
    /** Those that it needs, of its own run or of an earlier batch's. */
    kept: (manifest: M) => DataFile[];
    /** Those that must be there still; left out: all. */
    needed?: (log: BatchLog<M>) => Promise<DataFile[]>;
  },
): Promise<M[]> {
  const zone = openStageZone(platform.context, options.zone);
  try {
    const log = new BatchLog<M>(zone, options.stage);
    const manifests: M[] = [];
    const runs: string[] = [];
    const known = new Set<string>();
    const needed = await options.needed?.(log);
    const keys = needed && new Set(needed.map(({ key }) => key));
    await checkFiles(zone, needed ?? []);
    for (let batch = 1; batch <= options.lastBatch; batch++) {
      const manifest = await log.read(batch);
      const { runId } = manifest;
      runs.push(runId);
      const files = options.files(manifest);
      const kept = options.kept(manifest);
      for (const { key } of files) {
        assert.ok(key.includes(runId), `${key} of ${runId}`);
      }
      for (const { key } of kept) {
        const isOfBatch = runs.some((run) => key.includes(run));
        assert.ok(isOfBatch, `${key}, which batch ${batch} needs, of no batch`);
      }
      const unread = [...files, ...kept]
        .filter((file) => !known.has(JSON.stringify(file)))
        .filter(({ key }) => keys?.has(key) ?? true);
      await checkFiles(zone, unread);
      for (const file of unread) known.add(JSON.stringify(file));
      manifests.push(manifest);
    }
    assert.equal(await log.find(options.lastBatch + 1), undefined);
    return manifests;
  } finally {
    zone.close();
  }
}

/** What the newest batch of the lake lists and needs. */
async function neededFiles(
  log: BatchLog<ProcessedManifest>,
): Promise<DataFile[]> {
  const newest = await log.newest();
  return [
    ...await readLiveFiles(log, newest),
    ...Object.values(newest?.state ?? {}),
  ];
}

/** No incremental read holds a row as an earlier batch held it. */
async function checkNothingTwice(
  platform: Platform,
  manifests: readonly IngestionManifest[],
): Promise<void> {
  const zone = openStageZone(platform.context, "ingestion");
  const known = new Map<string, number>();
  try {
    for (const { batch, tables } of manifests) {
      for (const [table, { rows, fullRead }] of Object.entries(tables)) {
        for (const { key } of rows) {
          const { bytes } = await zone.read(key) ?? { bytes: new Uint8Array() };
          for (const record of csvRecords(new TextDecoder().decode(bytes))) {
            const version = `${table}: ${record}`;
            const before = known.get(version);
            if (fullRead === undefined && before !== undefined) {
              assert.fail(`batches ${before} and ${batch} hold ${version}`);
            }
            known.set(version, batch);
          }
        }
      }
    }
  } finally {
    zone.close();
  }
}

/**
 * As of each batch, the versions that hold are the source's content then, and
 * the rows in quarantine are those that can't be read, all of them.
 */
async function checkAsOf(
  history: State,
  options: { truth: Truth; ingested: readonly IngestionManifest[] },
): Promise<void> {
  const { truth, ingested } = options;
  const times = new Map(
    ingested.map(({ batch, snapshotTime }) => [batch, bareTime(snapshotTime)]),
  );
  const held = new Map<number, State>();
  for (const [model, rows] of Object.entries(history)) {
    for (const row of rows) {
      const values: (string | null)[] = JSON.parse(row);
      const [validFrom, validTo, from, to] = values.slice(-INTERVAL_VALUES);
      const last = to === null ? ingested.length : Number(to) - 1;
      assert.ok(last >= Number(from), `an empty interval in ${model}: ${row}`);
      assert.equal(validFrom, times.get(Number(from)), `${model}: ${row}`);
      assert.equal(
        validTo,
        to === null ? null : times.get(Number(to)),
        `${model}: ${row}`,
      );
      const content = JSON.stringify(values.slice(0, -INTERVAL_VALUES));
      for (let batch = Number(from); batch <= last; batch++) {
        const state = held.get(batch) ?? {};
        held.set(batch, state);
        (state[model] ??= []).push(content);
      }
    }
  }
  for (const { batch } of ingested) {
    const { quarantine = [], ...state } = held.get(batch) ?? {};
    for (const rows of Object.values(state)) rows.sort();
    assertSame(state, await truth.expected(batch), `as of batch ${batch}`);
    assert.deepEqual(
      quarantinedKeys(quarantine),
      unreadableKeys(await truth.source(batch), truth.company).sort(),
      `as of batch ${batch}: quarantine`,
    );
  }
}

function quarantinedKeys(quarantine: readonly string[]): string[] {
  return quarantine.map((row) => JSON.parse(row))
    .map(([table, key]) => `${table} ${key}`).sort();
}

/** What analysts ask says what the versions say: now, and as of one batch. */
async function checkViews(
  platform: Platform,
  options: {
    lake: DuckDb;
    truth: Truth;
    lastBatch: number;
    spotBatch: number;
    ingested: readonly IngestionManifest[];
  },
): Promise<void> {
  const { lake, truth, lastBatch, spotBatch: batch, ingested } = options;
  const now = await truth.expected(lastBatch);
  const { company } = truth;
  assertSame(await warehouseState(platform, { company }), now, "warehouse now");
  assertSame(await lakeState(lake, { company }), now, "lake now");
  const then = await truth.expected(batch);
  const time = ingested[batch - 1]?.snapshotTime ?? "";
  const what = `as of batch ${batch}`;
  assertSame(await warehouseState(platform, { batch, company }), then, what);
  assertSame(
    await warehouseState(platform, { time, company }),
    then,
    `${what} by time`,
  );
  assertSame(await lakeState(lake, { batch, company }), then, `lake ${what}`);
  assertSame(
    await lakeState(lake, { time: time.replace("Z", ""), company }),
    then,
    `lake ${what} by time`,
  );
}

/** No stage has left a connection or a file of its own behind. */
export async function checkNothingLeft(platform: Platform): Promise<void> {
  for (const { client } of [platform.source, platform.warehouse]) {
    const sessions = await query(
      client,
      `select application_name, state, query from pg_stat_activity
      where datname = current_database() and application_name ~ '^totesys '`,
    );
    assert.deepEqual(sessions, [], "connections that were left open");
  }
  const { tempDirectory } = platform.config;
  const left = await Array.fromAsync(Deno.readDir(tempDirectory));
  assert.deepEqual(left, [], "temporary files that were left");
}

function bareTime(snapshotTime: string): string {
  // As both engines write a timestamp: trailing zeros left out.
  return snapshotTime.replace("T", " ").replace("Z", "")
    .replace(/\.?0+$/, "");
}
