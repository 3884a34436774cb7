import type { Logger } from "@logtape/logtape";
import { isAbsolute, join } from "node:path";
import type { BatchLog } from "../lib/batch_log.ts";
import type { DuckDb } from "../lib/duckdb.ts";
import { duckDbCause } from "../lib/duckdb_error.ts";
import { messageOf } from "../lib/errors.ts";
import { readGeneration } from "../lib/generation.ts";
import type { ProcessedManifest } from "../lib/manifest.ts";
import { quoteText } from "../lib/postgres.ts";
import type { ProjectSql } from "../lib/project_sql.ts";
import { QUARANTINE } from "../lib/quarantine_model.ts";
import type { Zone } from "../lib/zone.ts";
import { filesOfBatches } from "./files_of_batches.ts";
import { lakeViews } from "./lake_views.ts";
import type { ModelColumn } from "./model_changes.ts";
import { QUARANTINE_TYPES } from "./quarantine.ts";

const LAKE_FILE = "lake.duckdb";
const ATTEMPTS_MAX = 5;
/** Rows of one insert. */
const FILES_AT_ONCE = 1000;

interface PublishOptions {
  zone: Zone;
  batches: BatchLog<ProcessedManifest>;
  newest: ProcessedManifest;
  sql: ProjectSql;
  columns: ReadonlyMap<string, readonly ModelColumn[]>;
  log: Logger;
}

/** What a published lake knows. */
interface KnownFiles {
  batch: number;
  files: KnownFile[];
  /** Where else the zone was when a lake was published. */
  seenAt: string[];
  /** Somebody else publishes it who sees the zone at another place. */
  isOthers?: boolean;
}

/** A file of the lake, as the published database lists it. */
interface KnownFile {
  model: string;
  batch: number;
  key: string;
}

/**
 * Publishes `lake.duckdb`: for analysts, a DuckDB database whose views and
 * macros read exactly the committed files. It is derived from the manifests,
 * and replaced whole, only by one of a higher batch; an unreadable one is made
 * anew, and so are one of another generation, and one of a zone that was moved
 * or copied. If that goes to and fro, two runs see one zone by two paths: then
 * the lake is left to the other one. That it can't be written is reported, for
 * nothing depends on it.
 */
export async function publishLake(
  duckdb: DuckDb,
  options: PublishOptions,
): Promise<void> {
  try {
    await publish(duckdb, options);
  } catch (error) {
    options.log.error(
      "lake.duckdb can't be replaced, and stays as it is until a run can: {reason}",
      { reason: messageOf(error) },
    );
  }
}

async function publish(
  duckdb: DuckDb,
  options: PublishOptions,
): Promise<void> {
  const { zone, batches, newest, log } = options;
  const path = join(duckdb.tempDirectory, "published.duckdb");
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const stored = await zone.read(LAKE_FILE);
    const known = stored === undefined
      ? undefined
      : await readKnownFiles(duckdb, { bytes: stored.bytes, path, options });
    if (known !== undefined && known.batch >= newest.batch) return;
    if (known?.isOthers === true) return;
    const from = (known?.batch ?? 0) + 1;
    const added = await filesOfBatches(batches, { from, to: newest.batch });
    const bytes = await buildLake(duckdb, {
      ...options,
      files: [...known?.files ?? [], ...added],
      seenAt: known?.seenAt ?? [],
    });
    // Who began before the zone was rebuilt has nothing to show any more.
    const { id } = await readGeneration(zone);
    if (id !== await batches.generation()) return;
    const published = stored === undefined
      ? await zone.create(LAKE_FILE, bytes)
      : await zone.put(LAKE_FILE, bytes, { ifMatch: stored.etag });
    if (published) return;
  }
  log.warn(
    "lake.duckdb was not replaced: other runs came first {attempts} times",
    { attempts: ATTEMPTS_MAX },
  );
}

