import type { QueryParts, SqlParts } from "../../lib/batches/manifest.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { nameCaptures } from "./name_captures.ts";
import type { SelectColumn, SplitQuery } from "./split_query.ts";
import { isUnnest, type SqlNode, walk } from "../../lib/models/sql_tree.ts";
import type { SplitQueries } from "./split_queries.ts";
import { quarantinePath } from "../../lib/project/quarantine_file.ts";
import { foldName } from "../../lib/sql/fold_name.ts";

/**
 * What SQL changes besides adding columns, tables and models to what it was, a
 * line each; columns that models no longer give are not among them. Whatever
 * is not sure to leave the rows of before as they are counts as a change.
 */
export function changedParts(
  before: SqlParts,
  { sql, now }: { sql: Pick<ProjectSql, "models">; now: SplitQueries },
): string[] {
  const tables = changedContract(before.contract, now.parts.contract);
  const gained = gainedColumns(before.contract, now.parts.contract);
  const rules = changedRules(before, { now, gained });
  const known = new Map(Object.entries(before.queries));
  const parts = new Map(Object.entries(now.parts.queries));
  const models = sql.models.flatMap(({ name }) => {
    const [was, is, query] = [
      known.get(name),
      parts.get(name),
      now.models.get(name),
    ];
    if (was === undefined || is === undefined || query === undefined) return [];
    return changedQuery(query, { was, is, gained })
      .map((line) => `${name}: ${line}`);
  });
  return [...tables, ...rules, ...models];
}

type Contract = SqlParts["contract"];
/** By table, the columns that it has gained, in lower case. */
type Gained = ReadonlyMap<string, readonly string[]>;

function changedContract(before: Contract, now: Contract): string[] {
  const tables = new Map(Object.entries(now));
  return Object.entries(before).flatMap(([name, was]) => {
    const is = tables.get(name);
    if (is === undefined) return [`the contract no longer has ${name}`];
    const columns = new Map(Object.entries(is.columns));
    return [
      ...was.key === is.key
        ? []
        : [`the contract's key of ${name} is ${is.key}, it was ${was.key}`],
      // A query may take them by position, or all as one value.
      ...isInOrder(Object.keys(was.columns), Object.keys(is.columns))
        ? []
        : [`the contract has the columns of ${name} in another order`],
      ...Object.entries(was.columns).flatMap(([column, declared]) => {
        const declares = columns.get(column);
        return declares === undefined
          ? [`the contract no longer has ${name}.${column}`]
          : declares === declared
          ? []
          : [
            `the contract's ${name}.${column} is ${declares}, it was ${declared}`,
          ];
      }),
    ];
  });
}

/** Whether the names that both lists have follow each other alike. */
function isInOrder(before: readonly string[], now: readonly string[]): boolean {
  const kept = now.filter((name) => before.includes(name));
  return before.filter((name) => now.includes(name))
    .every((name, index) => name === kept[index]);
}

/** By table of before, the columns that the contract has gained, in lower case. */
function gainedColumns(before: Contract, now: Contract): Gained {
  const tables = new Map(Object.entries(now));
  return new Map(
    Object.entries(before).map(([name, { columns: had }]) => [
      foldName(name),
      Object.keys(tables.get(name)?.columns ?? {})
        .filter((column) => !Object.hasOwn(had, column))
        .map(foldName),
    ]),
  );
}

/** A rule is new to a table that was there, is another one, or is gone. */
function changedRules(
  before: SqlParts,
  options: {
    now: SplitQueries;
    gained: Gained;
  },
): string[] {
  const { now, gained } = options;
  const [was, is] = [before.quarantine, now.parts.quarantine]
    .map((rules) => new Map(Object.entries(rules)));
  const names = [...new Set([...was?.keys() ?? [], ...is?.keys() ?? []])];
  return names.filter((name) => Object.hasOwn(before.contract, name))
    .flatMap((name) => {
      const rule = quarantinePath(name);
      if (was?.get(name) !== is?.get(name)) {
        const [had, has] = [was?.has(name), is?.has(name)];
        return [
          `${rule} ${!had ? "is new" : !has ? "is gone" : "has changed"}`,
        ];
      }
      const query = now.quarantine.get(name) ?? {};
      return nameCaptures(query, { added: [], kept: [], gained })
        .map((line) => `${rule}: ${line}`);
    });
}

/** What changes in a model's query besides that it has more columns. */
function changedQuery(
  { columns, rest }: SplitQuery,
  options: {
    was: QueryParts;
    is: QueryParts;
    gained: Gained;
  },
): string[] {
  const { was, is, gained } = options;
  if (was.rest !== is.rest) {
    return ["its header changes, or its query besides what it selects by name"];
  }
  const hashOf = (parts: QueryParts, { select, name }: SelectColumn) => {
    const known = new Map(Object.entries(parts.columns[select] ?? {}));
    return known.get(name);
  };
  const added = columns.filter((one) => hashOf(was, one) === undefined);
  const kept = columns.filter((one) => hashOf(was, one) !== undefined);
  const lost = Object.entries(was.columns).filter(([select]) => select !== "")
    .flatMap(([select, had]) =>
      Object.keys(had).filter((name) =>
        !columns.some((one) => one.select === select && one.name === name)
      ).map((name) => `${select}.${name}`)
    );
  const moved = Object.entries(was.columns).filter(([select, had]) =>
    select !== "" && !isInOrder(
      Object.keys(had),
      columns.filter((one) => one.select === select).map(({ name }) => name),
    )
  );
  return [
    ...lost.map((name) => `its query no longer has ${name}`),
    ...moved.map(([name]) =>
      `its query has the columns of ${name} in another order`
    ),
    ...kept.filter((one) => hashOf(was, one) !== hashOf(is, one))
      .map(({ select, name }) =>
        `${select === "" ? name : `${select}.${name}`} is computed differently`
      ),
    ...added.filter(({ expression }) => givesMore(expression))
      .map(({ name }) => `${name} may give more rows or columns`),
    ...added.filter(({ isBeforeStar }) => isBeforeStar)
      .map(({ select, name }) =>
        `${select}.${name} comes before *, which may have a column of this name`
      ),
    ...nameCaptures(rest, { added, kept, gained }),
  ];
}

/** Whether an expression may give several rows or columns. */
function givesMore(expression: SqlNode): boolean {
  let found = false;
  walk(expression, (node) => {
    if (node.class === "STAR" || isUnnest(node)) found = true;
  });
  return found;
}
