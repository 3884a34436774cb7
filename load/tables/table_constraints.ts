import type pg from "pg";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName, quoteText, type TextRow } from "../../lib/sql/quote.ts";
import { attemptAll } from "../../lib/postgres/savepoint.ts";
import type { ModelReference, Reference } from "../references/reference.ts";
import { enforceReferences } from "../references/validate_references.ts";
import type { WarehouseTable } from "./warehouse_table.ts";

/** Constraints dropped from tables, to be restored once they are filled. */
export interface Removed {
  /** Keys and indexes. */
  keys: string[];
  foreignKeys: readonly RemovedForeignKey[];
}

/** A foreign key, and how to create it again. */
export interface RemovedForeignKey {
  table: string;
  constraint: string;
  sql: string;
  /** Describes it again, where it was. */
  commentSql: string;
  /** Whether it refers to a table among those whose constraints were dropped. */
  isWithin: boolean;
  isPartitioned: boolean;
}

/** The end of a foreign key that Postgres adds without a scan anyway. */
const UNPROVEN = /NOT (VALID|ENFORCED)$/;
const DEPENDENT_OBJECTS = /^2BP01$/;
const FEATURE_NOT_SUPPORTED = /^0A000$/;

/** Properties of an index that its definition lacks, and would be lost. */
const CARRIES_MORE = `(indisreplident or indisclustered
  or obj_description(indexrelid, 'pg_class') is not null)`;

/**
 * Drops the keys, indexes and foreign keys of tables that are to be filled at
 * once: built afterwards they cost a fraction. One stays if something depends
 * on it, such as a view that groups by the key or a foreign key of somebody
 * else's table, or if it has more than its definition.
 */
export async function removeConstraints(
  client: pg.Client,
  tables: readonly string[],
): Promise<Removed> {
  const constraints = await readConstraints(client, tables);
  const indexes = await readIndexes(client, tables);
  const dropped = await attemptAll(client, DEPENDENT_OBJECTS, [
    ...constraints.map(({ table, constraint }) =>
      `alter table ${quoteName(table)} drop constraint ${quoteName(constraint)}`
    ),
    ...indexes.map(({ name }) => `drop index ${name}`),
  ]);
  const gone = constraints.filter((_, index) => dropped[index]);
  const goneIndexes = indexes.filter((_, index) =>
    dropped[constraints.length + index]
  );
  return {
    keys: [
      ...gone.filter(({ isForeignKey }) => !isForeignKey)
        .map(({ sql, commentSql }) => sql + commentSql),
      ...goneIndexes.map(({ definition }) => definition ?? ""),
    ],
    foreignKeys: gone.filter(({ isForeignKey }) => isForeignKey),
  };
}

/**
 * Drops these foreign keys, which are all of tables' own and lead to others of
 * them.
 */
export async function dropForeignKeys(
  client: pg.Client,
  options: {
    tables: readonly string[];
    references: readonly ModelReference[];
  },
): Promise<RemovedForeignKey[]> {
  const { tables, references } = options;
  const dropped = (await readConstraints(client, tables)).filter((one) =>
    one.isForeignKey && one.isWithin &&
    references.some(({ model, constraint }) =>
      model === one.table && constraint === one.constraint
    )
  );
  for (const { table, constraint } of dropped) {
    await client.query(
      `alter table ${quoteName(table)} drop constraint ${
        quoteName(constraint)
      }`,
    );
  }
  return dropped;
}

