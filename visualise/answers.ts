import type { ModelSql } from "../lib/project/project_sql.ts";
import type { TextRow } from "../lib/sql/quote.ts";
import { readWorth } from "./figures/batch_worth.ts";
import { compareVersions, readHistory } from "./records/fact_changes.ts";
import { nameColumns } from "./records/record_names.ts";
import {
  batchModelsSql,
  changesSql,
  historySql,
} from "./records/record_history_sql.ts";
import type { Sources } from "./sources.ts";

const CHANGES_MAX = 200;
const FINDINGS_MAX = 200;

/** Reads what changed between two batches, by model. */
export async function readChanges(
  { company, warehouse }: Sources,
  { since, batch }: { since: number; batch: number },
) {
  const subjects = await company.subjects();
  const [[asked], [before], worth, ...found] = await Promise.all([
    warehouse.ask("batch", [batch]),
    warehouse.ask("batch", [since]),
    readWorth(warehouse, subjects, { since, batch }),
    ...company.records.map(async (record) => ({
      record,
      // One more than is shown, to find whether there are more.
      rows: await warehouse.ask({
        name: `changes of ${record.model.name}`,
        text: changesSql(record.model),
      }, [since, batch, CHANGES_MAX + 1]),
    })),
  ]);
  const changes = found.flatMap(({ record: { name, title, model }, rows }) =>
    rows.slice(0, CHANGES_MAX).map(({ key, before, after }) => ({
      record: name,
      title,
      model,
      key: JSON.parse(key ?? "[]"),
      ...compareVersions(before, after, model.recordId),
    }))
  );
  const columns = await nameColumns(
    warehouse,
    subjects,
    changes.map((one) => ({
      model: one.model,
      before: since,
      after: batch,
      columns: one.columns,
    })),
  );
  return {
    snapshot_time: asked?.snapshot_time,
    since_time: before?.snapshot_time ?? null,
    changes: changes.map(({ model: _, ...change }, index) => ({
      ...change,
      columns: columns[index],
    })),
    cut: found.filter(({ rows }) => rows.length > CHANGES_MAX)
      .map(({ record }) => record.title),
    most: CHANGES_MAX,
    worth,
  };
}

/**
 * Reads what happened to a record, from its first version on, and its newest
 * version: with the names of the newest batch, or of when it was deleted. Of an
 * earlier batch it reads the version, too; null where there was none.
 */
export async function readRecord(
  { company, warehouse }: Sources,
  { model, key, newest, batch }: {
    model: ModelSql;
    key: string[];
    newest: number;
    batch: number;
  },
) {
  const [ledger] = await warehouse.ask("batch", [batch]);
  const versions = await warehouse.ask({
    name: `history of ${model.name}`,
    text: historySql(model),
  }, key);
  const moments = readHistory(versions, model.recordId);
  const last = versions.at(-1);
  const happened = moments.map((one) => ({
    model,
    before: Number(one.batch) - 1,
    after: Number(one.batch),
    columns: one.columns,
  }));
  const shown = versions.find((one) =>
    Number(one.from_batch) <= batch &&
    (one.to_batch === null || Number(one.to_batch) > batch)
  );
  const stateAt = (version: TextRow | undefined, after: number) => ({
    model,
    before: 0,
    after,
    columns: compareVersions(null, version?.version, model.recordId).columns,
  });
  const columns = await nameColumns(
    warehouse,
    await company.subjects(),
    [
      ...happened,
      stateAt(shown, batch),
      stateAt(last, last?.to_batch == null ? newest : +last.to_batch - 1),
    ],
  );
  return {
    snapshot_time: ledger?.snapshot_time,
    moments: moments.map((one, index) => ({ ...one, columns: columns[index] })),
    shown: shown === undefined ? null : columns.at(-2),
    newest: columns.at(-1) ?? [],
  };
}

/** Reads a batch from the ledger: its models, files, and findings of checks. */
export async function readBatch(
  { company, warehouse }: Sources,
  batch: number,
) {
  const [[ledger], loaded, files, findings] = await Promise.all([
    warehouse.ask("batch", [batch]),
    warehouse.ask({
      name: "batch_models",
      text: batchModelsSql(company.sql.models),
    }, [batch]),
    warehouse.ask("batch_files", [batch]),
    warehouse.ask("batch_findings", [batch, FINDINGS_MAX]),
  ]);
  const sourcesOf = (model: string | null | undefined) =>
    company.sql.models.find(({ name }) => name === model)?.reads.join(", ");
  return {
    ledger,
    models: loaded.map(({ model, ...counts }) => ({
      model,
      made_from: sourcesOf(model),
      ...counts,
    })),
    files,
    found: Number(findings[0]?.total ?? 0),
    findings: findings.map(({ total: _, ...finding }) => finding),
  };
}
