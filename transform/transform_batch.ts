import { dataKey } from "../lib/batch_log.ts";
import { typeSql } from "../lib/contract.ts";
import {
  checkFiles,
  readColumnsSql,
  readParquetSql,
} from "../lib/data_files.ts";
import type { DuckDb } from "../lib/duckdb.ts";
import { duckDbCause } from "../lib/duckdb_error.ts";
import { isForeign, messageOf, StageError } from "../lib/errors.ts";
import type {
  DataFile,
  IngestedTable,
  IngestionManifest,
  ProcessedManifest,
  ProcessedModel,
} from "../lib/manifest.ts";
import { quoteName, quoteNames, quoteText } from "../lib/postgres.ts";
import type { Progress } from "../lib/progress.ts";
import type { ModelSql, ProjectSql } from "../lib/project_sql.ts";
import { QUARANTINE } from "../lib/quarantine_model.ts";
import type { Zone } from "../lib/zone.ts";
import { emptyTableSql, ROW_KEY } from "./arrive.ts";
import {
  brokenKeysSql,
  brokenRule,
  type CheckedRows,
} from "./check_versions.ts";
import {
  type BatchStamp,
  differenceSql,
  emptyModelSql,
  missingKeysSql,
  type ModelColumn,
  openVersionsSql,
  STAMP_COLUMNS,
  versionsSql,
} from "./model_changes.ts";
import {
  changedTables,
  openQuarantine,
  QUARANTINE_AFTER,
  QUARANTINE_BEFORE,
  QUARANTINE_TYPES,
  quarantineStateSql,
  setAside,
} from "./quarantine.ts";
import { writeParquet } from "./write_parquet.ts";

/** What the transform of one batch has at hand. */
export interface BatchWork {
  duckdb: DuckDb;
  sql: ProjectSql;
  columns: ReadonlyMap<string, readonly ModelColumn[]>;
  ingestion: Zone;
  processed: Zone;
  input: IngestionManifest;
  previous: ProcessedManifest | undefined;
  /** The files of a model in all batches before; costs a request for each. */
  earlierFiles: (model: string) => Promise<readonly DataFile[]>;
  runId: string;
  progress: Progress;
  quarantineRowsMax: number;
  /**
   * What holds up this batch or those before it that are not committed yet,
   * by model; a batch that mends it takes it out.
   */
  held: Map<string, HeldModel>;
}

/** Rows of a model that can't be committed as they are. */
export interface HeldModel {
  error: StageError;
  /** Of a set: the tables that have to be read whole to mend it. */
  unread: ReadonlySet<string>;
}

/** What a batch adds to the lake. */
export type BatchContent = Pick<
  ProcessedManifest,
  "models" | "state" | "quarantined" | "postponed"
>;

/** A relation of the batch before and the one after it, as names or SQL. */
interface StateChange {
  before: string;
  after: string;
}

/**
 * Makes one batch of the lake from one batch of the ingestion zone and writes
 * its files; nothing is committed here. What breaks a rule is left as the batch
 * before had it, and held: unless a later batch mends it, nothing may be
 * committed. Throws a `StageError` when a file is damaged.
 */
export async function transformBatch(work: BatchWork): Promise<BatchContent> {
  const { input, ingestion } = work;
  const changed = changedTables(input);
  const files = [...changed.values()].flatMap((table) => [
    ...table.rows,
    ...table.deletes,
  ]);
  const intact = checkFiles(ingestion, files);
  const content: BatchContent = {
    models: {},
    state: { ...work.previous?.state },
    quarantined: work.previous?.quarantined ?? 0,
    ...work.previous?.postponed === undefined
      ? {}
      : { postponed: work.previous.postponed },
  };
  const [, made] = await Promise.allSettled([
    intact,
    make(work, { changed, content }),
  ]);
  // A damaged file explains whatever else went wrong with it.
  await intact;
  if (made.status === "fulfilled") return content;
  const cause = isForeign(made.reason) ? duckDbCause(made.reason) : undefined;
  if (cause === undefined) throw made.reason;
  throw new StageError(
    `Cannot make batch ${input.batch}: ${messageOf(made.reason)}`,
    { subject: work.processed.url, ...cause, cause: made.reason },
  );
}

