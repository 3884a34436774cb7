import type {
  IngestedTable,
  ProcessedModel,
} from "../../lib/batches/manifest.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import { findAffectedRows } from "./affected_rows.ts";
import {
  type BatchContent,
  type BatchWork,
  columnsOf,
  publishedSql,
} from "../batches/batch_work.ts";
import { brokenRule } from "../checks/broken_rule.ts";
import { writeDifference } from "../files/write_versions.ts";

/**
 * Makes a join: what differs in its result from before the batch, among the
 * rows that the batch may have changed if the query shows which they are.
 */
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
  const affected = published === undefined
    ? await findAffectedRows(work, options)
    : undefined;
  const sides = published === undefined
    ? ["before", "after"] as const
    : ["after"] as const;
  for (const side of sides) {
    const views = model.reads.map((table) =>
      `create or replace view current.${quoteName(table)} as
      from ${side}.${quoteName(table)}`
    );
    if (affected !== undefined) views.push(affected.showSql(side));
    await work.duckdb.run(
      `${views.join(";\n")};
      create or replace table result_${side}.${name} as ${
        affected?.sql ?? model.sql
      }`,
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
