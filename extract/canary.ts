import type pg from "pg";
import type { Canary } from "../lib/batches/manifest.ts";
import { query, queryRow } from "../lib/postgres/postgres.ts";
import { quoteName } from "../lib/sql/quote.ts";
import { keyJsonSql } from "./key_index_sql.ts";
import { writerSql } from "./watermark_sql.ts";
import type { LiveTable } from "./live_table.ts";
import { readableSql } from "./shipped_rows.ts";

/** Finds a newest row among those that match; undefined if none does. */
export async function findCanary(
  client: pg.Client,
  options: { table: LiveTable; where: string; nextId: bigint },
): Promise<Canary | undefined> {
  const { table, where, nextId } = options;
  const columns = table.contract.key.map(quoteName);
  const [row] = await query(
    client,
    // Only one row's key is cast to text, not those of all that are sorted.
    `select ${keyJsonSql(table)} as key, ${writerSql(nextId)} as writer
    from (
      select ${columns.join(", ")}, xmin from ${table.from} where ${where}
      order by age(xmin), ${columns.join(", ")} limit 1
    ) as newest`,
  );
  if (row === undefined) return undefined;
  return { key: JSON.parse(row.key ?? "[]"), writer: row.writer ?? "" };
}

/** What happened to a canary since the batch before. */
export type CanaryState =
  | "unchanged"
  | "rewritten"
  | "missing"
  | "reverted";

/**
 * Looks up a canary. It is `reverted` if its row now has another writer from
 * before the watermark: that happens only in a source that was set back.
 */
export async function probeCanary(
  client: pg.Client,
  options: {
    table: LiveTable;
    canary: Canary;
    watermark: bigint;
    nextId: bigint;
  },
): Promise<CanaryState> {
  const { table, canary, watermark, nextId } = options;
  const conditions = table.contract.key.map((name, index) => {
    const column = quoteName(name);
    const type = table.baseTypes.get(name);
    // In other types a text may no longer be valid, such as an enum's label;
    // one with a backslash may stand for a text that is not UTF-8.
    return type === undefined || canary.key[index]?.includes("\\")
      ? `${readableSql(table, `${column}::text`)} = $${index + 1}::text`
      : `${column} = $${index + 1}::${type}`;
  });
  const row = await queryRow(
    client,
    `select (select ${writerSql(nextId)} from ${table.from}
      where ${conditions.join(" and ")}) as writer`,
    canary.key,
  );
  if (row.writer === null || row.writer === undefined) return "missing";
  if (row.writer === canary.writer) return "unchanged";
  return BigInt(row.writer) >= watermark ? "rewritten" : "reverted";
}