async function make(
  work: BatchWork,
  options: {
    changed: ReadonlyMap<string, IngestedTable>;
    content: BatchContent;
  },
): Promise<void> {
  const { sql } = work;
  const { changed, content } = options;
  if (changed.size === 0) return;
  await makeQuarantine(work, options);
  await makeCurrent(work, options);
  for (const model of sql.models) {
    if (!isAffected(work, { changed, model })) continue;
    const made = await makeModel(work, { ...options, model });
    if (made !== undefined) content.models[model.name] = made;
  }
}

/** Whether the batch may change the model, or an earlier one left it behind. */
function isAffected(
  work: BatchWork,
  options: { changed: ReadonlyMap<string, IngestedTable>; model: ModelSql },
): boolean {
  const { changed, model } = options;
  return model.reads.some((table) => changed.has(table)) ||
    isPostponed(work, model);
}

function isPostponed(
  { previous }: BatchWork,
  { name }: Pick<ModelSql, "name">,
): boolean {
  return previous?.postponed?.includes(name) === true;
}

/** Brings the tables that joined models read to the end of this batch. */
async function makeCurrent(
  work: BatchWork,
  options: {
    changed: ReadonlyMap<string, IngestedTable>;
    content: BatchContent;
  },
): Promise<void> {
  const { duckdb, sql } = work;
  const { changed, content } = options;
  const joins = sql.models.filter((model) => model.derivation === "join");
  const affected = joins.filter((model) =>
    isAffected(work, { changed, model })
  );
  const needed = new Set(affected.flatMap((model) => model.reads));
  for (const table of sql.tables.filter((one) => needed.has(one.name))) {
    const name = quoteName(table.name);
    const columns = quoteNames(table.columns.map((column) => column.name));
    const key = quoteNames(table.key);
    const state = await stateBefore(work, currentState(table.name));
    if (state === undefined) await checkWhole(work, table.name);
    await duckdb.run(
      `create or replace table before.${name} as ` +
        (state === undefined ? emptyTableSql(table) : `from ${
          readColumnsSql(
            work.processed,
            [state],
            table.columns.map((column) => ({
              name: column.name,
              type: typeSql(column.type),
            })),
          )
        }`),
    );
    await duckdb.run(
      `create or replace table after.${name} as
      select ${columns} from before.${name} where (${key}) not in (
        select (${key}) from changed.${name}
        union all select (${key}) from deleted.${name}
      ) ${
        changed.get(table.name)?.fullRead === undefined
          ? ""
          : `and (${key}) in (select (${key}) from arrived.${name})`
      } union all select ${columns} from changed.${name}`,
    );
    if (!changed.has(table.name)) continue;
    await keepState(work, {
      name: currentState(table.name),
      select: `select * from after.${name} order by ${key}`,
      content,
    });
  }
}

/**
 * Where no table is kept, all of its rows must be in this batch: a join that
 * newly reads it would miss the others without a word.
 */
async function checkWhole(work: BatchWork, name: string): Promise<void> {
  const ingested = work.input.tables[name];
  if (work.previous === undefined || ingested === undefined) return;
  if (ingested.fullRead !== undefined) return;
  const [found] = await work.duckdb.rows(
    `select (select count(*) from arrived.${quoteName(name)})
      + (select count(*) from ${QUARANTINE_AFTER}
        where table_name = ${quoteText(name)})
      - (select count(*) from quarantined.${quoteName(name)}) as rows`,
  );
  const missing = ingested.sourceRows - Number(found?.rows);
  if (missing <= 0) return;
  throw new StageError(
    `Cannot join "${name}" in batch ${work.input.batch}: it was not kept so far, and ${missing} of its ${ingested.sourceRows} rows came in batches before`,
    {
      subject: name,
      hint:
        `A model has come to read it: make the lake anew with \`deno task rebuild processed\`. After the next such change, run extract --full=${name} before transform`,
    },
  );
}

