import { quoteName, type TextRow } from "../../lib/sql/quote.ts";
import type {
  Dimension,
  Measure,
  Subject,
} from "../../lib/project/dashboard.ts";
import { RESERVED, titleOf } from "../../lib/project/dashboard_header.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import { HIDDEN } from "../records/fact_changes.ts";

const DAY = /^(?:date|timestamp)/;
const NUMBER = /^(?:smallint|integer|bigint|numeric)$/;
const TEXT = /^(?:text|character)/;
/** Numbers whose sum means nothing. */
const NOT_SUMMED =
  /(?:^|_)(?:id|code|number|no|key|price|rate|share|ratio|discount|percent|year|month|day|latitude|longitude)$/;
/** `grouping`, which tells them and the day apart, takes 31 arguments. */
const DIMENSIONS_MAX = 30;
/** Texts that name a row, and those that many rows share. */
const NAME = /(?:name|title|label|subject)$/i;
const NO_NAME =
  /(?:^|_)(?:currency|state|status|type|kind|role|category|url|language)$/i;
const NOT_NAMED = /[^\p{L}\p{N}_]+/gu;

interface Column {
  name: string;
  type: string;
  refersTo: string | undefined;
}

/**
 * What a dashboard shows of a company that wrote none: each fact by its first
 * day, counted, with the sums of its numbers, and by the dimensions that it
 * refers to, each named by a text of its own. `columns` are those of the
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
    const taken = new Set<string>([...RESERVED, "records", "currency"]);
    const isFree = ({ name }: { name: string }) => {
      const free = name !== "" && !taken.has(name) &&
        name.search(NOT_NAMED) < 0;
      taken.add(name);
      return free;
    };
    const measures = measuresOf(model, own).filter(isFree);
    const dimensions = own.flatMap((column): Dimension[] => {
      if (DAY.test(column.type)) return [];
      const target = models.find(({ name }) => name === column.refersTo);
      const named = target && namedBy(target, columnsOf(target));
      if (named === undefined) return [];
      const name = column.name.replace(/_id$/, "")
        .replaceAll(NOT_NAMED, "_").replaceAll(/^_+|_+$/g, "");
      return [{ name, column: column.name, named }];
    }).filter(isFree).slice(0, DIMENSIONS_MAX);
    const name = model.name.replace(/^fact_/, "");
    return [{
      name,
      fact: model.name,
      key: model.key,
      others: [],
      seesOthers: false,
      select: `select * from ${quoteName(model.name)}`,
      isOfDay: false,
      // Without a day of its own, a record counts since this version of it.
      time: own.find(({ type }) => DAY.test(type))?.name ?? "valid_from",
      measures: [{ name: "records", unit: "count" }, ...measures],
      dimensions,
      cards: [{ name, title: titleOf(name) }],
    }];
  });
}

/** The numbers of a fact whose sums mean something. */
function measuresOf(model: ModelSql, columns: readonly Column[]): Measure[] {
  return columns.filter(({ name, type, refersTo }) =>
    NUMBER.test(type) && !NOT_SUMMED.test(name) && refersTo === undefined &&
    !model.key.includes(name)
  ).map(({ name }) => ({ name, unit: "number" }));
}

/**
 * The text that names a dimension's rows, if facts can refer to it by one
 * column: a name before another text, and one that is never null before one
 * that may be, as a column that no model has any more. Without a text of its
 * own, a row is named by its key.
 */
function namedBy(
  dimension: ModelSql,
  columns: readonly Column[],
): Dimension["named"] {
  const [key, ...others] = dimension.key;
  if (key === undefined || others.length > 0) return undefined;
  const texts = columns.filter(({ name, type }) =>
    TEXT.test(type) && name !== key && !NO_NAME.test(name)
  );
  const rankOf = ({ name }: Column) =>
    (NAME.test(name) ? 2 : 0) +
    (dimension.table.notNull.includes(name) ? 1 : 0);
  const [text] = texts.toSorted((one, other) => rankOf(other) - rankOf(one));
  return {
    model: dimension.name,
    key,
    columns: [text?.name ?? key],
    isCountedByName: false,
  };
}
