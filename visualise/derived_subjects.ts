import type { TextRow } from "../lib/postgres/postgres.ts";
import type { Dimension, Measure, Subject } from "../lib/project/dashboard.ts";
import { RESERVED, titleOf } from "../lib/project/dashboard_header.ts";
import type { ModelSql } from "../lib/project/project_sql.ts";
import { HIDDEN } from "./fact_changes.ts";

const DAY = /^(?:date|timestamp)/;
const NUMBER = /^(?:smallint|integer|bigint|numeric)$/;
const TEXT = /^(?:text|character)/;
/** Numbers whose sum means nothing. */
const NOT_SUMMED =
  /(?:^|_)(?:id|code|number|no|key|price|rate|share|ratio|discount|percent|year|month|day|latitude|longitude)$/;
const NOT_NAMED = /[^\p{L}\p{N}_]/u;

interface Column {
  name: string;
  type: string;
  refersTo: string | undefined;
}

/**
 * What a dashboard shows of a company that wrote none: each fact by its first
 * day, counted, with the sums of its numbers, and by the dimensions that it
 * refers to, each named by its first text. `columns` are those of the
 * warehouse.
 */
export function deriveSubjects(
  models: readonly ModelSql[],
  columns: readonly TextRow[],
): Subject[] {
  const columnsOf = (model: ModelSql): Column[] =>
    columns.filter((one) => one.model === model.name)
      .map(({ name, type, refers_to }) => ({
        name: name ?? "",
        type: type ?? "",
        refersTo: model.table.references.get(name ?? "") ?? refers_to ??
          undefined,
      }))
      .filter(({ name }) => !HIDDEN.test(name) && name !== model.recordId);
  return models.filter(({ kind }) => kind === "fact").flatMap((model) => {
    const own = columnsOf(model);
    // Its table is not there yet.
    if (own.length === 0) return [];
    const named = (wanted: string | undefined): Dimension["named"] => {
      const dimension = models.find(({ name }) => name === wanted);
      const [key, ...others] = dimension?.key ?? [];
      if (dimension === undefined || key === undefined || others.length > 0) {
        return undefined;
      }
      const texts = columnsOf(dimension).filter(({ name, type }) =>
        TEXT.test(type) && name !== key
      );
      return {
        model: dimension.name,
        key,
        columns: [texts[0]?.name ?? key],
        isCountedByName: false,
      };
    };
    const dimensions = own.flatMap((column): Dimension[] => {
      const names = DAY.test(column.type) ? undefined : named(column.refersTo);
      if (names === undefined) return [];
      return [{
        name: column.name.replace(/_id$/, ""),
        column: column.name,
        named: names,
      }];
    });
    const referring = own.filter(({ refersTo }) => refersTo !== undefined)
      .map(({ name }) => name);
    const measures = own.filter(({ name, type }) =>
      NUMBER.test(type) && !NOT_SUMMED.test(name) &&
      ![...model.key, ...referring].includes(name)
    ).map(({ name }): Measure => ({ name, unit: "number" }));
    const taken = new Set<string>([...RESERVED, "records", "currency"]);
    const isFree = ({ name }: { name: string }) => {
      const free = !taken.has(name) && !NOT_NAMED.test(name);
      taken.add(name);
      return free;
    };
    const name = model.name.replace(/^fact_/, "");
    return [{
      name,
      fact: model.name,
      key: model.key,
      others: [],
      select: `select * from "${model.name.replaceAll('"', '""')}"`,
      isOfDay: false,
      // Without a day of its own, a record counts since this version of it.
      time: own.find(({ type }) => DAY.test(type))?.name ?? "valid_from",
      measures: [
        { name: "records", unit: "count" },
        ...measures.filter(isFree),
      ],
      dimensions: dimensions.filter(isFree),
      cards: [{ name, title: titleOf(name) }],
    }];
  });
}
