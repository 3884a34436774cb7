import type pg from "pg";
import { query, quoteName, sqlState } from "../lib/postgres.ts";
import { addPlaceholders } from "./merge.ts";
import type { WarehouseTable } from "./warehouse_table.ts";

/** What was taken off tables, to be put back after they are filled. */
export interface Removed {
  /** Keys and indexes. */
  keys: string[];
  foreignKeys: { table: string; sql: string }[];
}

const FOREIGN_KEY_VIOLATION = "23503";

/**
 * Takes the keys, indexes and foreign keys off tables that are to be filled at
 * once: built afterwards they cost a fraction.
 */
export async function removeConstraints(
  client: pg.Client,
  tables: readonly string[],
): Promise<Removed> {
  const constraints = await query(
    client,
    `select class.relname as table_name, conname as name, contype as kind,
      pg_get_constraintdef(pg_constraint.oid) as definition
    from pg_constraint
    inner join pg_class as class on class.oid = conrelid
    where contype in ('f', 'p', 'u') and conrelid = any(
      select to_regclass(quote_ident(name)) from unnest($1::text[]) as name
    )
    order by contype = 'f' desc, class.relname, conname`,
    [tables],
  );
  const indexes = await query(
    client,
    `select indexrelid::regclass::text as name,
      pg_get_indexdef(indexrelid) as definition
    from pg_index
    where indrelid = any(
        select to_regclass(quote_ident(name)) from unnest($1::text[]) as name
      ) and not exists (
        select from pg_constraint where conindid = indexrelid
          and contype in ('p', 'u')
      )
    order by indexrelid::regclass::text`,
    [tables],
  );
  const removed: Removed = { keys: [], foreignKeys: [] };
  for (const { table_name, name, kind, definition } of constraints) {
    const table = quoteName(table_name ?? "");
    await client.query(
      `alter table ${table} drop constraint ${quoteName(name ?? "")}`,
    );
    const sql = `alter table ${table} add constraint ${
      quoteName(name ?? "")
    } ${definition}`;
    if (kind === "f") {
      removed.foreignKeys.push({ table: table_name ?? "", sql });
    } else removed.keys.push(sql);
  }
  for (const { name, definition } of indexes) {
    await client.query(`drop index ${name}`);
    removed.keys.push(definition ?? "");
  }
  return removed;
}

/**
 * Puts constraints back. Where a reference leads to nothing, placeholders are
 * made first; that is looked for only when the foreign key doesn't hold.
 */
export async function restoreConstraints(
  client: pg.Client,
  removed: Removed,
  tables: readonly WarehouseTable[],
): Promise<void> {
  for (const sql of removed.keys) await client.query(sql);
  for (const { table, sql } of removed.foreignKeys) {
    try {
      await client.query("savepoint foreign_key");
      await client.query(sql);
    } catch (error) {
      if (sqlState(error) !== FOREIGN_KEY_VIOLATION) throw error;
      await client.query("rollback to savepoint foreign_key");
      const referring = tables.find((one) => one.model.name === table);
      if (referring === undefined) throw error;
      await addPlaceholders(client, referring, {
        from: quoteName(table),
        where: "true",
      });
      await client.query(sql);
    }
    await client.query("release savepoint foreign_key");
  }
}
