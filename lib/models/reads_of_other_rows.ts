import { aggregatesIn, type FunctionKinds } from "./volatile_functions.ts";
import {
  ctesOf,
  nodeOf,
  nodesOf,
  type SqlNode,
  textOf,
  textsOf,
  walk,
} from "./sql_tree.ts";
import { structFields } from "./struct_fields.ts";
import { foldName } from "../sql/fold_name.ts";

/**
 * Finds the parts of a quarantine query that look at rows other than the one it
 * judges: it sees the rows of one batch, and which rows share a batch is
 * chance. Rows may be combined by the key, which is one row.
 */
export function readsOfOtherRows(
  query: SqlNode,
  options: { key: readonly string[]; kinds: FunctionKinds },
): string[] {
  const { key, kinds } = options;
  const found = structFields(query, key)
    .map((field) => `it takes columns out of a struct (${field})`);
  const hasRows = rowsIn(query);
  const lists = listsOfConstants(query, { key, hasRows });
  walk(query, (node) => {
    if (node.class === "WINDOW") found.push("it has a window function");
    if (node.class === "SUBQUERY" && hasRows(node)) {
      found.push("it reads the table in an expression");
    }
    if (node.type === "PIVOT") found.push("it has pivot or unpivot");
    if (textOf(node.type).startsWith("RECURSIVE_CTE")) {
      found.push("it has a recursive query");
    }
    for (const { type, ...own } of nodesOf(node.modifiers)) {
      const targets = nodesOf(own.distinct_on_targets);
      if (targets.length > 0 && !named(key, targets)) {
        found.push(`it has distinct on without the key (${key.join(", ")})`);
      }
      if (textOf(type).startsWith("LIMIT")) {
        found.push("it has limit or offset");
      }
    }
    found.push(
      ...key.filter((name) => replaces(node, name, lists)).map((name) =>
        `what it calls "${name}" is not that column of the key, unchanged`
      ),
    );
    if (node.type === "SELECT_NODE" && !groupsBy(node, { key, kinds })) {
      found.push(
        `it groups rows by something other than the key (${key.join(", ")})`,
      );
    }
    if (
      node.type === "JOIN" && hasRows(node.left) && hasRows(node.right) &&
      !joinsBy(node, key)
    ) {
      found.push(
        `it joins rows by something other than the key (${key.join(", ")})`,
      );
    }
  });
  return [...new Set(found)];
}

/** Makes a test of whether a part of the query has the batch's rows in it. */
export function rowsIn(query: SqlNode): (part: unknown) => boolean {
  const ctes = new Map<string, SqlNode>();
  walk(query, (node) => {
    for (const { name, query: own } of ctesOf(node)) ctes.set(name, own);
  });
  const known = new Map<string, boolean>();
  const hasRows = (part: unknown): boolean => {
    let found = false;
    walk(part, (node) => {
      if (node.type !== "BASE_TABLE" || found) return;
      const name = foldName(textOf(node.table_name));
      if (textOf(node.schema_name) !== "") found = true;
      else {
        // For a query that reads itself, its other reads decide.
        if (!known.has(name)) {
          known.set(name, false);
          known.set(name, hasRows(ctes.get(name)));
        }
        found = known.get(name) === true;
      }
    });
    return found;
  };
  return hasRows;
}

/**
 * The parts of a query that have none of the batch's rows and are only compared
 * with: a subquery of an expression, and what rows are joined to by `using` all
 * of the key, also by the name of a CTE. What they call a column comes out
 * nowhere.
 */
function listsOfConstants(
  query: SqlNode,
  options: {
    key: readonly string[];
    hasRows: (part: unknown) => boolean;
  },
): ReadonlySet<SqlNode> {
  const { key, hasRows } = options;
  const found = new Set<SqlNode>();
  const add = (part: unknown) => walk(part, (node) => found.add(node));
  walk(query, (node) => {
    if (node.class === "SUBQUERY" && !hasRows(node)) add(node);
    const { type, join_type: kind, using_columns: using } = node;
    const names = textsOf(using).map(foldName);
    const isByKey = key.every((name) => names.includes(foldName(name)));
    if (type !== "JOIN" || !isByKey || hasRows(node.right)) return;
    if (["INNER", "LEFT", "SEMI", "ANTI"].includes(textOf(kind))) {
      add(node.right);
    }
  });
  const used = new Set<string>();
  walk(query, (node) => {
    if (node.type !== "BASE_TABLE" || found.has(node)) return;
    used.add(foldName(textOf(node.table_name)));
  });
  walk(query, (node) => {
    for (const { name, query: own } of ctesOf(node)) {
      if (!used.has(name) && !hasRows(own)) add(own);
    }
  });
  return found;
}

/**
 * Whether a part of a query gives something else the name of a column of the
 * key: rows are found, grouped and joined by names.
 */