/** The files that a published lake lists; undefined when it can't be read. */
async function readKnownFiles(
  duckdb: DuckDb,
  found: { bytes: Uint8Array; path: string; options: PublishOptions },
): Promise<KnownFiles | undefined> {
  const { bytes, path, options } = found;
  const { newest, sql, log, zone, batches } = options;
  await Deno.writeFile(path, bytes);
  try {
    await duckdb.run(`attach ${quoteText(path)} as published (read_only)`);
    const [about] = await duckdb.rows("from published.lake.about");
    const files = await duckdb.rows(
      "from published.lake.files order by batch, model",
    );
    const sameLake = about?.lake_id === newest.lakeId &&
      (about.generation ?? "") === await batches.generation();
    if (!sameLake) return undefined;
    const seenAt = await readSeenAt(duckdb);
    const there = about.zone ?? "";
    const isHere = await realPath(there) === await realPath(zone.url);
    if (!isHere && seenAt.includes(zone.url)) {
      log.warn(
        "lake.duckdb is of {there}, where another run sees this zone, and stays as it is; here it is {here}. Let all runs name the zone alike, or remove lake.duckdb, which the next run makes anew",
        { there, here: zone.url },
      );
      return { batch: 0, files: [], seenAt, isOthers: true };
    }
    // Of other SQL or seen at another place, its views are not those that this
    // one would make; but what is newer was made by somebody who knows more.
    const alike = isHere && about.transform_hash === sql.transformHash;
    if (!alike && Number(about.batch) <= newest.batch) {
      const places = isHere ? seenAt : [...seenAt, there];
      return { batch: 0, files: [], seenAt: places };
    }
    return {
      seenAt,
      batch: Number(about.batch),
      files: files.map(({ model, batch, key }) => ({
        model: model ?? "",
        batch: Number(batch),
        key: key ?? "",
      })),
    };
  } catch (error) {
    // That there is no room to read it is no reason to make it anew.
    if (duckDbCause(error) !== undefined) throw error;
    log.warn("lake.duckdb can't be read and is made anew: {reason}", {
      reason: messageOf(error),
    });
    return undefined;
  } finally {
    await duckdb.run("detach database if exists published");
    await Deno.remove(path).catch(() => {});
  }
}

/** Where else the zone was seen; a lake of an older version says nothing. */
async function readSeenAt(duckdb: DuckDb): Promise<string[]> {
  const found = await duckdb.rows(
    `select 1 from duckdb_tables()
    where database_name = 'published' and table_name = 'seen_at'`,
  );
  if (found.length === 0) return [];
  const rows = await duckdb.rows("from published.lake.seen_at");
  return rows.map(({ zone }) => zone ?? "");
}

/** A directory with links followed; what is none, or not there, as it is. */
async function realPath(zone: string): Promise<string> {
  return isAbsolute(zone) ? await Deno.realPath(zone).catch(() => zone) : zone;
}

async function buildLake(
  duckdb: DuckDb,
  options: PublishOptions & { files: KnownFile[]; seenAt: string[] },
): Promise<Uint8Array> {
  const { zone, batches, newest, sql, columns, files, seenAt } = options;
  const path = join(duckdb.tempDirectory, `lake-${newest.batch}.duckdb`);
  await Deno.remove(path).catch(() => {});
  await duckdb.run(`attach ${quoteText(path)} as target`);
  try {
    await duckdb.run("create schema target.lake");
    await duckdb.run(
      `create table target.lake.about as select
        ${newest.batch}::bigint as batch,
        ${quoteText(newest.snapshotTime)}::timestamp as snapshot_time,
        ${quoteText(newest.lakeId)} as lake_id,
        ${quoteText(zone.url)} as zone,
        ${quoteText(sql.transformHash)} as transform_hash,
        ${quoteText(await batches.generation())} as generation`,
    );
    await duckdb.run(
      `create table target.lake.files (model varchar, batch bigint, key varchar)`,
    );
    for (let start = 0; start < files.length; start += FILES_AT_ONCE) {
      const rows = files.slice(start, start + FILES_AT_ONCE).map((file) =>
        `(${quoteText(file.model)}, ${file.batch}, ${quoteText(file.key)})`
      );
      await duckdb.run(
        `insert into target.lake.files values ${rows.join(", ")}`,
      );
    }
    await duckdb.run(
      `create table target.lake.seen_at as
      select unnest([${seenAt.map(quoteText).join(", ")}]::varchar[]) as zone`,
    );
    await duckdb.run("use target");
    const place = `${await realPath(zone.url)}/${LAKE_FILE}`;
    for (const model of [...sql.models, QUARANTINE]) {
      const statements = lakeViews(model, {
        columns: columns.get(model.name) ?? QUARANTINE_TYPES,
        zone,
        place,
        files: files.filter((file) => file.model === model.name),
      });
      for (const statement of statements) await duckdb.run(statement);
    }
  } finally {
    await duckdb.run("use memory");
    await duckdb.run("detach target");
  }
  const bytes = await Deno.readFile(path);
  await Deno.remove(path);
  return bytes;
}
