import { IMPOSSIBLE_NAME, OWN_NAMES } from "../lib/project/contract.ts";
import { canRefer } from "../lib/project/derived_table.ts";
import { tableNames } from "../lib/project/source_names.ts";
import { KEY_COLUMNS_MAX } from "../lib/models/check_names.ts";
import {
  type ForeignKey,
  fullName,
  type SourceColumn,
  type SourceTable,
} from "./catalogue.ts";
import { kindOf } from "./model_kind.ts";
import { calendarName, modelNames } from "./model_names.ts";
import { contractOf, planColumn, type PlannedColumn } from "./plan_column.ts";
import { foldName } from "../lib/sql/fold_name.ts";

/** The model that a folder of SQL has for one table, and why. */
export interface PlannedModel {
  table: SourceTable;
  key: readonly string[];
  /** What the contract calls the table. */
  contractName: string;
  /** The model's name: the table's, as a plain name. */
  name: string;
  kind: "fact" | "dimension";
  why: string;
  columns: readonly PlannedColumn[];
  /** The dimension that a column of the model refers to. */
  references: ReadonlyMap<string, string>;
  notes: readonly string[];
}

/**
 * A model that others can refer to, with its key and that key's contract type.
 */
interface Dimension {
  model: string;
  key: string;
  type: string;
  source: SourceColumn;
}

/** A table or column that is left out, and why. */
export interface Skipped {
  what: string;
  why: string;
}

/** The models planned for a source. */
export interface Star {
  models: readonly PlannedModel[];
  /** The name of the model with all dates that facts refer to. */
  calendar: string;
  skipped: readonly Skipped[];
}

/**
 * Decides which tables can be read, which are facts or dimensions, and which
 * refer to which.
 */
export function planStar(tables: readonly SourceTable[]): Star {
  const skipped: Skipped[] = [];
  const keyed = tables.flatMap((table) => {
    const key = keyOf(table);
    const refusal = table.refusal ?? nameProblem(table);
    if (key !== undefined && refusal === undefined) return [{ table, key }];
    skipped.push({
      what: fullName(table),
      why: refusal ??
        `it has no primary key, nor columns that are unique and not null, ${KEY_COLUMNS_MAX} at most, to identify its rows`,
    });
    return [];
  });
  const unique = keyed.filter(({ table }, index) => {
    const first = keyed.findIndex((one) =>
      one.table.schema === table.schema &&
      foldName(one.table.name) === foldName(table.name)
    );
    if (first === index) return true;
    skipped.push({
      what: fullName(table),
      why: `its name differs from that of ${
        fullName(keyed[first]?.table ?? table)
      } only by case, and DuckDB treats them as one`,
    });
    return false;
  });
  const contractNames = tableNames(unique.map(({ table }) => table));
  const kinds = unique.map(({ table }) => kindOf(table, tables));
  const names = modelNames(unique.map((_, index) => ({
    prefix: kinds[index]?.kind === "fact" ? "fact" : "dim",
    name: contractNames[index] ?? "",
  })));
  const calendar = calendarName(names);
  const dimensions = new Map(
    unique.flatMap(({ table, key }, index): [string, Dimension][] => {
      const column = table.columns.find(({ name }) => name === key[0]);
      if (kinds[index]?.kind !== "dimension" || key.length > 1) return [];
      return column === undefined ? [] : [[fullName(table), {
        model: names[index] ?? "",
        key: column.name,
        type: contractOf(column).contract,
        source: column,
      }]];
    }),
  );
  const planned = new Set(unique.map(({ table }) => fullName(table)));
  const models = unique.map(({ table, key }, index) => {
    const { kind = "dimension", why = "" } = kinds[index] ?? {};
    const contractName = contractNames[index] ?? "";
    return planModel({ table, key, kind, why, contractName }, {
      name: names[index] ?? "",
      calendar,
      dimensions,
      planned,
      skipped,
    });
  });
  return { models, calendar, skipped };
}

