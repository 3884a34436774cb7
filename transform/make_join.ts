import type { IngestedTable, ProcessedModel } from "../lib/batches/manifest.ts";
import { quoteName } from "../lib/postgres/postgres.ts";
import type { ModelSql } from "../lib/project/project_sql.ts";
import {
  type BatchContent,
  type BatchWork,
  columnsOf,
  publishedSql,
} from "./batch_work.ts";
import { brokenRule } from "./check_versions.ts";
import { writeDifference } from "./write_versions.ts";

/** Makes a join: what differs in its result from before the batch. */
export async function makeJoin(
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

/** Records which joins the next batch must compare with the lake. */
export function postpone(
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
