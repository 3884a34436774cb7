import { SCHEMAS_READ } from "../../lib/models/check_select.ts";
import type { SelectColumn } from "./split_query.ts";
import {
  ctesOf,
  nodeOf,
  nodesOf,
  type SqlNode,
  textOf,
  textsOf,
  walk,
} from "../../lib/models/sql_tree.ts";
import { foldName } from "../../lib/sql/fold_name.ts";

/**
 * What new columns of tables, CTEs and the query itself may change in a query,
 * a line each.
 */
export function nameCaptures(
  query: SqlNode,
  options: {
    /** Its new columns, which it is given without. */
    added: readonly SelectColumn[];
    /** Its other columns that it is given without. */
    kept: readonly SelectColumn[];
    /** By table, the names that it has gained; in lower case. */
    gained: ReadonlyMap<string, readonly string[]>;
  },
): string[] {
  const { added, kept, gained } = options;
  const found: string[] = [];
  const isExact = !hasStar(query);
  /** By CTE. */
  const gains = new Map<string, Set<string>>();
  for (const { name, aliases, query: select } of selectsOf(query)) {
    const own = added.filter((column) => column.select === name);
    const rest = kept.filter((column) => column.select === name)
      .map(({ expression }) => expression);
    const names = new Set(
      [select, ...rest].flatMap(tablesIn).flatMap((table) => [
        ...(table.schema === "" ? gains : gained).get(table.name) ?? [],
      ]),
    );
    const isWhole = hasStar(select);
    found.push(
      ...namesUsed({ select, rest }, {
        names: names.union(aliasesOf(own)),
        isExact,
      }).map((one) =>
        `its query uses the name ${one}, which a new column has now`
      ),
      ...[
        ...names.size === 0 ? [] : takesAnyColumn(select, {
          rest,
          isMain: name === "",
        }),
        ...names.size > 0 && isWhole && aliases.length > 0
          ? ["names for the columns of a CTE"]
          : [],
      ].map((part) => `new columns may change its rows, since it has ${part}`),
    );
    gains.set(
      name,
      new Set(own.map((column) => foldName(column.name)))
        .union(isWhole ? names : new Set()),
    );
  }
  return [...new Set(found)];
}

/** A query's CTEs, in order, and its main select without them. */
function selectsOf(query: SqlNode): ReturnType<typeof ctesOf> {
  const main = { ...query, cte_map: { map: [] } };
  return [...ctesOf(query), { name: "", aliases: [], query: main }];
}

/** New names, but those of columns that are only shown under their own. */
function aliasesOf(columns: readonly SelectColumn[]): ReadonlySet<string> {
  return new Set(
    columns.filter(({ name, expression }) => {
      const [word, ...others] = textsOf(expression.column_names);
      return others.length > 0 || word !== name;
    }).map(({ name }) => foldName(name)),
  );
}

function tablesIn(node: SqlNode): { schema: string; name: string }[] {
  const found: { schema: string; name: string }[] = [];
  walk(node, ({ type, schema_name, table_name }) => {
    if (type !== "BASE_TABLE") return;
    const [schema, name] = [textOf(schema_name), textOf(table_name)];
    found.push({ schema, name: foldName(name) });
  });
  return found;
}

function hasStar(node: SqlNode): boolean {
  let found = false;
  walk(node, (one) => found ||= one.class === "STAR");
  return found;
}

/**
 * The names among these that a query uses: a new column may be what one means
 * from then on. After a relation's name a name means what it meant, if relations
 * are exact: none has all columns of others, where DuckDB numbers those of one
 * name.
 */
function namesUsed(
  query: SqlNode,
  { names, isExact }: { names: ReadonlySet<string>; isExact: boolean },
): string[] {
  const used = new Set<string>();
  walk(query, (node) => {
    const parts = node.class === "COLUMN_REF" ? textsOf(node.column_names) : [];
    const words = [
      // A star numbers a column whose name another one has.
      ...isExact ? parts.slice(0, 1) : [...parts, textOf(node.alias)],
      ...textsOf(node.using_columns),
    ].map(foldName);
    for (const word of words) {
      for (const name of [word, word.replace(/[_:]\d+$/, "")]) {
        if (names.has(name)) used.add(name);
      }
    }
  });
  return [...used];
}

/**
 * The parts of a query that take whatever columns a relation has, so that one
 * more may change its rows; `rest` is what else belongs to the query.
 */
function takesAnyColumn(
  query: SqlNode,
  { rest, isMain }: { rest: readonly SqlNode[]; isMain: boolean },
): string[] {
  const found = new Set<string>();
  const relations = new Set<string>();
  const plain = new Set<SqlNode>();
  findStars(query, plain, isMain);
  walk([query, ...rest], (node) => {
    for (const { name, aliases, query: own } of ctesOf(node)) {
      relations.add(name);
      if (aliases.length > 0) found.add("names for the columns of a CTE");
      findStars(own, plain);
    }
    if (node.class === undefined) {
      [node.alias, node.table_name].map((name) => foldName(textOf(name)))
        .forEach((name) => relations.add(name));
    }
    if (node.from_table !== undefined) findSubqueries(node.from_table, plain);
    if (textsOf(node.column_name_alias).length > 0) {
      found.add("names for the columns of a relation");
    }
    if (node.ref_type === "NATURAL") found.add("a natural join");
    if (node.type === "PIVOT") found.add("pivot or unpivot");
    if (node.class === "POSITIONAL_REFERENCE") found.add("a column's position");
    if (textOf(node.type).startsWith("RECURSIVE_CTE")) {
      found.add("a recursive query");
    }
  });
  walk([query, ...rest], (node) => {
    if (node.class === "STAR" && !plain.has(node)) {
      found.add("* other than in a plain select");
    }
    const words = node.class === "COLUMN_REF" ? textsOf(node.column_names) : [];
    const word = words.at(-1) ?? "";
    const isOfSchema = words.slice(0, -1)
      .some((one) => SCHEMAS_READ.includes(foldName(one)));
    if (
      word !== "" && (words.length === 1 || isOfSchema) &&
      relations.has(foldName(word))
    ) {
      found.add(`${word} as a whole row`);
    }
  });
  return [...found];
}

/** Notes the stars of a select whose rows another column leaves as they are. */
function findStars(
  select: SqlNode,
  plain: Set<SqlNode>,
  isMain = false,
): void {
  if (
    select.type !== "SELECT_NODE" || nodesOf(select.modifiers).length > 0 ||
    select.aggregate_handling !== "STANDARD_HANDLING"
  ) return;
  const stars = nodesOf(select.select_list)
    .filter((one) => one.class === "STAR" && one.columns === false);
  // Of several relations, it numbers columns of one name; a model may not.
  const isOfSeveral = stars.length > 1 ||
    stars.some((one) =>
      textOf(one.relation_name) === "" &&
      nodeOf(select.from_table)?.type === "JOIN"
    );
  if (isOfSeveral && !isMain) return;
  stars.forEach((one) => plain.add(one));
}

/** The same for the subqueries of a FROM. */
function findSubqueries(field: unknown, plain: Set<SqlNode>): void {
  const relation = nodeOf(field);
  if (relation?.type === "JOIN") {
    findSubqueries(relation.left, plain);
    findSubqueries(relation.right, plain);
  }
  if (relation?.type === "SUBQUERY") {
    const select = nodeOf(nodeOf(relation.subquery)?.node);
    if (select !== undefined) findStars(select, plain);
  }
}