function planModel(
  given: Pick<PlannedModel, "table" | "key" | "kind" | "why" | "contractName">,
  options: {
    name: string;
    calendar: string;
    dimensions: ReadonlyMap<string, Dimension>;
    /** The tables that have a model. */
    planned: ReadonlySet<string>;
    skipped: Skipped[];
  },
): PlannedModel {
  const { table, key, kind } = given;
  const { name, calendar, dimensions, planned, skipped } = options;
  const notes: string[] = [];
  const taken = new Set(table.columns.map((one) => foldName(one.name)));
  const columns = table.columns.flatMap((source): PlannedColumn[] => {
    const why = columnProblem(source, { columns: table.columns, key });
    if (why === undefined) return [planColumn(source, { kind, taken, key })];
    skipped.push({ what: `${fullName(table)}.${source.name}`, why });
    return [];
  });
  const references = new Map<string, string>();
  for (const foreign of kind === "fact" ? table.foreignKeys : []) {
    const column = columns.find(({ source }) =>
      source.name === foreign.columns[0]
    );
    const to = fullName({ schema: foreign.schema, name: foreign.table });
    const target = dimensions.get(to);
    const problem = planned.has(to)
      ? referenceProblem(foreign, { target, column })
      : `${
        foreign.columns.join(", ")
      } refers to ${to}, which has no model here`;
    if (problem !== undefined) notes.push(problem);
    else if (target !== undefined && column !== undefined) {
      references.set(column.name, target.model);
    }
  }
  // A reference holds what the dimension's key holds.
  const inModel = columns.map((column) =>
    references.has(column.name) ? { ...column, moment: undefined } : column
  );
  for (const { name: column, contract, moment, day } of inModel) {
    if (day !== undefined) references.set(day, calendar);
    else if (
      kind === "fact" && (moment ?? contract) === "date" &&
      !references.has(column)
    ) {
      references.set(column, calendar);
    }
  }
  return { ...given, name, columns: inModel, references, notes };
}

/** Why a column can't be read; undefined if it can. */
function columnProblem(
  source: SourceColumn,
  options: { columns: readonly SourceColumn[]; key: readonly string[] },
): string | undefined {
  if (source.isName) {
    return `it reads as names of other objects (${source.type}), and no row shows when those change`;
  }
  const alike = options.columns.filter(({ name }) =>
    foldName(name) === foldName(source.name)
  );
  const read = alike.find(({ name }) => options.key.includes(name)) ?? alike[0];
  return read === source || read === undefined
    ? columnNameProblem(source)
    : `its name differs from that of ${read.name} only by case, and DuckDB treats them as one`;
}

/** Why a name can't stand in the contract. */
function nameProblem({ name }: { name: string }): string | undefined {
  return IMPOSSIBLE_NAME.test(name)
    ? "its name starts with a space, or has a character that a name can't have"
    : undefined;
}

function columnNameProblem(column: { name: string }): string | undefined {
  return OWN_NAMES.test(column.name)
    ? "the pipeline has a column of that name beside a table's own"
    : nameProblem(column);
}

/** Why a table's reference can't be a model's; undefined if it can. */
function referenceProblem(
  foreign: ForeignKey,
  options: {
    target: Dimension | undefined;
    column: PlannedColumn | undefined;
  },
): string | undefined {
  const { target, column } = options;
  const what = `${foreign.columns.join(", ")} refers to ${
    fullName({ schema: foreign.schema, name: foreign.table })
  }`;
  if (target === undefined || foreign.columns.length > 1) {
    return `${what}, which is not a dimension with a single-column key: join it in a query`;
  }
  const [name = ""] = foreign.targetColumns;
  if (name !== target.key) {
    return `${what} by ${name}, which is not the key of ${target.model}: join it in a query`;
  }
  if (target.source.isLoose || column?.source.isLoose) {
    return `${what} by a type or collation that treats different texts as equal: join it in a query, by lower() for instance`;
  }
  const [own, other] = [column?.source, target.source]
    .map((one) => writtenAs(one?.valueType ?? ""));
  if (
    column?.contract === "text" && target.type === "text" && own !== other
  ) {
    return `${what}, whose key is ${target.source.valueType} and written in another way than ${column.source.valueType}: join it in a query`;
  }
  if (column !== undefined && canRefer(column.contract, target.type)) {
    return undefined;
  }
  return `${what}, whose key is ${target.type} in ${target.model}: cast it to that type to make it a reference`;
}

/**
 * The same for types that write equal values alike: numerics of several scales
 * don't, nor texts that are padded to several lengths.
 */
function writtenAs(type: string): string {
  return type.replace(/^(smallint|integer|bigint)$/, "whole number")
    .replace(/^(text|character varying(\(\d+\))?)$/, "text")
    .replace(/^(timestamp)\(\d\)/, "$1");
}

/** The primary key, or else the first key that is unique and not null. */
function keyOf({ uniqueKeys, columns }: SourceTable) {
  return uniqueKeys.find((key) =>
    key.length <= KEY_COLUMNS_MAX &&
    key.every((name) =>
      columns.some((column) =>
        column.name === name && column.notNull && !column.isName &&
        columnNameProblem(column) === undefined
      )
    )
  );
}