async function makeModel(
  work: BatchWork,
  options: {
    changed: ReadonlyMap<string, IngestedTable>;
    content: BatchContent;
    model: ModelSql;
  },
): Promise<ProcessedModel | undefined> {
  switch (options.model.derivation) {
    case "row":
      return await makeRows(work, options);
    case "join":
      return await makeJoin(work, options);
    case "set":
      return await makeSet(work, options);
  }
}

/**
 * One row for one source row: what changed there is what changes here, and a
 * row that the model leaves out is none of it any more.
 */
async function makeRows(
  work: BatchWork,
  options: { changed: ReadonlyMap<string, IngestedTable>; model: ModelSql },
): Promise<ProcessedModel | undefined> {
  const { model } = options;
  const [source = ""] = model.reads;
  const columns = columnsOf(work, model.name);
  const published = await inTable(
    work,
    `result_before.${quoteName(model.name)}`,
    await publishedSql(work, { ...options, columns }),
  );
  const keysOf = (schema: string, where = "") =>
    `select ${
      model.key.map((name) => keyOfSource(columns, name)).join(", ")
    } from ${schema}.${quoteName(source)} as source ${where}`;
  const all = `select ${quoteNames(model.key)} from (${model.sql})`;
  const leftOut = work.previous === undefined
    ? ""
    : published === undefined
    ? ` union (${keysOf("changed")} except ${all})`
    // What it does not hold is gone, also where nobody noticed.
    : ` union (select ${quoteNames(model.key)} from (${published})
        except ${all} except ${
      keysOf(
        "arrived",
        `where ${ROW_KEY} in (
          select row_key from quarantined.${quoteName(source)})`,
      )
    })`;
  const write = async ({ part, rows }: { part: number; rows: string }) =>
    await writeVersions(work, {
      part,
      model,
      columns,
      // A full read says nothing of what changed: contents do.
      changed: published === undefined ? rows : await inTable(
        work,
        `result_after.${quoteName(model.name)}`,
        differenceSql(columns, { of: rows, without: published }),
      ),
      deleted: `${keysOf("deleted")}${leftOut}`,
    });
  if (options.changed.get(source)?.fullRead !== undefined) {
    work.held.delete(model.name);
  } else {
    await releaseRows(work, {
      model,
      touched: `${keysOf("arrived")} union ${keysOf("gone")}`,
    });
  }
  const made = await write({ part: 1, rows: model.sql });
  const [file] = made?.files ?? [];
  if (file === undefined) return undefined;
  const kept = await holdRows(work, {
    model,
    columns,
    rows: readParquetSql(work.processed, [file]),
    areVersions: true,
    batch: work.input.batch,
  });
  if (kept === undefined) return made;
  await work.processed.remove(file.key);
  return await write({ part: 2, rows: kept });
}

/** Rows that were held are mended when they come again, or are gone. */
async function releaseRows(
  { duckdb, held }: BatchWork,
  options: { model: ModelSql; touched: string },
): Promise<void> {
  const { model, touched } = options;
  if (!held.has(model.name)) return;
  const name = `held.${quoteName(model.name)}`;
  await duckdb.run(
    `create or replace table ${name} as from ${name} except (${touched})`,
  );
  const [left] = await duckdb.rows(`select count(*) as keys from ${name}`);
  if (left?.keys === "0") held.delete(model.name);
}

/**
 * Holds the keys whose rows break a rule; gives SQL for the rows without
 * them, undefined when there are none.
 */
