import type { Logger } from "@logtape/logtape";
import { isAbsolute, join } from "node:path";
import type { BatchLog } from "../lib/batches/batch_log.ts";
import { readGeneration } from "../lib/batches/generation.ts";
import { type LiveList, readLiveList } from "../lib/batches/live_files.ts";
import type { LiveFile, ProcessedManifest } from "../lib/batches/manifest.ts";
import type { DuckDb } from "../lib/duckdb/duckdb.ts";
import { duckDbCause } from "../lib/duckdb/duckdb_error.ts";
import { messageOf } from "../lib/errors.ts";
import { quoteText } from "../lib/postgres/postgres.ts";
import type { ProjectSql } from "../lib/project/project_sql.ts";
import { QUARANTINE_TABLE } from "../lib/project/quarantine_model.ts";
import { sha256Hex } from "../lib/zone/checksum.ts";
import type { Zone } from "../lib/zone/zone.ts";
import { lakeViews } from "./lake_views.ts";
import type { ModelColumn } from "./model_changes.ts";
import { QUARANTINE_TYPES } from "./quarantine.ts";

const LAKE_FILE = "lake.duckdb";
/** Every DuckDB since 1.2 can open this format. */
const STORAGE_VERSION = "v1.2.0";
const ATTEMPTS_MAX = 5;
/** Rows in one insert. */
const FILES_AT_ONCE = 1000;
/** The live files that its views read. */
const FILES_SQL = `create table target.lake.files (
  model varchar, from_batch bigint, to_batch bigint, key varchar)`;

/**
 * SQL for a hash of the views and macros of an attached lake. DuckDB writes the
 * names in `exclude` in any order, and types with quotes and spaces until the
 * database is attached again.
 */
function definitionsSql(database: "published" | "target"): string {
  const ours = `database_name = '${database}' and not internal`;
  const definition =
    `regexp_replace(definition, 'EXCLUDE \\([^)]*\\)|"|\\s', '', 'g')`;
  return `(select md5(string_agg(${definition}, ';' order by name)) from (
    select view_name as name, sql as definition from duckdb_views()
    where ${ours}
    union all select function_name, macro_definition from duckdb_functions()
    where ${ours}))`;
}

interface PublishOptions {
  zone: Zone;
  batches: BatchLog<ProcessedManifest>;
  newest: ProcessedManifest;
  /**
   * The run's list of live files, if it has one: saves reading its checkpoint
   * again.
   */
  live?: LiveList | undefined;
  sql: ProjectSql;
  columns: ReadonlyMap<string, readonly ModelColumn[]>;
  log: Logger;
}

/** The contents of a published lake that publishing needs. */
interface KnownLake {
  batch: number;
  /** The other paths at which runs that published a lake saw the zone. */
  seenAt: string[];
  /** Whether another run publishes it that sees the zone at another path. */
  isOthers?: boolean;
  /** A copy of it, if its views are those that this run would make. */
  copy?: string;
}

/**
 * Publishes `lake.duckdb`: for analysts, a DuckDB database whose views and
 * macros read exactly the committed files. It is derived from the manifests,
 * and replaced as a whole, only by one of a higher batch; it is rebuilt if it
 * is unreadable, belongs to another generation, or its zone was moved or
 * copied. If that goes back and forth, two runs see one zone by two paths: then
 * the lake is left to the other run. A failed write is only reported, since
 * nothing depends on the lake.
 */
export async function publishLake(
  duckdb: DuckDb,
  options: PublishOptions,
): Promise<void> {
  try {
    await publish(duckdb, options);
  } catch (error) {
    options.log.error(
      "lake.duckdb can't be replaced, and stays unchanged until a run can replace it: {reason}",
      { reason: messageOf(error) },
    );
  }
}

