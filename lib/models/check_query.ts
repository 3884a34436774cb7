import type { ContractTable } from "../project/contract.ts";
import { MAINTAINED } from "../project/model.ts";
import type { ModelSql } from "../project/project_sql.ts";
import {
  aggregatesIn,
  type FunctionKinds,
  volatileParts,
} from "./volatile_functions.ts";
import { readsOfOtherRows, rowsIn } from "./reads_of_other_rows.ts";
import { batchReads } from "./check_select.ts";
import { followRow } from "./row_model.ts";
import type { SqlNode } from "./sql_tree.ts";
import { textOf, walk } from "./sql_tree.ts";
import { foldName } from "../sql/fold_name.ts";

/** A query's problems, and the sources of its columns. */
export interface CheckedQuery {
  problems: string[];
  /** For a `row` model: the source column behind each column. */
  sources: ReadonlyMap<string, string>;
}

const NO_SOURCES: ReadonlyMap<string, string> = new Map();

/**
 * Checks that a model's query means the same however its rows are split into
 * batches: each kind reads only what it may, a row depends on one row, and
 * nothing changes by itself.
 */
export function checkModelQuery(
  query: SqlNode,
  options: {
    model: ModelSql;
    tables: readonly ContractTable[];
    kinds: FunctionKinds;
  },
): CheckedQuery {
  const { model, tables, kinds } = options;
  const problems = [
    ...schemaProblems(query, model),
    ...volatileProblems(query, {
      kinds,
      tables: tables.filter((table) => model.reads.includes(table.name)),
    }),
  ];
  if (model.derivation === "set") problems.push(...setProblems(query, kinds));
  if (model.derivation !== "row") return { problems, sources: NO_SOURCES };
  const [name] = model.reads;
  const table = tables.find((one) => one.name === name);
  if (table === undefined || model.reads.length > 1) {
    problems.push(
      `it is maintained ${MAINTAINED.row}, and reads ${
        model.reads.length === 0 ? "no table" : model.reads.join(" and ")
      }`,
    );
    return { problems, sources: NO_SOURCES };
  }
  const { problems: found, sources } = followRow(query, { table, kinds });
  problems.push(
    ...found.map((problem) =>
      `it is maintained ${MAINTAINED.row}, and ${problem}`
    ),
    ...keyProblems(model, { table, sources }),
  );
  return { problems, sources };
}

/** Checks a query for rows that can't be read: it must judge each by itself. */
export function checkQuarantineQuery(
  query: SqlNode,
  options: { table: ContractTable; kinds: FunctionKinds },
): string[] {
  const { table, kinds } = options;
  const reads = batchReads(query).map(({ schema, name }) =>
    `${schema}.${foldName(name)}`
  );
  const own = `arrived.${foldName(table.name)}`;
  return [
    ...reads.filter((read) => read !== own)
      .map((read) => `it reads ${read}, not ${own}`),
    ...reads.length === 0 ? [`it does not read ${own}`] : [],
    ...volatileProblems(query, { kinds, tables: [table] }),
    ...readsOfOtherRows(query, { key: table.key, kinds }),
  ];
}

function schemaProblems(query: SqlNode, model: ModelSql): string[] {
  const schema = model.derivation === "join" ? "current" : "changed";
  const reads = batchReads(query);
  const read = new Set(
    reads.filter((table) => table.schema === schema)
      .map(({ name }) => foldName(name)),
  );
  const unseen = [
    ...read.symmetricDifference(
      new Set(model.reads.map(foldName)),
    ),
  ];
  return [
    ...reads.filter((table) => table.schema !== schema).map((table) =>
      `it is maintained ${
        MAINTAINED[model.derivation]
      }, which reads ${schema}.<table> only, and reads ${table.schema}.${table.name}`
    ),
    ...unseen.map((name) =>
      `whether it reads "${name}" can't be seen from its text: write schema and table plainly`
    ),
  ];
}

function volatileProblems(
  query: SqlNode,
  options: { kinds: FunctionKinds; tables: readonly ContractTable[] },
): string[] {
  const { kinds, tables } = options;
  const columns = tables.flatMap((table) => table.columns)
    .map((column) => column.name);
  const volatile = volatileParts(query, { kinds, columns }).map((part) =>
    `it has ${part}, whose result may differ each time`
  );
  const collations: string[] = [];
  walk(query, (node) => {
    if (node.class === "COLLATE") collations.push(textOf(node.collation));
  });
  return [
    ...volatile,
    ...new Set(
      collations.map((collation) =>
        `it has collate ${collation}, which makes different texts equal: compare lower(x) or the like`
      ),
    ),
  ];
}

/**
 * A set keeps each key's row from the first batch that brings it; its query
 * must give for several batches what it gives for each.
 */
function setProblems(query: SqlNode, kinds: FunctionKinds): string[] {
  const found = aggregatesIn(query, kinds);
  const hasRows = rowsIn(query);
  walk(query, (node) => {
    if (node.class === "WINDOW") found.push("a window function");
    if (node.class === "SUBQUERY" && hasRows(node)) {
      found.push("a subquery of changed rows in an expression");
    }
    if (node.type === "JOIN" && hasRows(node.left) && hasRows(node.right)) {
      found.push("a join of changed rows with others");
    }
    if (["EXCEPT", "INTERSECT"].includes(textOf(node.setop_type))) {
      found.push(textOf(node.setop_type).toLowerCase());
    }
    if (node.type === "PIVOT") found.push("pivot or unpivot");
    if (textOf(node.type).startsWith("RECURSIVE_CTE")) {
      found.push("a recursive query");
    }
    if ([node.modifiers].flat().some((one) => isLimit(one))) {
      found.push("limit or offset");
    }
  });
  return [...new Set(found)].map((part) =>
    `it is maintained ${MAINTAINED.set}, and has ${part}, which sees the rows of one batch`
  );
}

function isLimit(modifier: unknown): boolean {
  return typeof modifier === "object" && modifier !== null &&
    "type" in modifier && textOf(modifier.type).startsWith("LIMIT");
}

function keyProblems(
  model: ModelSql,
  options: { table: ContractTable; sources: ReadonlyMap<string, string> },
): string[] {
  const { table, sources } = options;
  const given = model.key.map((name) => sources.get(foldName(name)));
  const other = model.key.filter((_, index) =>
    !table.key.includes(given[index] ?? "")
  );
  const lacking = table.key.filter((name) => !given.includes(name));
  const isKey = `the key of "${table.name}" (${table.key.join(", ")})`;
  return [
    ...other.map((name) =>
      `its key "${name}" is not an unchanged column of ${isKey}`
    ),
    ...other.length === 0
      ? lacking.map((name) => `its key lacks "${name}" of ${isKey}`)
      : [],
  ];
}