async function holdRows(
  { duckdb, held }: BatchWork,
  checked: CheckedRows & { model: ModelSql },
): Promise<string | undefined> {
  const { model } = checked;
  const error = await brokenRule(duckdb, checked);
  if (error === undefined) return undefined;
  const name = `held.${quoteName(model.name)}`;
  const before = held.has(model.name) ? `from ${name} union ` : "";
  await duckdb.run(
    `create or replace table ${name} as ${before}${brokenKeysSql(checked)}`,
  );
  held.set(model.name, { error, unread: new Set() });
  const isSame = model.key.map(quoteName).map((column) =>
    `bad.${column} is not distinct from made.${column}`
  );
  return `select * from (${model.sql}) as made where not exists (
    select 1 from ${name} as bad where ${isSame.join(" and ")})`;
}

/** A column of a row model's key, from its source's. */
function keyOfSource(columns: readonly ModelColumn[], name: string): string {
  const column = columns.find((one) => one.name === name);
  if (column?.source === undefined) throw new Error(`No source of "${name}"`);
  return `cast(source.${quoteName(column.source)} as ${column.type}) as ${
    quoteName(name)
  }`;
}

/**
 * Keeps what a query gives in a table, and gives SQL for that: what reads it
 * does not need the memory that the query took at the same time.
 */
async function inTable<Sql extends string | undefined>(
  { duckdb }: BatchWork,
  table: string,
  select: Sql,
): Promise<Sql | string> {
  if (select === undefined) return select;
  await duckdb.run(`create or replace table ${table} as ${select}`);
  return `from ${table}`;
}

/** A join: what its result holds otherwise than before the batch. */
async function makeJoin(
  work: BatchWork,
  options: {
    changed: ReadonlyMap<string, IngestedTable>;
    content: BatchContent;
    model: ModelSql;
  },
): Promise<ProcessedModel | undefined> {
  const { model, content } = options;
  const name = quoteName(model.name);
  const columns = columnsOf(work, model.name);
  const published = await publishedSql(work, { ...options, columns });
  const sides = published === undefined ? ["before", "after"] : ["after"];
  for (const side of sides) {
    for (const table of model.reads.map(quoteName)) {
      await work.duckdb.run(
        `create or replace view current.${table} as
        select * from ${side}.${table}`,
      );
    }
    await work.duckdb.run(
      `create or replace table result_${side}.${name} as ${model.sql}`,
    );
  }
  const error = await brokenRule(work.duckdb, {
    model,
    columns,
    rows: `result_after.${name}`,
    areVersions: false,
    batch: work.input.batch,
  });
  postpone(content, { model, isPostponed: error !== undefined });
  if (error !== undefined) {
    work.held.set(model.name, { error, unread: new Set() });
    return undefined;
  }
  work.held.delete(model.name);
  return await writeDifference(work, {
    model,
    columns,
    before: published ?? `from result_before.${name}`,
    after: `from result_after.${name}`,
  });
}

/** Writes down which joins the next batch has to compare with the lake. */
function postpone(
  content: BatchContent,
  { model, isPostponed }: { model: ModelSql; isPostponed: boolean },
): void {
  const others = (content.postponed ?? []).filter((name) =>
    name !== model.name
  );
  const postponed = isPostponed ? [...others, model.name] : others;
  if (postponed.length > 0) content.postponed = postponed;
  else delete content.postponed;
}

/** A set: what it does not hold yet. */
async function makeSet(
  work: BatchWork,
  options: {
    changed: ReadonlyMap<string, IngestedTable>;
    model: ModelSql;
    content: BatchContent;
  },
): Promise<ProcessedModel | undefined> {
  const { model, content } = options;
  const name = quoteName(model.name);
  const columns = columnsOf(work, model.name);
  const state = await stateBefore(work, knownState(model.name));
  const names = quoteNames(columns.map((column) => column.name));
  const known = state === undefined
    ? emptyModelSql(columns)
    : `from ${readColumnsSql(work.processed, [state], columns)}`;
  const published = await publishedSql(work, { ...options, columns });
  await work.duckdb.run(
    `create or replace table known_before.${name} as ${published ?? known}`,
  );
  const key = quoteNames(model.key);
  // What is null in a key is in no list of keys: it must be seen all the same.
  await work.duckdb.run(
    `create or replace table known_after.${name} as select ${names}
    from (${model.sql}) where ((${key}) in (
      select (${key}) from known_before.${name}
    )) is not true`,
  );
  await holdSet(work, { ...options, columns });
  const made = await writeVersions(work, {
    model,
    columns,
    changed: `from known_after.${name}`,
    deleted: `select ${key} from known_after.${name} where false`,
  });
  if (made === undefined) return undefined;
  await keepState(work, {
    name: knownState(model.name),
    select: `from (from known_before.${name} union all from known_after.${name})
      order by ${key}`,
    content,
  });
  return made;
}

