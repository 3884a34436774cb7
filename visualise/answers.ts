import type { Subject } from "../lib/project/dashboard.ts";
import type { TextRow } from "../lib/sql/quote.ts";
import type { ModelSql } from "../lib/project/project_sql.ts";
import type { Company } from "./company.ts";
import {
  compareVersions,
  HIDDEN,
  readHistory,
} from "./records/fact_changes.ts";
import type { FigureFilters, Figures } from "./figures/figures.ts";
import { chosenDays, twelveMonthsTo } from "./figures/period.ts";
import { currenciesOf } from "./figures/shown_figures.ts";
import { nameColumns } from "./records/record_names.ts";
import {
  batchModelsSql,
  changesSql,
  historySql,
} from "./records/record_history_sql.ts";
import { readWorth } from "./figures/batch_worth.ts";
import { boardsOf, namesSql, rowsSql } from "./figures/subject_sql.ts";
import type { Warehouse } from "./warehouse.ts";

/** Where answers come from. */
export interface Sources {
  company: Company;
  warehouse: Warehouse;
  figures: Figures;
}

/** Names to filter by, by dimension. */
export type Names = NonNullable<FigureFilters["names"]>;

const CHANGES_MAX = 200;
const FINDINGS_MAX = 200;
const ROWS_MAX = 200;
/** What the query of rows has beside the columns of the subject's select. */
const OF_THE_QUERY = /^(?:matching rows|record day|dimension \d+)$/;
/** The names in the field of the filters. */
const NAMES_MAX = 2000;

/**
 * Reads the figures as of a batch; days: from, to, period. Unless days or the
 * period `all` were chosen, they are those of the last twelve months, if the
 * first subject with a figure has any there. What is stacked by state is of any
 * day: what is overdue stays so.
 */
export async function readOverview(
  { company, warehouse, figures }: Sources,
  { batch, days: [from = null, to = null, asked], names }: {
    batch: number;
    days: (string | null)[];
    names: Names;
  },
) {
  const subjects = await company.subjects();
  const [[ledger], offered] = await Promise.all([
    warehouse.ask("batch", [batch]),
    readOffered(warehouse, { batch, subjects }),
  ]);
  const day = ledger?.snapshot_time?.slice(0, 10) ?? "";
  const at = { batch, day };
  const all = await figures.read(at, { from, to, names }, subjects);
  const timed = subjects.filter(({ states }) => states === undefined);
  const isChosen = from !== null || to !== null;
  const recent = twelveMonthsTo(day);
  const months = timed.map(({ name }) => all[name]?.month ?? [])
    .find(({ length }) => length > 0);
  const isFiltered = Object.keys(names).length > 0;
  const isRecent = !isChosen && asked !== "all" &&
    (months?.some(({ month }) =>
      (month ?? "") >= (recent.shown.from ?? "").slice(0, 7)
    ) ?? isFiltered);
  const period = isRecent ? recent : chosenDays({ from, to }, day);
  const shown = isRecent
    ? await figures.read(at, { ...recent.shown, names }, timed)
    : {};
  const shownFigures = { ...all, ...shown };
  return {
    snapshot_time: ledger?.snapshot_time,
    period: isRecent ? "12m" : isChosen ? "days" : "all",
    from: period?.shown.from ?? null,
    currencies: currenciesOf(shownFigures, subjects, company.settings.currency),
    figures: shownFigures,
    before: period === undefined ? null : {
      ...period.before,
      figures: await figures.read(
        at,
        { ...period.before, names },
        timed,
        shownFigures,
      ),
    },
    offered,
  };
}

/** Reads the names that the field of the filters offers. */
async function readOffered(
  warehouse: Warehouse,
  { batch, subjects }: { batch: number; subjects: readonly Subject[] },
) {
  const dimension = subjects.flatMap(boardsOf)[0];
  const text = dimension && namesSql(dimension);
  if (dimension === undefined || text === undefined) return null;
  const rows = await warehouse.ask({
    name: `names of ${dimension.name}`,
    text,
  }, [batch, NAMES_MAX]);
  return { dimension: dimension.name, names: rows.map(({ name }) => name) };
}

/** Reads the rows behind a figure, and how many there are in all. */
export async function readRows(
  { company, warehouse }: Sources,
  { subject, batch, days, names }: {
    subject: Subject;
    batch: number;
    days: (string | null)[];
    names: Names;
  },
) {
  const [ledger] = await warehouse.ask("batch", [batch]);
  const rows = await warehouse.ask({
    name: `rows of ${subject.name}`,
    text: rowsSql(subject),
  }, [
    batch,
    ledger?.snapshot_time?.slice(0, 10) ?? null,
    ...days,
    ROWS_MAX,
    ...subject.dimensions.map(({ name }) => names[name] ?? null),
  ]);
  const { recordId } =
    company.sql.models.find(({ name }) => name === subject.fact) ?? {};
  const named = (column: string, row: Record<string, string | null>) =>
    subject.dimensions.flatMap((one, index) =>
      one.column === column
        ? [[one.name, row[`dimension ${index}`] ?? null]]
        : []
    );
  return {
    matching: Number(rows[0]?.["matching rows"] ?? 0),
    // Names stand where the select has what refers to them.
    rows: rows.map((row) =>
      Object.fromEntries(
        Object.entries(row)
          .filter(([name]) =>
            !OF_THE_QUERY.test(name) && !HIDDEN.test(name) && name !== recordId
          )
          .flatMap(([name, value]) => {
            const names = named(name, row);
            return [
              ...names.length === 0 || subject.key.includes(name)
                ? [[name, value]]
                : [],
              ...names,
            ];
          }),
      )
    ),
  };
}

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