/** Foreign keys first: a key that one refers to can't be dropped before it. */
async function readConstraints(
  client: pg.Client,
  tables: readonly string[],
): Promise<(RemovedForeignKey & { isForeignKey: boolean })[]> {
  const rows = await query(
    client,
    `select class.relname as table_name, conname as name, contype as kind,
      pg_get_constraintdef(pg_constraint.oid) as definition,
      confrelid = any(array(
        select to_regclass(quote_ident(name)) from unnest($1::text[]) as name
      )) as is_within,
      class.relkind = 'p' as is_partitioned,
      obj_description(pg_constraint.oid, 'pg_constraint') as comment
    from pg_constraint
    inner join pg_class as class on class.oid = conrelid
    where contype in ('f', 'p', 'u') and conparentid = 0 and conrelid = any(
        select to_regclass(quote_ident(name)) from unnest($1::text[]) as name
      ) and not exists (
        select from pg_index
        where indexrelid = conindid and indrelid = conrelid and ${CARRIES_MORE}
      )
    order by contype = 'f' desc, class.relname, conname`,
    [tables],
  );
  return rows.map((row) => {
    const { table_name, name, kind, definition, comment } = row;
    const table = quoteName(table_name ?? "");
    const constraint = quoteName(name ?? "");
    return {
      table: table_name ?? "",
      constraint: name ?? "",
      isForeignKey: kind === "f",
      isWithin: row.is_within === "t",
      isPartitioned: row.is_partitioned === "t",
      sql: `alter table ${table} add constraint ${constraint} ${definition}`,
      commentSql: comment === null || comment === undefined
        ? ""
        : `; comment on constraint ${constraint} on ${table} is ${
          quoteText(comment)
        }`,
    };
  });
}

/** The indexes that belong to no constraint. */
async function readIndexes(
  client: pg.Client,
  tables: readonly string[],
): Promise<TextRow[]> {
  return await query(
    client,
    `select indexrelid::regclass::text as name,
      pg_get_indexdef(indexrelid) as definition
    from pg_index
    -- The definition of a partitioned one leaves the partitions out.
    inner join pg_class as index_class on index_class.oid = indexrelid
      and index_class.relkind = 'i'
    where indrelid = any(
        select to_regclass(quote_ident(name)) from unnest($1::text[]) as name
      ) and not ${CARRIES_MORE} and not exists (
        select from pg_constraint
        where conindid = indexrelid and conrelid = indrelid
      )
    order by indexrelid::regclass::text`,
    [tables],
  );
}

/**
 * Empties tables, and returns those that were truncated, so that rows may be
 * copied there frozen: one that somebody else's table refers to can't be, nor
 * one with partitions.
 */
export async function emptyTables(
  client: pg.Client,
  tables: readonly string[],
): Promise<string[]> {
  const done = await attemptAll(
    client,
    FEATURE_NOT_SUPPORTED,
    tables.map((table) => `truncate ${quoteName(table)}`),
  );
  const truncated = tables.filter((_, index) => done[index]);
  for (const table of tables) {
    if (!truncated.includes(table)) {
      await client.query(`delete from ${quoteName(table)}`);
    }
  }
  const plain = await query(
    client,
    `select name from unnest($1::text[]) as name
    inner join pg_class on pg_class.oid = to_regclass(quote_ident(name))
    where relkind = 'r'`,
    [truncated],
  );
  return plain.map(({ name }) => name ?? "");
}

/**
 * Restores constraints. Where references dangle, placeholders are added first;
 * that is checked only when the foreign key is violated. Those that are proven
 * to be sound are left to be validated later, which takes a scan each; true
 * means that there are some.
 */
export async function restoreConstraints(
  client: pg.Client,
  removed: Removed,
  options: {
    /** Those that placeholders are made for, by their tables. */
    tables: readonly {
      model: Pick<WarehouseTable["model"], "name">;
      references: readonly Reference[];
    }[];
    proven?: readonly ModelReference[];
  },
): Promise<boolean> {
  const { tables, proven = [] } = options;
  const left: string[] = [];
  for (const sql of removed.keys) await client.query(sql);
  for (const foreignKey of removed.foreignKeys) {
    const { table, constraint, sql, commentSql } = foreignKey;
    // Before version 18 a table with partitions has valid ones only.
    const mayWait = foreignKey.isWithin && !foreignKey.isPartitioned &&
      !UNPROVEN.test(sql);
    const isProven = mayWait &&
      proven.some((one) =>
        one.model === table && one.constraint === constraint
      );
    if (isProven) {
      left.push(`${sql} not valid${commentSql}`);
      continue;
    }
    const referring = tables.find((one) => one.model.name === table);
    await enforceReferences(client, sql + commentSql, {
      model: table,
      references: referring?.references ?? [],
    });
  }
  // These scan nothing.
  if (left.length > 0) await client.query(left.join("; "));
  return left.length > 0;
}