/**
 * Takes out what breaks a rule. Which rows of the source a set's row is from
 * is not known, so that only a full read of its tables tells that it is mended.
 */
async function holdSet(
  { duckdb, held, input }: BatchWork,
  options: {
    changed: ReadonlyMap<string, IngestedTable>;
    model: ModelSql;
    columns: readonly ModelColumn[];
  },
): Promise<void> {
  const { changed, model, columns } = options;
  const name = `known_after.${quoteName(model.name)}`;
  const unread = new Set(
    [...held.get(model.name)?.unread ?? []].filter((table) =>
      changed.get(table)?.fullRead === undefined
    ),
  );
  const checked: CheckedRows = {
    model,
    columns,
    rows: name,
    areVersions: false,
    batch: input.batch,
  };
  const error = await brokenRule(duckdb, checked);
  if (error !== undefined) {
    model.reads.filter((table) => changed.has(table))
      .forEach((table) => unread.add(table));
    const isSame = model.key.map(quoteName).map((column) =>
      `bad.${column} is not distinct from made.${column}`
    );
    await duckdb.run(
      `create or replace table ${name} as select made.* from ${name} as made
      anti join (${brokenKeysSql(checked)}) as bad on ${isSame.join(" and ")}`,
    );
  }
  const cause = error ?? held.get(model.name)?.error;
  if (cause === undefined || unread.size === 0) held.delete(model.name);
  else held.set(model.name, { error: cause, unread });
}

/** Rows that can't be read: what is set aside, and what is released. */
async function makeQuarantine(
  work: BatchWork,
  options: {
    changed: ReadonlyMap<string, IngestedTable>;
    content: BatchContent;
  },
): Promise<void> {
  const { duckdb, processed, sql } = work;
  const { changed, content } = options;
  const published = await publishedSql(work, {
    changed,
    model: { ...QUARANTINE, reads: sql.tables.map((table) => table.name) },
    columns: QUARANTINE_TYPES,
  });
  await openQuarantine(
    duckdb,
    published ??
      quarantineStateSql(await stateBefore(work, QUARANTINE.name), processed),
  );
  content.quarantined = await setAside(duckdb, work);
  await checkQuarantine(work, content.quarantined);
  const made = await writeDifference(work, {
    model: QUARANTINE,
    columns: QUARANTINE_TYPES,
    before: `from ${QUARANTINE_BEFORE}`,
    after: `from ${QUARANTINE_AFTER}`,
  });
  if (made === undefined) return;
  content.models[QUARANTINE.name] = made;
  await keepState(work, {
    name: QUARANTINE.name,
    select: `from ${QUARANTINE_AFTER} order by table_name, row_key`,
    content,
  });
}

/**
 * When a table that the model reads came whole, or the batch before left the
 * model behind: SQL for what the lake holds of it, as it was published. Whatever
 * drifted is mended against it.
 */
async function publishedSql(
  work: BatchWork,
  options: {
    changed: ReadonlyMap<string, IngestedTable>;
    model: Pick<ModelSql, "name" | "key" | "reads">;
    columns: readonly ModelColumn[];
  },
): Promise<string | undefined> {
  const { changed, model, columns } = options;
  const whole = model.reads.some((table) =>
    changed.get(table)?.fullRead !== undefined
  );
  const compares = whole || isPostponed(work, model);
  if (!compares || work.previous === undefined) return undefined;
  const files = await work.earlierFiles(model.name);
  return files.length === 0 ? emptyModelSql(columns) : openVersionsSql(model, {
    columns,
    files: readColumnsSql(work.processed, files, [
      ...columns,
      ...STAMP_COLUMNS,
    ]),
  });
}

