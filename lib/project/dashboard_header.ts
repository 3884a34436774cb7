import { agedSql, AGEING, BUCKETS, readDue } from "./ageing.ts";
import type { Card, Dimension, Measure, Subject } from "./dashboard.ts";
import { seesOtherRows, selectProblems } from "./dashboard_select.ts";
import {
  type Field,
  type Header,
  headerFaults,
  listOf,
  readHeader,
} from "./header_fields.ts";
import type { Model } from "./model.ts";
import type { SqlFile } from "./project_sql.ts";
import { withoutComments } from "./tables_read.ts";

/** Names that mean something else in the dashboard's addresses and answers. */
export const RESERVED: readonly string[] = [
  "at",
  "batch",
  "by",
  "detail",
  "figure",
  "from",
  "measure",
  "month",
  "name",
  "period",
  "record",
  "rows",
  "since",
  "to",
  "view",
];
/** The fields that decide something. */
const DECIDING: readonly Field[] = [
  "Record",
  "Time",
  "Measures",
  "Dimensions",
  "Stacked by",
  "Due",
  "Cards",
];
const NAME = /^[\p{L}_][\p{L}\p{N}_]*$/u;
const REFERENCE =
  /^(\w+)(?: -> (\w+)\.(\w+(?: \+ \w+)*))?(, counted by name)?(?:, within (\w+))?$/u;
const MEASURE =
  /^(count|number|money (?:by (\w+)|in ([A-Z]{3})))(?:, (more|less) is good)?$/u;
const NAMES_OF = /^(\w+) is (.+)$/u;
const CARD = /^(.+?)(?:, where (.+))?$/u;

interface Reading {
  models: readonly Model[];
  /** Receives the problems. */
  problems: string[];
}

/**
 * Reads a subject from a file of `sql/dashboard`: a select of one row for each
 * record of a fact, under a header:
 *
 * - `Record`: the fact's model; the select gives its key;
 * - `Time`: the column with the day or time of a record;
 * - `Measures`, and below it an indented line for each: `orders: count`,
 *   `units: number`, `value: money by currency, more is good`, or `money in
 *   GBP`;
 * - `Dimensions`, likewise: `status` is a column of the select; `customer:
 *   customer_id -> dim_customer.company_name` is named in a dimension, `seller:
 *   employee_id -> dim_employee.given_name + family_name, within team` by two of
 *   its columns, and distinguished by another; `counted by name` is for dimensions
 *   with many rows and few names;
 * - `Stacked by`: `state is overdue, due, paid`, the worst first;
 * - `Due`: the column with the day on which a record is due: what is in the worst
 *   state is shown by how long it is past that day, as the dimension `ageing`;
 * - `Cards`, and below it `owed: Owed to us, where kind is RECEIPT, REFUND`; by
 *   default one, named after the file.
 *
 * Undefined if there are problems, which are added to `problems`.
 */
export function readDashboardFile(
  { name, text }: SqlFile,
  { models, problems }: Reading,
): Subject | undefined {
  const before = problems.length;
  const problem = (found: string) =>
    problems.push(`sql/dashboard/${name}.sql: ${found}`);
  headerFaults(text, DECIDING).forEach(problem);
  const header = readHeader(text);
  const said = (field: Field) => listOf(header.fields.get(field) ?? "");
  const [record = ""] = said("Record");
  const model = models.find((one) => one.name === record);
  if (model?.kind !== "fact") {
    problem(
      `its header does not say whose records it selects, as in \`-- Record: ${
        models.find(({ kind }) => kind === "fact")?.name ?? "fact_sale"
      }.\``,
    );
  }
  const [time = ""] = said("Time");
  if (time === "") {
    problem("its header does not say when, as in `-- Time: ordered_on.`");
  }
  const dimensions = readDimensions(header, { models, problem });
  const measures = readMeasures(header, { dimensions, problem });
  const states = namesOf(
    listOf(header.fields.get("Stacked by") ?? "").join(", "),
    { dimensions, problem },
  );
  const due = readDue(said("Due"), { states, dimensions, problem });
  if (due !== undefined) dimensions.push({ name: AGEING, column: AGEING });
  const cards = readCards(header, { name, dimensions, problem });
  const names = [...dimensions, ...measures].map((one) => one.name);
  nameProblems(names).forEach(problem);
  const written = withoutComments(text).replace(/\s*;$/, "");
  if (model?.kind === "fact") {
    selectProblems(written, model.name).forEach(problem);
  }
  if (problems.length > before || model === undefined) return undefined;
  const select = due === undefined ? written : agedSql(written, due);
  const reads = (one: string) => new RegExp(`\\b${one}\\b`, "u").test(select);
  const others = models.map((one) => one.name)
    .filter((one) => one !== model.name && reads(one));
  return {
    name,
    fact: model.name,
    key: model.key,
    others,
    seesOthers: others.length > 0 || seesOtherRows(written, model.name),
    select,
    isOfDay: due !== undefined || reads("as_of"),
    time,
    measures,
    dimensions,
    ...states === undefined ? {} : { states },
    ...due === undefined ? {} : { ageing: BUCKETS.map(({ name }) => name) },
    cards,
  };
}