function replaces(
  node: SqlNode,
  name: string,
  lists: ReadonlySet<SqlNode>,
): boolean {
  if (lists.has(node)) return false;
  const isName = (other = "") => foldName(other) === foldName(name);
  const isOther = (expression: SqlNode) => {
    const alias = textOf(expression.alias);
    const renamed = [
      ...nodesOf(expression.replace_list).map(({ key }) => textOf(key)),
      ...nodesOf(expression.rename_list).map(({ value }) => textOf(value)),
    ];
    return isName(alias) && !isColumn(expression, name) ||
      // Of the columns that a pattern selects, it stands for the names.
      /\\\d/.test(alias) || renamed.some(isName);
  };
  const [one = [], other = []] = node.type === "SET_OPERATION_NODE" &&
      node.setop_type !== "UNION_BY_NAME"
    ? [node.left, node.right].map((side) => namesGiven(nodeOf(side)))
    : [[], []];
  const isMoved = one.some((_, index) =>
    one[index] !== other[index] &&
    [one[index], other[index]].some((given) => given === "*" || isName(given))
  );
  const isListed = listsOf(node).some(({ names, query }) => {
    if (query !== undefined && lists.has(query)) return false;
    const given = namesGiven(query);
    return names.some((listed, index) =>
      isName(listed) && foldName(listed) !== given[index]
    );
  });
  return isMoved || isListed || nodesOf(node.select_list).some(isOther);
}

/** The lists of names that a part gives to columns, each with their query. */
function listsOf(
  node: SqlNode,
): { names: string[]; query: SqlNode | undefined }[] {
  return [
    {
      names: textsOf(node.column_name_alias),
      query: nodeOf(nodeOf(node.subquery)?.node),
    },
    ...ctesOf(node).map(({ aliases, query }) => ({ names: aliases, query })),
  ];
}

/** Whether an expression is a column of this name, or its text. */
function isColumn(expression: SqlNode, name: string): boolean {
  return named([name], [bareOf(expression)]);
}

/** What an expression is the text of, or itself. */
function bareOf(expression: SqlNode): SqlNode {
  const isText = expression.try_cast === false &&
    textOf(nodeOf(expression.cast_type)?.id) === "VARCHAR";
  return isText ? nodeOf(expression.child) ?? {} : expression;
}

/**
 * The names that a select gives its columns, `*` for several that aren't known;
 * those of a union are its first's.
 */
function namesGiven(query: SqlNode | undefined): string[] {
  if (query?.left !== undefined) return namesGiven(nodeOf(query.left));
  return nodesOf(query?.select_list).flatMap((expression) => {
    if (expression.class === "STAR") return namesOfAll(expression, query);
    const alias = textOf(expression.alias);
    const [name] = textsOf(bareOf(expression).column_names).slice(-1);
    return [foldName(alias || name || "")];
  });
}

/** The names of all columns of a select from one subquery. */
function namesOfAll(
  star: SqlNode,
  query: SqlNode | undefined,
): string[] {
  const from = nodeOf(query?.from_table);
  const isChanged = textsOf(from?.column_name_alias).length > 0 ||
    ["exclude_list", "replace_list", "rename_list"].some((list) =>
      nodesOf(star[list]).length + textsOf(star[list]).length > 0
    ) || nodeOf(star.expr) !== undefined;
  const inner = nodeOf(nodeOf(from?.subquery)?.node);
  return isChanged || inner === undefined ? ["*"] : namesGiven(inner);
}

function groupsBy(
  node: SqlNode,
  { key, kinds }: { key: readonly string[]; kinds: FunctionKinds },
): boolean {
  const groups = nodesOf(node.group_expressions);
  const { from_table: _, cte_map: __, ...own } = node;
  const isAll = node.aggregate_handling === "FORCE_AGGREGATES";
  if (groups.length === 0 && !isAll && aggregatesIn(own, kinds).length === 0) {
    return true;
  }
  return named(key, isAll ? nodesOf(node.select_list) : groups);
}

function joinsBy(node: SqlNode, key: readonly string[]): boolean {
  if (node.ref_type === "NATURAL") return false;
  const using = textsOf(node.using_columns).map(foldName);
  if (key.every((name) => using.includes(foldName(name)))) return true;
  const equal: SqlNode[] = [];
  const isAnd = (condition: SqlNode) =>
    condition.type === "CONJUNCTION_AND"
      ? nodesOf(condition.children).forEach(isAnd)
      : equal.push(condition);
  isAnd(nodeOf(node.condition) ?? {});
  return key.every((name) =>
    equal.some(({ type, left, right }) =>
      type === "COMPARE_EQUAL" && named([name], nodesOf([left])) &&
      named([name], nodesOf([right]))
    )
  );
}

function named(names: readonly string[], columns: SqlNode[]): boolean {
  const given = columns.filter((column) => column.class === "COLUMN_REF")
    .map(({ column_names: parts }) => foldName(textsOf(parts).at(-1) ?? ""));
  return names.every((name) => given.includes(foldName(name)));
}