async function checkQuarantine(
  work: BatchWork,
  quarantined: number,
): Promise<void> {
  const { name } = QUARANTINE;
  if (quarantined <= work.quarantineRowsMax) {
    work.held.delete(name);
    return;
  }
  const [first] = await work.duckdb.rows(
    `from ${QUARANTINE_AFTER} order by table_name, row_key limit 1`,
  );
  const error = new StageError(
    `Cannot read "${first?.table_name}": ${quarantined} rows would be in quarantine, more than the ${work.quarantineRowsMax} that are allowed; the first is ${first?.row_key}: ${first?.reason}`,
    {
      subject: first?.table_name ?? "",
      dataCheck: true,
      hint:
        "Repair the rows in the source, or raise QUARANTINE_ROWS_MAX, then run all stages again",
    },
  );
  work.held.set(name, { error, unread: new Set() });
}

async function writeDifference(
  work: BatchWork,
  options: StateChange & {
    model: Pick<ModelSql, "name" | "key">;
    columns: readonly ModelColumn[];
  },
): Promise<ProcessedModel | undefined> {
  const { model, columns, before, after } = options;
  return await writeVersions(work, {
    model,
    columns,
    changed: differenceSql(columns, { of: after, without: before }),
    deleted: missingKeysSql(model.key, { of: before, without: after }),
  });
}

async function writeVersions(
  work: BatchWork,
  options: {
    model: Pick<ModelSql, "name" | "key">;
    columns: readonly ModelColumn[];
    changed: string;
    deleted: string;
    /** Which of the batch's files it is; the first, if it is not said. */
    part?: number;
  },
): Promise<ProcessedModel | undefined> {
  const { duckdb, input, processed, runId, progress } = work;
  const { model, columns, changed, deleted, part = 1 } = options;
  const { batch, snapshotTime } = input;
  const stamp: BatchStamp = { batch, snapshotTime };
  const file = await writeParquet(
    duckdb,
    versionsSql(model, { columns, changed, deleted, stamp }),
    {
      zone: processed,
      key: dataKey(model.name, { batch, runId, part: `${part}.parquet` }),
    },
  );
  if (file === undefined) return undefined;
  progress.add({ bytes: file.bytes });
  const [counted] = await duckdb.rows(
    `select count(*) as deletes from ${readParquetSql(processed, [file])}
    where is_delete`,
  );
  return { files: [file], deletes: Number(counted?.deletes) };
}

/** What the batch before left under a name, checked before it is read. */
async function stateBefore(
  work: BatchWork,
  name: string,
): Promise<DataFile | undefined> {
  const state = work.previous?.state[name];
  if (state !== undefined) await checkFiles(work.processed, [state]);
  return state;
}

async function keepState(
  work: BatchWork,
  options: { name: string; select: string; content: BatchContent },
): Promise<void> {
  const { name, select, content } = options;
  const { batch } = work.input;
  const key = dataKey(`_state/${name}`, {
    batch,
    runId: work.runId,
    part: "1.parquet",
  });
  const file = await writeParquet(work.duckdb, select, {
    zone: work.processed,
    key,
  });
  if (file === undefined) delete content.state[name];
  else content.state[name] = file;
}

/** Under which name a manifest keeps a table that joined models read. */
export function currentState(table: string): string {
  return `current.${table}`;
}

function knownState(model: string): string {
  return `known.${model}`;
}

function columnsOf(work: BatchWork, model: string): readonly ModelColumn[] {
  const columns = work.columns.get(model);
  if (columns === undefined) throw new Error(`No columns of "${model}"`);
  return columns;
}