/** What is wrong with the names of measures and dimensions. */
function nameProblems(names: readonly string[]): string[] {
  return names.flatMap((name, index) => {
    if (!NAME.test(name) || RESERVED.includes(name)) {
      return [`"${name}" can't be the name of a measure or dimension`];
    }
    return names.indexOf(name) === index
      ? []
      : [`"${name}" is the name of two measures or dimensions`];
  });
}

interface Found {
  dimensions: readonly Dimension[];
  problem: (found: string) => void;
}

/** The entries of a field with an indented line for each; a line may go on. */
function entriesOf(header: Header, field: Field): [string, string][] {
  const entries: [string, string][] = [];
  const indentOf = (line: string) => /^\s*/.exec(line)?.[0].length ?? 0;
  const lines = (header.fields.get(field) ?? "").split("\n")
    .filter((line) => line.trim() !== "");
  const [first = ""] = lines;
  for (const line of lines) {
    const last = entries.at(-1);
    if (last !== undefined && indentOf(line) > indentOf(first)) {
      last[1] = `${last[1]} ${line.trim()}`.trim();
      continue;
    }
    const [, name = "", value = ""] = /^\s*([^:]+)(?::\s*(.*))?$/.exec(line) ??
      [];
    entries.push([name.trim(), value.trim()]);
  }
  return entries.map(([name, value]) => [
    name.replace(/[.,]$/, ""),
    value.replace(/[.,]$/, ""),
  ]);
}

function readDimensions(
  header: Header,
  { models, problem }: {
    models: readonly Model[];
    problem: (found: string) => void;
  },
): Dimension[] {
  const dimensions = entriesOf(header, "Dimensions").map(
    ([name, value]): Dimension => {
      const [, column = "", dimension, columns, byName, within] =
        REFERENCE.exec(value || name) ?? [];
      const model = models.find((one) => one.name === dimension);
      const [key] = model?.key ?? [];
      const isOther = dimension !== undefined &&
        (model?.kind !== "dimension" || model.key.length !== 1);
      if (column === "" || isOther) {
        problem(
          `its header says under Dimensions: ${name}: ${value}, which is not of the form \`customer: customer_id -> dim_customer.company_name\``,
        );
      }
      return {
        name,
        column,
        ...key === undefined || dimension === undefined ? {} : {
          named: {
            model: dimension,
            key,
            columns: (columns ?? "").split(" + "),
            isCountedByName: byName !== undefined,
          },
        },
        ...within === undefined ? {} : { within },
      };
    },
  );
  for (const { name, column, within, named } of dimensions) {
    const other = dimensions.find((one) => one.name === within);
    const isSame = other?.column === column &&
      ![named, other.named].some((one) => one?.isCountedByName);
    if (within !== undefined && !isSame) {
      problem(
        `its header says that ${name} is within ${within}, which isn't a dimension of the same column`,
      );
    }
  }
  return dimensions;
}

function readMeasures(
  header: Header,
  { dimensions, problem }: Found,
): Measure[] {
  const measures = entriesOf(header, "Measures").map(
    ([name, value]): Measure => {
      const [, unit = "", by, code, more] = MEASURE.exec(value) ?? [];
      const isKnown = by === undefined ||
        (by === "currency" && dimensions.some((one) => one.name === by));
      if (unit === "" || !isKnown) {
        problem(
          `its header says under Measures: ${name}: ${value}, which is not one of \`count\`, \`number\`, \`money by currency\` (a dimension) and \`money in GBP\``,
        );
      }
      return {
        name,
        unit: unit === "count" || unit === "number" ? unit : "money",
        ...by === undefined && code === undefined
          ? {}
          : { currency: by ?? code ?? "" },
        ...more === undefined ? {} : { moreIsGood: more === "more" },
      };
    },
  );
  return measures.some(({ unit }) => unit === "count")
    ? measures
    : [{ name: "records", unit: "count" }, ...measures];
}

function readCards(
  header: Header,
  { name, ...found }: Found & { name: string },
): Card[] {
  const cards = entriesOf(header, "Cards").map(([card, value]): Card => {
    const [, title = card, where = ""] = CARD.exec(value) ?? [];
    const only = namesOf(where, found);
    return { name: card, title, ...only === undefined ? {} : { only } };
  });
  return cards.length > 0 ? cards : [{ name, title: titleOf(name) }];
}

/** Reads `kind is A, B`; undefined for no text. */
function namesOf(
  text: string,
  { dimensions, problem }: Found,
): { dimension: string; names: string[] } | undefined {
  if (text === "") return undefined;
  const [, dimension = "", names = ""] = NAMES_OF.exec(text) ?? [];
  if (dimensions.some((one) => one.name === dimension)) {
    return { dimension, names: names.split(", ") };
  }
  problem(
    `its header says: ${text}, which is not of the form \`state is overdue, due, paid\` with a dimension`,
  );
}

/** A name as a title: `order_line` is Order line. */
export function titleOf(name: string): string {
  const words = name.replaceAll("_", " ").trim();
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}
