import { emptyModelSql } from "../../lib/models/empty_relation.ts";
import type { ModelColumn } from "../../lib/models/model_column.ts";
import type {
  IngestedTable,
  ProcessedModel,
} from "../../lib/batches/manifest.ts";
import { readColumnsSql } from "../../lib/duckdb/data_files.ts";
import { quoteName, quoteNames } from "../../lib/sql/quote.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import {
  type BatchContent,
  type BatchWork,
  columnsOf,
  keepState,
  publishedSql,
  stateBefore,
} from "../batches/batch_work.ts";
import {
  brokenKeysSql,
  brokenRule,
  type CheckedRows,
} from "../checks/broken_rule.ts";
import { writeVersions } from "../files/write_versions.ts";

/** Makes a set: the rows that it does not hold yet. */
export async function makeSet(
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
  // A null in a key is in no list of keys, but must be seen all the same.
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
 * Removes rows that break a rule. It is unknown which source rows a set's row
 * comes from, so only a full read of its tables shows that it is repaired.
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

/** The name under which a manifest keeps a set's rows. */
export function knownState(model: string): string {
  return `known.${model}`;
}
