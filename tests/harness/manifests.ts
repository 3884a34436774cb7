import { BatchLog, manifestKey } from "../../lib/batches/batch_log.ts";
import { readLiveFiles } from "../../lib/batches/live_files.ts";
import {
  type IngestionManifest,
  type LiveFile,
  type ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import { readParquetSql } from "../../lib/duckdb/data_files.ts";
import { openDuckDb } from "../../lib/duckdb/duckdb.ts";
import { quoteText } from "../../lib/sql/quote.ts";
import { sha256OfStream } from "../../lib/zone/checksum.ts";
import { openZone, type Zone } from "../../lib/zone/zone.ts";
import type { Platform } from "./platform.ts";
import { encodeManifest } from "../../lib/batches/encode_manifest.ts";

/** A batch of the processed zone that holds nothing, for tests of the log. */
export function emptyManifest(
  batch: number,
  runId: string,
): ProcessedManifest {
  return {
    format: 1,
    stage: "transform",
    batch,
    runId,
    lakeId: "lake",
    snapshotTime: "",
    committedAt: "",
    engine: {},
    inputSha256: "",
    transformHash: "",
    models: {},
    state: {},
    quarantined: 0,
  };
}

/** A batch as the ingestion zone has it. */
export async function ingestionManifest(
  { config }: Platform,
  batch: number,
): Promise<IngestionManifest> {
  const zone = openZone(config.ingestionUrl, { s3: config.s3 });
  try {
    return await new BatchLog<IngestionManifest>(zone, "extract").read(batch);
  } finally {
    zone.close();
  }
}

/** A batch as the processed zone has it. */
export async function processedManifest(
  { config }: Platform,
  batch: number,
): Promise<ProcessedManifest> {
  const zone = openZone(config.processedUrl, { s3: config.s3 });
  try {
    return await new BatchLog<ProcessedManifest>(zone, "transform").read(batch);
  } finally {
    zone.close();
  }
}

/** The live files of a batch; of the newest, if it is not said. */
export async function liveFiles(
  { config }: Platform,
  manifest?: ProcessedManifest,
): Promise<readonly LiveFile[]> {
  const zone = openZone(config.processedUrl, { s3: config.s3 });
  try {
    const log = new BatchLog<ProcessedManifest>(zone, "transform");
    return await readLiveFiles(log, manifest ?? await log.newest());
  } finally {
    zone.close();
  }
}

/** Rows and deletes that a batch shipped, by table; others are left out. */
export async function shipped(
  platform: Platform,
  batch: number,
): Promise<Record<string, [rows: number, deletes: number]>> {
  const { tables } = await ingestionManifest(platform, batch);
  const sum = (files: { rows: number }[]) =>
    files.reduce((total, file) => total + file.rows, 0);
  return Object.fromEntries(
    Object.entries(tables).flatMap(([name, table]) =>
      table.rows.length + table.deletes.length === 0
        ? []
        : [[name, [sum(table.rows), sum(table.deletes)]]]
    ),
  );
}

/**
 * Changes a batch of the processed zone behind the pipeline's back, with a
 * checksum that fits: a lake that drifted from its source.
 */
export async function doctorManifest(
  { config }: Platform,
  batch: number,
  change: (manifest: ProcessedManifest) => void,
): Promise<void> {
  const zone = openZone(config.processedUrl, { s3: config.s3 });
  try {
    const log = new BatchLog<ProcessedManifest>(zone, "transform");
    const manifest = await log.read(batch);
    change(manifest);
    await zone.put(manifestKey(batch), encodeManifest(manifest));
    await forgetLiveFiles(zone, { from: batch });
    // Damaged rather than gone: versitygw 1.8 takes a deleted key for one that
    // is still there, and refuses to create it.
    await zone.put("lake.duckdb", new Uint8Array(1));
  } finally {
    zone.close();
  }
}

/**
 * Takes the live files out of manifests, as the version before has left them:
 * what the batches themselves list is what the lake holds.
 */
export async function forgetLiveFiles(
  zone: Zone,
  { from }: { from: number },
): Promise<void> {
  const log = new BatchLog<ProcessedManifest>(zone, "transform");
  const to = await log.newestNumber();
  for await (const manifest of log.range({ from, to })) {
    delete manifest.live;
    for (const model of Object.values(manifest.models)) delete model.columns;
    const key = manifestKey(manifest.batch, await log.generation());
    await zone.put(key, encodeManifest(manifest));
  }
}

/**
 * Makes merged files as the version before has left them: they say of no
 * version until when it holds, and neither does the newest manifest.
 */
export async function forgetHoldsUntil({ config }: Platform): Promise<void> {
  const zone = openZone(config.processedUrl, { s3: config.s3 });
  const log = new BatchLog<ProcessedManifest>(zone, "transform");
  const manifest = await log.newest();
  await using duckdb = await openDuckDb(config, { zones: [zone.url] });
  for (const file of manifest?.live?.added ?? []) {
    if (file.holdsUntilBy === undefined) continue;
    delete file.holdsUntilBy;
    const path = quoteText(zone.locate(file.key));
    await duckdb.run(
      `create or replace temp table versions as
      select * exclude (holds_until_batch, holds_until_time)
      from ${readParquetSql(zone, [file])}`,
    );
    await duckdb.run(`copy versions to ${path} (format parquet)`);
    Object.assign(file, await sha256OfStream(await zone.stream(file.key)));
  }
  if (manifest !== undefined) {
    await zone.put(manifestKey(manifest.batch), encodeManifest(manifest));
  }
  await zone.remove("lake.duckdb");
  zone.close();
}