async function publish(
  duckdb: DuckDb,
  options: PublishOptions,
): Promise<void> {
  const { zone, batches, newest, log } = options;
  // The files of a group also have its later batches, which are still to come.
  if (newest.group !== undefined && newest.group.to > newest.batch) return;
  const path = join(duckdb.tempDirectory, LAKE_FILE);
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const stored = await zone.read(LAKE_FILE);
    const known = stored === undefined
      ? undefined
      : await readKnownLake(duckdb, { bytes: stored.bytes, path, options });
    if (known !== undefined && known.batch >= newest.batch) return;
    if (known?.isOthers === true) return;
    const bytes = await buildLake(duckdb, {
      ...options,
      known: known ?? { batch: 0, seenAt: [] },
      path,
    });
    // A run that began before the zone was rebuilt has nothing left to publish.
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

/** Reads the published lake; undefined if it can't be read. */
async function readKnownLake(
  duckdb: DuckDb,
  found: { bytes: Uint8Array; path: string; options: PublishOptions },
): Promise<KnownLake | undefined> {
  const { bytes, path, options } = found;
  const { newest, log, zone, batches } = options;
  await Deno.writeFile(path, bytes);
  let isKept = false;
  try {
    await duckdb.run(`attach ${quoteText(path)} as published (read_only)`);
    const [about] = await duckdb.rows(
      `select *, ${
        definitionsSql("published")
      } as found from published.lake.about`,
    );
    const sameLake = about?.lake_id === newest.lakeId &&
      (about.generation ?? "") === await batches.generation();
    if (!sameLake) return undefined;
    const seenAt = await readSeenAt(duckdb);
    const there = about.zone ?? "";
    const isHere = await realPath(there) === await realPath(zone.url);
    if (!isHere && seenAt.includes(zone.url)) {
      log.warn(
        "lake.duckdb was published for {there}, where another run sees this zone, and stays unchanged; here it is {here}. Let all runs name the zone the same way, or remove lake.duckdb, which the next run rebuilds",
        { there, here: zone.url },
      );
      return { batch: 0, seenAt, isOthers: true };
    }
    // Its views may not be those that this run would make, but a newer lake was
    // made by a run that knows more.
    const batch = Number(about.batch);
    const alike = isHere && about.views === await viewsHash(options) &&
      about.definitions === about.found;
    if (!alike && batch <= newest.batch) {
      return { batch: 0, seenAt: isHere ? seenAt : [...seenAt, there] };
    }
    isKept = batch < newest.batch;
    return { batch, seenAt, ...isKept ? { copy: path } : {} };
  } catch (error) {
    // A lack of space to read it is no reason to rebuild it.
    if (duckDbCause(error) !== undefined) throw error;
    log.warn("lake.duckdb can't be read and is rebuilt: {reason}", {
      reason: messageOf(error),
    });
    return undefined;
  } finally {
    await duckdb.run("detach database if exists published");
    if (!isKept) await Deno.remove(path).catch(() => {});
  }
}

/** The zone's other paths; a lake of an older version lists none. */
async function readSeenAt(duckdb: DuckDb): Promise<string[]> {
  const found = await duckdb.rows(
    `select 1 from duckdb_tables()
    where database_name = 'published' and table_name = 'seen_at'`,
  );
  if (found.length === 0) return [];
  const rows = await duckdb.rows("from published.lake.seen_at");
  return rows.map(({ zone }) => zone ?? "");
}

/** A directory's path with links followed; any other path is unchanged. */
async function realPath(zone: string): Promise<string> {
  return isAbsolute(zone) ? await Deno.realPath(zone).catch(() => zone) : zone;
}

/**
 * A hash of a lake's views without files: if it differs, the SQL, the path or
 * this code has changed, and all views are rebuilt.
 */
async function viewsHash(options: PublishOptions): Promise<string> {
  const statements = await viewStatements(options, { files: [] });
  return sha256Hex(
    [options.sql.transformHash, FILES_SQL, ...statements].join(";\n"),
  );
}

/** Statements that create the views of these models, or of all. */
async function viewStatements(
  { zone, sql, columns }: PublishOptions,
  options: {
    files: readonly LiveFile[];
    only?: ReadonlySet<string> | undefined;
  },
): Promise<string[]> {
  const { files, only } = options;
  const place = `${await realPath(zone.url)}/${LAKE_FILE}`;
  return [...sql.models, QUARANTINE_TABLE]
    .filter(({ name }) => only?.has(name) ?? true)
    .flatMap((model) =>
      lakeViews(model, {
        columns: columns.get(model.name) ?? QUARANTINE_TYPES,
        zone,
        place,
        files: files.filter((file) => file.model === model.name),
      })
    );
}

/**
 * Builds the lake of the newest batch, from scratch or from the known one: then
 * only views of models with other files change.
 */
async function buildLake(
  duckdb: DuckDb,
  options: PublishOptions & { known: KnownLake; path: string },
): Promise<Uint8Array> {
  const { batches, newest, live, known, path } = options;
  const { files } = await readLiveList(
    batches,
    newest,
    live === undefined ? {} : { known: live },
  );
  await duckdb.run(
    `attach ${
      quoteText(path)
    } as target (storage_version '${STORAGE_VERSION}')`,
  );
  try {
    if (known.copy === undefined) await createTables(duckdb, options);
    await duckdb.run(
      `update target.lake.about set batch = ${newest.batch},
        snapshot_time = ${quoteText(newest.snapshotTime)}`,
    );
    const changed = await changedModels(duckdb, files);
    await listFiles(duckdb, { files, changed });
    const statements = await viewStatements(options, {
      files,
      only: known.copy === undefined ? undefined : changed,
    });
    await duckdb.run(["use target", ...statements].join(";\n"));
    await duckdb.run(
      `update target.lake.about set definitions = ${definitionsSql("target")}`,
    );
  } finally {
    await duckdb.run("use memory");
    await duckdb.run("detach target");
  }
  const bytes = await Deno.readFile(path);
  await Deno.remove(path);
  return bytes;
}

/** The models whose files are not those that the lake lists. */
async function changedModels(
  duckdb: DuckDb,
  files: readonly LiveFile[],
): Promise<Set<string>> {
  const rows = await duckdb.rows("select model, key from target.lake.files");
  const known = new Map(rows.map(({ model, key }) => [key, model ?? ""]));
  const added = files.filter(({ key }) => !known.delete(key));
  return new Set([...added.map(({ model }) => model), ...known.values()]);
}

/** Lists the files of the models that have changed. */
async function listFiles(
  duckdb: DuckDb,
  options: { files: readonly LiveFile[]; changed: ReadonlySet<string> },
): Promise<void> {
  const { changed } = options;
  if (changed.size === 0) return;
  await duckdb.run(
    `delete from target.lake.files
    where model in (${[...changed].map(quoteText).join(", ")})`,
  );
  const listed = options.files.filter(({ model }) => changed.has(model));
  for (let start = 0; start < listed.length; start += FILES_AT_ONCE) {
    const rows = listed.slice(start, start + FILES_AT_ONCE).map((file) =>
      `(${quoteText(file.model)}, ${file.from}, ${file.to}, ${
        quoteText(file.key)
      })`
    );
    await duckdb.run(`insert into target.lake.files values ${rows.join(", ")}`);
  }
}

async function createTables(
  duckdb: DuckDb,
  options: PublishOptions & { known: KnownLake },
): Promise<void> {
  const { zone, batches, newest, sql, known } = options;
  const seenAt = known.seenAt.map(quoteText).join(", ");
  await duckdb.run("create schema target.lake");
  await duckdb.run(
    `create table target.lake.about as select
      ${newest.batch}::bigint as batch,
      ${quoteText(newest.snapshotTime)}::timestamp as snapshot_time,
      ${quoteText(newest.lakeId)} as lake_id,
      ${quoteText(zone.url)} as zone,
      ${quoteText(sql.transformHash)} as transform_hash,
      ${quoteText(await batches.generation())} as generation,
      ${quoteText(await viewsHash(options))} as views,
      null::varchar as definitions`,
  );
  await duckdb.run(FILES_SQL);
  await duckdb.run(
    `create table target.lake.seen_at as
    select unnest([${seenAt}]::varchar[]) as zone`,
  );
}
