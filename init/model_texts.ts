import { fullName, type SourceColumn } from "./catalogue.ts";
import { canHaveRule, type PlannedColumn } from "./plan_column.ts";
import type { PlannedModel, Star } from "./star.ts";
import { quoteIfNeeded } from "./write_contract.ts";

const LINE = 76;
const WHOLE_OR_YES = /^(smallint|integer|bigint|boolean)$/;
const EXACT = /^numeric\((\d+),(\d+)\)$/;
/** DuckDB's. */
const DIGITS_MAX = 38;

/** The models of a star, by file name. */
export function modelTexts(star: Star): Map<string, string> {
  const texts = new Map(
    star.models.map((model) => [model.name, modelText(model)]),
  );
  const { models, calendar } = star;
  const days = models.flatMap((model) => daysOf(model, calendar));
  if (days.length > 0) texts.set(calendar, calendarText(days));
  return texts;
}

function modelText(model: PlannedModel): string {
  const lines = headerLines(model).map((line) => `-- ${line}`.trimEnd());
  return `${lines.join("\n")}

select
    ${selectList(model).join(",\n    ")}
from changed.${quoteIfNeeded(model.contractName)}
`;
}

function headerLines(
  { table, key, columns, references, notes }: PlannedModel,
): string[] {
  const inModel = key.map((one) =>
    columns.find(({ source }) => source.name === one)?.name ?? one
  );
  const notNull = columns.filter(({ source, name, moment }) =>
    source.notNull && moment === undefined && !inModel.includes(name)
  ).flatMap(({ name, day }) => day === undefined ? [name] : [name, day]);
  const meanings = columns.flatMap((column) => {
    const said = [
      ...column.source.comment === null ? [] : [oneLine(column.source.comment)],
      ...column.moment === undefined ? [] : ["null where it is infinite"],
    ].join("; ");
    return said === "" ? [] : [`  ${quoteIfNeeded(column.name)}: ${said}`];
  });
  return [
    ...wrapped(oneLine(table.comment ?? "") || `Rows of ${fullName(table)}.`)
      .map(withoutLabel),
    "",
    ...wrapped(`Key: ${inModel.map(quoteIfNeeded).join(", ")}.`),
    ...references.size === 0 ? [] : wrapped(
      `References: ${
        [...references].map(([column, to]) =>
          `${quoteIfNeeded(column)} -> ${to}`
        )
          .join(", ")
      }.`,
    ),
    ...notNull.length === 0
      ? []
      : wrapped(`Not null: ${notNull.map(quoteIfNeeded).join(", ")}.`),
    ...meanings.length === 0 ? [] : ["Columns:", ...meanings],
    ...notes.flatMap((note) => ["", ...wrapped(`Left out: ${note}.`)]),
  ];
}

/** What the model selects: all columns as they are, or each by itself. */
function selectList(model: PlannedModel): string[] {
  const { key, columns, references } = model;
  const selected = columns.map((column) => {
    const source = quoteIfNeeded(column.source.name);
    // A key is followed to the source's column, so neither it nor a reference
    // is cast.
    const isKey = key.includes(column.source.name) ||
      references.has(column.name);
    const decimal = decimalOf(model, column);
    const own = decimal !== undefined
      ? `cast(${source} as ${decimal})`
      : column.moment !== undefined
      ? momentSql(column)
      : isKey
      ? source
      : valueSql(column.source, source);
    return {
      isSame: own === quoteIfNeeded(column.name),
      own: own === quoteIfNeeded(column.name)
        ? own
        : `${own} as ${quoteIfNeeded(column.name)}`,
      days: column.day === undefined
        ? []
        : [`${daySql(column)} as ${quoteIfNeeded(column.day)}`],
    };
  });
  // Then a column that the contract gains is in the model as well.
  return selected.every(({ isSame }) => isSame)
    ? ["*", ...selected.flatMap(({ days }) => days)]
    : selected.flatMap(({ own, days }) => [own, ...days]);
}

/**
 * Floats and domains are carried as text; that of a number reads back as the
 * same value.
 */
function valueSql({ type, valueType }: SourceColumn, source: string): string {
  switch (valueType) {
    case "double precision":
      return `cast(${source} as double)`;
    case "real":
      return `cast(${source} as float)`;
  }
  if (type === valueType) return source;
  return WHOLE_OR_YES.test(valueType)
    ? `cast(${source} as ${valueType})`
    : source;
}

/** A date or time that the contract has as text; neither infinity is one. */
export function finiteSql({ source }: PlannedColumn): string {
  return `nullif(nullif(${
    quoteIfNeeded(source.name)
  }, 'infinity'), '-infinity')`;
}

function momentSql(column: PlannedColumn): string {
  return `cast(${finiteSql(column)} as ${column.moment})`;
}

function daySql(column: PlannedColumn): string {
  const { moment, source } = column;
  return moment === "date"
    ? momentSql(column)
    : `cast(${
      moment === undefined ? quoteIfNeeded(source.name) : momentSql(column)
    } as date)`;
}

/** The decimal that a column of a domain becomes in its model, if it does. */
export function decimalOf(
  { key, references }: PlannedModel,
  { source: { name, type, valueType }, name: named }: PlannedColumn,
): string | undefined {
  if (
    type === valueType || key.includes(name) || references.has(named) ||
    !canHaveRule(key)
  ) return undefined;
  const [, digits, scale] = EXACT.exec(valueType) ?? [];
  return digits !== undefined && Number(digits) <= DIGITS_MAX &&
      Number(scale) <= Number(digits)
    ? `decimal(${digits}, ${scale})`
    : undefined;
}

function daysOf(
  { kind, contractName, columns, references }: PlannedModel,
  calendar: string,
): string[] {
  if (kind !== "fact") return [];
  return columns.filter((column) =>
    column.day !== undefined || references.get(column.name) === calendar
  ).map((column) =>
    `    select ${daySql(column)} as date_id
    from changed.${quoteIfNeeded(contractName)}`
  );
}

function calendarText(days: readonly string[]): string {
  return `-- The calendar: every date that a fact names.
--
-- Grain: one row for each date.
-- Key: date_id.
-- Maintained: append only.
-- Columns:
--   day_of_week: from 1, Monday, to 7.
-- Why: the day of the week is counted from 0001-01-01, a Monday, since engines
-- differ in their functions for it.

with dates as (
${
    // A union leaves each date once; a single select does not.
    days.length === 1
      ? days.join().replace("select", "select distinct")
      : days.join("\n    union\n")}
)

select
    date_id,
    cast(extract(year from date_id) as integer) as year,
    cast(extract(quarter from date_id) as integer) as quarter,
    cast(extract(month from date_id) as integer) as month,
    cast(extract(day from date_id) as integer) as day,
    cast(
        date_diff('day', date '0001-01-01', date_id) % 7 + 1 as integer
    ) as day_of_week
from dates
where date_id is not null
`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}

/** Keeps a line of someone's comment from reading as a header's field. */
function withoutLabel(line: string): string {
  return line.replace(/^([a-z]+(?:[ _-][a-z]+)*):/i, "$1 :");
}

/** Wraps text into lines of a header; later lines belong to the first. */
function wrapped(text: string): string[] {
  const lines = [""];
  // A name in quotes stays on one line: its blanks count.
  for (const [word] of text.matchAll(/(?:"(?:[^"]|"")*"|\S)+/g)) {
    const line = lines.at(-1) ?? "";
    if (line !== "" && line.length + word.length >= LINE) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}
