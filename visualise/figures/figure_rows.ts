import type { Subject } from "../../lib/project/dashboard.ts";
import { HIDDEN } from "../records/fact_changes.ts";
import type { Sources } from "../sources.ts";
import type { Names } from "./figures.ts";
import { rowsSql } from "./subject_sql.ts";

const ROWS_MAX = 200;
/** What the query of rows has beside the columns of the subject's select. */
const OF_THE_QUERY = /^(?:matching rows|record day|dimension \d+)$/;

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
