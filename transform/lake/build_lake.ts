import type { ModelColumn } from "../../lib/models/model_column.ts";
import type { Logger } from "@logtape/logtape";
import { isAbsolute } from "node:path";
import type { BatchLog } from "../../lib/batches/batch_log.ts";
import { LAKE_FILE } from "../../lib/batches/lake_note.ts";
import { type LiveList, readLiveList } from "../../lib/batches/live_files.ts";
import type {
  LiveFile,
  ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { columnsHash } from "../../lib/duckdb/data_files.ts";
import { STAMP_COLUMNS } from "../../lib/duckdb/version_columns.ts";
import { quoteText } from "../../lib/sql/quote.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { QUARANTINE_TABLE } from "../../lib/project/quarantine_model.ts";
import { sha256Hex } from "../../lib/zone/checksum.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import type { Model } from "../../lib/project/model.ts";
import { QUARANTINE_TYPES } from "../tables/quarantine.ts";
import type { VersionsFile } from "../tables/versions_as_of.ts";
import { lakeViews } from "./lake_views.ts";
import { sealed } from "./sealed_file.ts";

/** Every DuckDB since 1.2 can open this format. */
const STORAGE_VERSION = "v1.2.0";

/** Rows in one insert. */
const FILES_AT_ONCE = 1000;

/** The live files that its views read. */
const FILES_SQL = `create table target.lake.files (
  model varchar, from_batch bigint, to_batch bigint, key varchar)`;

/** What a lake is made from. */
export interface PublishOptions {
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
  /** Leaves a note for `status` that the lake can't be replaced. */
  noteFailure?: (
    error: unknown,
    etag: string | null | undefined,
  ) => Promise<void>;
}

/** The contents of a published lake that publishing needs. */
export interface KnownLake {
  batch: number;
  /** The other paths at which runs that published a lake saw the zone. */
  seenAt: string[];
  /** Whether another run publishes it that sees the zone at another path. */
  isOthers?: boolean;
  /** Whether its views are those that this run would make, so that it stays. */
  isKept?: boolean;
}

/** A directory's path with links followed; any other path is unchanged. */
export async function realPath(zone: string): Promise<string> {
  return isAbsolute(zone) ? await Deno.realPath(zone).catch(() => zone) : zone;
}

/** A file of a model, as far as views read it. */
type ViewedFile = VersionsFile & Pick<LiveFile, "model">;

/** Files as a model may have them, so that a hash shows how they are read. */
function sampleFiles(
  { name, key }: Model,
  columns: readonly ModelColumn[],
): ViewedFile[] {
  const hash = columnsHash([...columns, ...STAMP_COLUMNS]);
  const keyRange = { column: key[0] ?? "", least: "1", greatest: "2" };
  return [
    { model: name, key: "first", from: 1, to: 1, holdsUntilBy: key },
    { model: name, key: "merged", from: 2, to: 3, columns: hash, keyRange },
    { model: name, key: "later", from: 4, to: 4, columns: "others", keyRange },
  ];
}

/**
 * A hash of a lake's views without files, and of sample files: if it differs,
 * the SQL, the path or this code has changed, and all views are rebuilt.
 */
export async function viewsHash(options: PublishOptions): Promise<string> {
  // A link to the zone gives its files other paths.
  const zone: Zone = Object.create(options.zone, {
    locate: { value: (key: string) => key },
  });
  const { sql, columns } = options;
  const files = [...sql.models, QUARANTINE_TABLE].flatMap((model) =>
    sampleFiles(model, columns.get(model.name) ?? QUARANTINE_TYPES)
  );
  const statements = [
    ...await viewStatements(options, { files: [] }),
    ...await viewStatements({ ...options, zone }, { files }),
  ];
  return sha256Hex(
    [sql.transformHash, FILES_SQL, ...statements].join(";\n"),
  );
}

/**
 * A hash of what the lake of a batch shows, and of the SQL that was checked to
 * make it; it can be made without DuckDB.
 */
export async function shownHash(
  options: Omit<PublishOptions, "columns">,
): Promise<string> {
  const { batches, newest, sql } = options;
  const files = await liveFilesOf(options);
  return sha256Hex(JSON.stringify([
    newest.lakeId,
    await batches.generation(),
    // With any columns, they show the place and the code that makes the views.
    await viewsHash({ ...options, columns: new Map() }),
    [sql.tables, sql.models, [...sql.quarantine], sql.migrations],
    files.map(({ key }) => key),
  ]));
}

/** Statements that create the views of these models, or of all. */
async function viewStatements(
  { zone, sql, columns }: PublishOptions,
  options: {
    files: readonly ViewedFile[];
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

/** Attaches the database in a file as `target`; without one, makes it. */
export async function attachLake(duckdb: DuckDb, path: string): Promise<void> {
  await duckdb.run(
    `attach ${
      quoteText(path)
    } as target (storage_version '${STORAGE_VERSION}')`,
  );
}

/**
 * Builds the lake of the newest batch, from scratch or from the known one, which
 * is attached then: only views of models with other files change.
 */
export async function buildLake(
  duckdb: DuckDb,
  options: PublishOptions & { known: KnownLake; path: string },
): Promise<Uint8Array> {
  const { newest, known, path } = options;
  const isNew = known.isKept !== true;
  if (isNew) await attachLake(duckdb, path);
  try {
    const files = await liveFilesOf(options);
    // Each commit would wait for the disk, for a file that may be lost.
    await duckdb.run("begin");
    if (isNew) await createTables(duckdb, options);
    await duckdb.run(
      `update target.lake.about set batch = ${newest.batch},
        snapshot_time = ${quoteText(newest.snapshotTime)}`,
    );
    const changed = await changedModels(duckdb, files);
    await listFiles(duckdb, { files, changed });
    const statements = await viewStatements(options, {
      files,
      only: isNew ? undefined : changed,
    });
    await duckdb.run(["use target", ...statements, "commit"].join(";\n"));
  } catch (error) {
    await duckdb.run("rollback").catch(() => {});
    throw error;
  } finally {
    await duckdb.run("use memory; detach target");
  }
  const bytes = await Deno.readFile(path);
  await Deno.remove(path);
  return sealed(bytes, await shownHash(options));
}

async function liveFilesOf(
  { batches, newest, live }: Omit<PublishOptions, "columns">,
): Promise<readonly LiveFile[]> {
  const known = live === undefined ? {} : { known: live };
  return (await readLiveList(batches, newest, known)).files;
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
      ${quoteText(await viewsHash(options))} as views`,
  );
  await duckdb.run(FILES_SQL);
  await duckdb.run(
    `create table target.lake.seen_at as
    select unnest([${seenAt}]::varchar[]) as zone`,
  );
}
