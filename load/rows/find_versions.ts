import type { BatchLog } from "../../lib/batches/batch_log.ts";
import { readLiveFiles } from "../../lib/batches/live_files.ts";
import {
  type LiveFile,
  type ProcessedManifest,
  versionsOf,
} from "../../lib/batches/manifest.ts";
import { readParquetSql } from "../../lib/duckdb/data_files.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { dataFileError } from "../../lib/duckdb/duckdb_error.ts";
import { StageError } from "../../lib/errors.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { onlySql, type VersionFiles } from "./export_versions.ts";
import { REQUESTS_AT_ONCE } from "../../lib/zone/zone.ts";
import { sum } from "../../lib/batches/sum.ts";

/**
 * Finds the files with the versions of consecutive batches, by model: those
 * that the batches added, while they exist. Where one was swept, or merged into
 * a file of several batches, the live files of the newest batch have the
 * model's versions.
 */
export async function findVersions(
  batches: BatchLog<ProcessedManifest>,
  options: {
    manifests: readonly ProcessedManifest[];
    newest: ProcessedManifest;
  },
): Promise<Map<string, VersionFiles>> {
  const { manifests, newest } = options;
  const isNewest = manifests.every(({ batch }) => batch === newest.batch);
  // If it lists none, this takes a request for each batch.
  let live = isNewest || newest.live === undefined
    ? undefined
    : await readLiveFiles(batches, newest);
  const listed = new Set(live?.map(({ key }) => key));
  const found = new Map<string, VersionFiles>();
  for (const name of modelsOf(manifests)) {
    const having = manifests.filter(({ models }) => models[name] !== undefined);
    const files = having.flatMap(({ models }) => models[name]?.files ?? []);
    const isShared = having.some(({ models }) =>
      models[name]?.files.length === 0
    );
    // A file that the newest batch lists exists, or a check reports its loss.
    const doubtful = isNewest
      ? []
      : files.filter(({ key }) => !listed.has(key));
    if (!isShared && await areThere(batches.zone, doubtful)) {
      found.set(name, { files, isOneBatch: files.length === 1 });
      continue;
    }
    live ??= await readLiveFiles(batches, newest);
    found.set(
      name,
      liveVersions(live.filter(({ model }) => model === name), {
        from: having[0]?.batch ?? 0,
        to: having.at(-1)?.batch ?? 0,
      }),
    );
  }
  return found;
}

async function areThere(
  zone: Zone,
  files: readonly { key: string }[],
): Promise<boolean> {
  for (let start = 0; start < files.length; start += REQUESTS_AT_ONCE) {
    const heads = await Promise.all(
      files.slice(start, start + REQUESTS_AT_ONCE)
        .map(({ key }) => zone.head(key)),
    );
    if (heads.includes(undefined)) return false;
  }
  return true;
}

/** A model's versions of some batches, from files that may hold others. */
function liveVersions(
  files: readonly LiveFile[],
  only: { from: number; to: number },
): VersionFiles {
  const overlapping = files.filter(({ from, to }) =>
    from <= only.to && to >= only.from
  );
  const isWider = overlapping.some(({ from, to }) =>
    from < only.from || to > only.to
  );
  const [first] = overlapping;
  const isOneBatch = overlapping.length === 1 &&
    (only.from === only.to || first?.from === first?.to);
  return { files: overlapping, isOneBatch, ...isWider ? { only } : {} };
}

/**
 * The files with the versions of each model up to a batch: the live files of
 * the newest batch, since older ones may be swept.
 */
export async function versionsUpTo(
  batches: BatchLog<ProcessedManifest>,
  options: {
    batch: number;
    newest: ProcessedManifest;
    models: readonly { name: string }[];
  },
): Promise<Map<string, VersionFiles>> {
  const { batch, newest, models } = options;
  const live = await readLiveFiles(batches, newest);
  return new Map(
    models.map(({ name }) => [
      name,
      liveVersions(live.filter(({ model }) => model === name), {
        from: 1,
        to: batch,
      }),
    ]),
  );
}

/**
 * Throws a `StageError` when the files found don't hold as many versions of
 * these batches as their manifests say.
 */
export async function checkVersions(
  duckdb: DuckDb,
  options: {
    zone: Zone;
    manifests: readonly ProcessedManifest[];
    versions: ReadonlyMap<string, VersionFiles>;
  },
): Promise<void> {
  const { zone, manifests, versions } = options;
  for (const [name, found] of versions) {
    const made = manifests.flatMap(({ models }) => models[name] ?? []);
    const [expected, rows] = [
      made.reduce((sum, model) => sum + versionsOf(model), 0),
      found.only === undefined
        ? sum(found.files, "rows")
        : await countRows(duckdb, { zone, versions: found }),
    ];
    if (rows === expected) continue;
    throw new StageError(
      `Cannot load batches ${manifests[0]?.batch} to ${
        manifests.at(-1)?.batch
      }: the live files of "${name}" hold ${rows} versions of them, but their manifests say ${expected}`,
      {
        subject: name,
        hint: "Rebuild the lake: ./totesys rebuild processed",
      },
    );
  }
}

async function countRows(
  duckdb: DuckDb,
  options: { zone: Zone; versions: VersionFiles },
): Promise<number> {
  const { zone, versions: { files, only } } = options;
  const where = only === undefined ? "" : onlySql(only);
  try {
    const [counted] = await duckdb.rows(
      `select count(*) as rows from ${readParquetSql(zone, files)} ${where}`,
    );
    return Number(counted?.rows);
  } catch (error) {
    const subject = files.map(({ key }) => zone.locate(key)).join(", ");
    throw dataFileError(error, { action: "read", subject, task: "load" });
  }
}

function modelsOf(manifests: readonly ProcessedManifest[]): string[] {
  return [...new Set(manifests.flatMap(({ models }) => Object.keys(models)))];
}
