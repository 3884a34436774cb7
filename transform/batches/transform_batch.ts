import type {
  IngestedTable,
  ProcessedModel,
} from "../../lib/batches/manifest.ts";
import { checkFiles } from "../../lib/batches/check_files.ts";
import { duckDbCause } from "../../lib/duckdb/duckdb_error.ts";
import { whileIntact } from "../../lib/duckdb/while_intact.ts";
import { quoteNames } from "../../lib/sql/quote.ts";
import { isForeign, messageOf, StageError } from "../../lib/errors.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import {
  type BatchContent,
  type BatchWork,
  columnsOf,
  contentBefore,
  isAffected,
  publishedSql,
} from "./batch_work.ts";
import { makeByEngine } from "../engine/make_by_engine.ts";
import { makeCurrent } from "../tables/make_current.ts";
import { makeJoin, postpone } from "../models/make_join.ts";
import { makeQuarantine } from "../tables/make_quarantine.ts";
import { makeRows } from "../models/make_rows.ts";
import { makeSet } from "../models/make_set.ts";
import { changedTables } from "../tables/quarantine.ts";
import { removeTyped } from "../tables/land_table.ts";
import { notesFolder } from "../shares/share_note.ts";
import { filesOf, sourcesOf, type TypedTable } from "../shares/typed_table.ts";
import {
  earlierFault,
  isQueryFault,
  modelFault,
} from "../checks/query_fault.ts";

/**
 * Makes one batch of the lake from one batch of the ingestion zone and writes
 * its files; nothing is committed here. Rows that break a rule stay as the
 * batch before had them, and are held: unless a later batch repairs them,
 * nothing may be committed. Throws a `StageError` if a file is damaged.
 */
export async function transformBatch(work: BatchWork): Promise<BatchContent> {
  const { input, ingestion, processed, duckdb, sql } = work;
  const { shares = new Map<string, TypedTable>() } = work;
  const typed = sourcesOf(shares.values());
  const changed = changedTables(input);
  const files = [...changed.values()].flatMap((table) => [
    ...table.rows,
    ...table.deletes,
  ]).filter(({ key }) => !typed.has(key));
  const content = contentBefore(work.previous);
  await whileIntact(
    Promise.all([
      checkFiles(ingestion, files),
      checkFiles(processed, filesOf(shares.values()), {
        hint: `Remove ${
          processed.locate(notesFolder(input.batch))
        }, then run transform: it reads the CSV itself`,
      }),
    ]),
    () => makeExplained(work, { changed, content }),
  );
  const shared = sql.tables.filter(({ name }) => shares.has(name));
  await duckdb.run(shared.flatMap(removeTyped).join(";\n"));
  return content;
}

/** Makes the models; DuckDB's own failures become a `StageError` with a hint. */
async function makeExplained(
  work: BatchWork,
  options: Omit<ModelOptions, "model">,
): Promise<void> {
  try {
    await make(work, options);
  } catch (error) {
    const cause = isForeign(error) ? duckDbCause(error) : undefined;
    if (cause === undefined) throw error;
    throw new StageError(
      `Cannot make batch ${work.input.batch}: ${messageOf(error)}`,
      { subject: work.processed.url, ...cause, cause: error },
    );
  }
}

async function make(
  work: BatchWork,
  options: Omit<ModelOptions, "model">,
): Promise<void> {
  const { sql } = work;
  const { changed, content } = options;
  await makeQuarantine(work, options);
  const lacking = await makeCurrent(work, options);
  for (const model of sql.models) {
    if (!isAffected(work, { changed, model })) continue;
    const error = model.derivation === "join"
      ? model.reads.map((table) => lacking.get(table)).find(isError)
      : undefined;
    if (error !== undefined) {
      postpone(content, { model, isPostponed: true });
      work.held.set(model.name, { error, unread: new Set() });
      continue;
    }
    const made = await makeModel(work, { ...options, model });
    if (made !== undefined) content.models[model.name] = made;
  }
}

function isError(error: StageError | undefined): error is StageError {
  return error !== undefined;
}

/**
 * Makes a model's versions. If its query fails at a row, the model stays as the
 * batch before had it, and is held: a join until its query gives a result,
 * others until the changed tables are read in full.
 */
async function makeModel(
  work: BatchWork,
  options: ModelOptions,
): Promise<ProcessedModel | undefined> {
  const { changed, content, model } = options;
  try {
    return await computeModel(work, options);
  } catch (error) {
    if (!isQueryFault(error)) throw error;
    await checkEarlier(work, options);
    const isJoin = model.derivation === "join";
    if (isJoin) postpone(content, { model, isPostponed: true });
    const unread = isJoin ? [] : [
      ...work.held.get(model.name)?.unread ?? [],
      ...model.reads.filter((table) => changed.has(table)),
    ];
    work.held.set(model.name, {
      error: modelFault(error, { model, batch: work.input.batch }),
      unread: new Set(unread),
    });
    return undefined;
  }
}

/**
 * Throws a `StageError` if the rows that the model is compared with can't be
 * read as its columns' types: then no row of this batch is at fault.
 */
async function checkEarlier(
  work: BatchWork,
  options: ModelOptions,
): Promise<void> {
  const { name } = options.model;
  const columns = columnsOf(work, name);
  const published = await publishedSql(work, { ...options, columns });
  if (published === undefined) return;
  const names = quoteNames(columns.map((column) => column.name));
  try {
    await work.duckdb.rows(
      `select bit_xor(hash(${names})) from (${published})`,
    );
  } catch (error) {
    if (!isQueryFault(error)) throw error;
    throw earlierFault(error, { name, batch: work.input.batch });
  }
}

/** Options for making a model. */
interface ModelOptions {
  changed: ReadonlyMap<string, IngestedTable>;
  content: BatchContent;
  model: ModelSql;
}

async function computeModel(
  work: BatchWork,
  options: ModelOptions,
): Promise<ProcessedModel | undefined> {
  const byEngine = await makeByEngine(work, options);
  if ("made" in byEngine) return byEngine.made;
  const model = { ...options.model, sql: byEngine.sql };
  switch (model.derivation) {
    case "row":
      return await makeRows(work, { ...options, model });
    case "join":
      return await makeJoin(work, { ...options, model });
    case "set":
      return await makeSet(work, { ...options, model });
  }
}
