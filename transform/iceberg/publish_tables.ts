import type { ModelColumn } from "../../lib/models/model_column.ts";
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
  describeColumns,
  readAllSql,
} from "../../lib/duckdb/data_files.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { STAMP_COLUMNS } from "../../lib/duckdb/version_columns.ts";
import { eachOf } from "../../lib/each_of.ts";
import { messageOf } from "../../lib/errors.ts";
import type {
  ShownMetadata,
  TableCatalogue,
} from "../../lib/iceberg/table_catalogue.ts";
import {
  metadataKey,
  PUBLISHED_KEY,
  tableFolder,
  uriOf,
  VIEWS_KEY,
} from "../../lib/iceberg/table_metadata.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { QUARANTINE_TABLE } from "../../lib/project/quarantine_model.ts";
import { sha256Hex } from "../../lib/zone/checksum.ts";
import { QUARANTINE_TYPES } from "../tables/quarantine.ts";
import { newestMetadata, publishTable, type Table } from "./publish_table.ts";
import { type TableFields, tableFields } from "./table_schema.ts";
import { modelViewsSql, viewsSql } from "./views_sql.ts";

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
  /** Names the tables to engines as well, if there is one. */
  catalogue?: Pick<TableCatalogue, "id" | "show"> | undefined;
}

/** What the last run published, so that the next needn't look at each table. */
interface Published {
  location: string;
  /** Which catalogue named the tables as well. */
  catalogue?: string | undefined;
  /** By model, a hash of what its table shows. */
  tables: Readonly<Record<string, string>>;
  /** A hash of the SQL of their views. */
  views?: string;
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
  const { tables, failures } = await tablesOf(options, id);
  const earlier = await readPublished(options);
  const known = new Map(Object.entries(earlier.tables));
  const changed = tables.filter(({ name, hash }) => known.get(name) !== hash);
  const views = viewsSql(tables.map((table) => table.views));
  const viewsHash = sha256Hex(views);
  const haveViews = earlier.views === viewsHash;
  if (changed.length === 0 && haveViews) {
    if (failures.length > 0) throw failures[0];
    return;
  }
  if (!haveViews) await zone.put(VIEWS_KEY, new TextEncoder().encode(views));
  await eachOf(changed, {
    atOnce: TABLES_AT_ONCE,
    work: async (table) => {
      try {
        const shown = await publishTable(table, options);
        if (shown !== undefined) await tellCatalogue(options, table, shown);
        known.set(table.name, table.hash);
      } catch (error) {
        failures.push(error);
      }
    },
  });
  const published: Published = {
    location: uriOf(zone),
    catalogue: options.catalogue?.id,
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

/**
 * Lets the catalogue show a table's version. Not every catalogue sees that
 * another run has told it of a later one meanwhile, so the last to tell it makes
 * sure.
 */
async function tellCatalogue(
  { catalogue }: PublishOptions,
  table: Table,
  shown: ShownMetadata,
): Promise<void> {
  if (catalogue === undefined) return;
  await catalogue.show(table.name, shown);
  const newest = await newestMetadata(table);
  if (newest === undefined || newest.uri === shown.uri) return;
  await catalogue.show(table.name, newest);
}

/** The tables, and why others can't be any. */
async function tablesOf(
  options: PublishOptions,
  generation: string,
): Promise<{ tables: Table[]; failures: unknown[] }> {
  const { batches, newest, live, sql, columns, newRunId, log } = options;
  const { zone } = batches;
  const { files } = await readLiveList(
    batches,
    newest,
    live === undefined ? {} : { known: live },
  );
  const runId = newRunId();
  const failures: unknown[] = [];
  const tables = [...sql.models, QUARANTINE_TABLE].flatMap((model): Table[] => {
    const { name } = model;
    const own = columns.get(name) ?? QUARANTINE_TYPES;
    let fields: TableFields;
    try {
      fields = tableFields(own, model.table.meanings);
    } catch (error) {
      failures.push(new Error(`"${name}": ${messageOf(error)}`));
      return [];
    }
    if (fields.leftOut.length > 0) {
      log.debug("the Iceberg table {name} has no column {columns}", {
        name,
        columns: fields.leftOut.map((column) => column.name).join(", "),
      });
    }
    const shown = files.filter((file) => file.model === name);
    const folder = tableFolder(name);
    return [{
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
    }];
  });
  return { tables, failures };
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
      ...await describeColumns(
        duckdb,
        `select * from ${readAllSql(zone, some)}`,
      ),
    );
  }
  return found;
}

/** What was published here; nothing if that isn't known. */
async function readPublished(
  { batches: { zone }, catalogue }: PublishOptions,
): Promise<Published> {
  const nothing: Published = { location: uriOf(zone), tables: {} };
  const stored = await zone.read(PUBLISHED_KEY);
  if (stored === undefined) return nothing;
  try {
    const published: Published = JSON.parse(
      new TextDecoder().decode(stored.bytes),
    );
    const isHere = published.location === nothing.location &&
      published.catalogue === catalogue?.id;
    return isHere ? published : nothing;
  } catch {
    return nothing;
  }
}
