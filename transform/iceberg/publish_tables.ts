import type { Logger } from "@logtape/logtape";
import type { BatchLog } from "../../lib/batches/batch_log.ts";
import { readGeneration } from "../../lib/batches/generation.ts";
import { type LiveList, readLiveList } from "../../lib/batches/live_files.ts";
import type {
  LiveFile,
  ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import {
  type Column,
  columnsHash,
  givenColumns,
  readAllSql,
} from "../../lib/duckdb/data_files.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { STAMP_COLUMNS } from "../../lib/duckdb/version_columns.ts";
import { eachOf } from "../../lib/each_of.ts";
import { messageOf, StageError } from "../../lib/errors.ts";
import {
  createVersion,
  metadataKey,
  PUBLISHED_KEY,
  readTableMetadata,
  type StoredTable,
  tableFolder,
  uriOf,
  VIEWS_KEY,
  writeHint,
} from "../../lib/iceberg/table_metadata.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { QUARANTINE_TABLE } from "../../lib/project/quarantine_model.ts";
import { sha256Hex } from "../../lib/zone/checksum.ts";
import type { ModelColumn } from "../models/model_changes.ts";
import { QUARANTINE_TYPES } from "../tables/quarantine.ts";
import { type NextVersion, nextVersion } from "./next_metadata.ts";
import { shownBatch, type TableState } from "./next_snapshots.ts";
import { tableFields } from "./table_schema.ts";
import { modelViewsSql, viewsSql } from "./views_sql.ts";

const ATTEMPTS_MAX = 5;
const TABLES_AT_ONCE = 8;
/** Part of each hash: a version that writes other metadata has another. */
const FORMAT = 2;

interface PublishOptions {
  duckdb: Pick<DuckDb, "rows">;
  batches: BatchLog<ProcessedManifest>;
  newest: ProcessedManifest;
  /** The run's list of live files, if it has one. */
  live?: LiveList | undefined;
  sql: Pick<ProjectSql, "models">;
  columns: ReadonlyMap<string, readonly ModelColumn[]>;
  newRunId: () => string;
  log: Logger;
}

/** What the last run published, so that the next needn't look at each table. */
interface Published {
  location: string;
  /** By model, a hash of what its table shows. */
  tables: Readonly<Record<string, string>>;
  /** A hash of the SQL of their views. */
  views?: string;
}

/** A table to publish, and a hash of its state. */
interface Table extends TableState {
  name: string;
  hash: string;
  /** SQL for its views. */
  views: string;
}

/**
 * Publishes each model as an Iceberg table over the live files of a committed
 * batch: metadata only, for engines that don't read `lake.duckdb`. It is
 * derived from the manifests, and a table's state changes only by the creation
 * of the next version of its metadata. Whatever a run leaves undone, the next
 * one does. A failed write is only reported.
 */
export async function publishTables(options: PublishOptions): Promise<void> {
  try {
    await publish(options);
  } catch (error) {
    options.log.error(
      "the Iceberg tables can't all be published, and the others stay unchanged until a run can: {reason}",
      { reason: messageOf(error) },
    );
  }
}

async function publish(options: PublishOptions): Promise<void> {
  const { batches, newest, log } = options;
  const { zone } = batches;
  // The files of a group also have its later batches, which are still to come.
  if (newest.group !== undefined && newest.group.to > newest.batch) return;
  const { id } = await readGeneration(zone);
  if (id !== await batches.generation()) return;
  const tables = await tablesOf(options, id);
  const earlier = await readPublished(options);
  const known = new Map(Object.entries(earlier.tables));
  const changed = tables.filter(({ name, hash }) => known.get(name) !== hash);
  const views = viewsSql(tables.map((table) => table.views));
  const viewsHash = sha256Hex(views);
  const haveViews = earlier.views === viewsHash;
  if (changed.length === 0 && haveViews) return;
  if (!haveViews) await zone.put(VIEWS_KEY, new TextEncoder().encode(views));
  const failures: unknown[] = [];
  await eachOf(changed, {
    atOnce: TABLES_AT_ONCE,
    work: async (table) => {
      try {
        await publishTable(table, options);
        known.set(table.name, table.hash);
      } catch (error) {
        failures.push(error);
      }
    },
  });
  const published: Published = {
    location: uriOf(zone),
    tables: Object.fromEntries(
      tables.flatMap(({ name }) => {
        const hash = known.get(name);
        return hash === undefined ? [] : [[name, hash]];
      }),
    ),
    views: viewsHash,
  };
  await zone.put(
    PUBLISHED_KEY,
    new TextEncoder().encode(`${JSON.stringify(published)}\n`),
  );
  if (failures.length > 0) throw failures[0];
  log.info("{tables} Iceberg tables show batch {batch}", {
    tables: changed.length,
    batch: newest.batch,
  });
}

async function tablesOf(
  options: PublishOptions,
  generation: string,
): Promise<Table[]> {
  const { batches, newest, live, sql, columns, newRunId, log } = options;
  const { zone } = batches;
  const { files } = await readLiveList(
    batches,
    newest,
    live === undefined ? {} : { known: live },
  );
  const runId = newRunId();
  return [...sql.models, QUARANTINE_TABLE].map((model): Table => {
    const { name } = model;
    const own = columns.get(name) ?? QUARANTINE_TYPES;
    const fields = tableFields(own, model.table.meanings);
    if (fields.leftOut.length > 0) {
      log.debug("the Iceberg table {name} has no column {columns}", {
        name,
        columns: fields.leftOut.map((column) => column.name).join(", "),
      });
    }
    const shown = files.filter((file) => file.model === name);
    const folder = tableFolder(name);
    return {
      zone,
      name,
      newest,
      generation,
      fields,
      files: shown,
      views: modelViewsSql(model, fields),
      otherColumns: (some) => otherColumns(options, { files: some, own }),
      key: (part) => metadataKey(folder, `${runId}-${part}`),
      hash: sha256Hex(JSON.stringify([
        FORMAT,
        newest.lakeId,
        generation,
        fields.fields,
        shown.map(({ key }) => key),
      ])),
    };
  });
}

/**
 * The columns of those files that weren't written with a model's own, of one
 * file for each set of columns; all are read if their columns aren't known.
 */
async function otherColumns(
  { duckdb, batches: { zone } }: PublishOptions,
  options: { files: readonly LiveFile[]; own: readonly ModelColumn[] },
): Promise<Column[]> {
  const hash = columnsHash([...options.own, ...STAMP_COLUMNS]);
  const sets = Map.groupBy(options.files, ({ columns }) => columns);
  const found: Column[] = [];
  for (const [columns, files] of sets) {
    if (columns === hash) continue;
    const some = columns === undefined ? files : files.slice(0, 1);
    found.push(
      ...await givenColumns(duckdb, `select * from ${readAllSql(zone, some)}`),
    );
  }
  return found;
}

/** What was published here; nothing if that isn't known. */
async function readPublished(
  { batches: { zone } }: PublishOptions,
): Promise<Published> {
  const nothing: Published = { location: uriOf(zone), tables: {} };
  const stored = await zone.read(PUBLISHED_KEY);
  if (stored === undefined) return nothing;
  try {
    const published: Published = JSON.parse(
      new TextDecoder().decode(stored.bytes),
    );
    return published.location === nothing.location ? published : nothing;
  } catch {
    return nothing;
  }
}

/** Brings one table to its state, unless another run has brought it further. */
async function publishTable(
  table: Table,
  { log }: PublishOptions,
): Promise<void> {
  const { zone, name, newest, generation } = table;
  const folder = tableFolder(name);
  let after: number | undefined;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const stored = await readTableMetadata(
      zone,
      folder,
      after === undefined ? {} : { after },
    );
    const version = stored?.version ?? 0;
    const shown = stored?.metadata && shownBatch(stored.metadata);
    const isPast = shown?.generation === generation
      ? shown.batch > newest.batch
      // A run that began before the zone was rebuilt has nothing to publish.
      : (await readGeneration(zone)).id !== generation;
    if (isPast) return;
    const next = await tryNext(table, { stored, log });
    if (next === undefined) {
      // A run that was killed left the hint behind.
      if (stored !== undefined && stored.hint !== version) {
        await writeHint(zone, folder, version);
      }
      return;
    }
    await Promise.all(
      next.written.map(({ key, content }) => zone.create(key, content)),
    );
    const made = { version: version + 1, metadata: next.metadata };
    if (await createVersion(zone, folder, made)) return;
    after = version + 1;
  }
  throw new StageError(
    `Cannot publish the Iceberg table "${name}": other runs came first ${ATTEMPTS_MAX} times`,
    { subject: name, retryable: true, hint: "The next run publishes it" },
  );
}

/** The next version; if the stored one is damaged, the table begins again. */
async function tryNext(
  table: Table,
  { stored, log }: { stored: StoredTable | undefined; log: Logger },
): Promise<NextVersion | undefined> {
  try {
    return await nextVersion(table, stored);
  } catch (error) {
    if (error instanceof StageError || stored?.metadata === undefined) {
      throw error;
    }
    log.warn(
      "the Iceberg table {name} can't be read and begins again: {reason}",
      {
        name: table.name,
        reason: messageOf(error),
      },
    );
    const { metadata: { location: _, ...metadata }, ...rest } = stored;
    return await nextVersion(table, {
      ...rest,
      metadata: { ...metadata, location: "" },
    });
  }
}
