import assert from "node:assert/strict";
import { type LiveTable, readLiveTables } from "../../extract/live_table.ts";
import { parseContract } from "../../lib/project/contract.ts";
import { execute } from "../harness/platform.ts";
import type { TestDatabase } from "../harness/servers/postgres.ts";

/** The contract that tables are compared with. */
export const CONTRACT = parseContract(`create table item (
    item_id bigint not null,
    label text,
    price numeric(10,2) not null,
    made timestamp not null,
    seen timestamptz,
    -- carried from jsonb
    details text,
    -- leaves out: photo
    primary key (item_id)
);`);

const COLUMNS = {
  item_id: "bigint not null",
  label: "text",
  price: "numeric(10,2) not null",
  made: "timestamp not null",
  seen: "timestamptz",
  details: "jsonb",
};

/** The contract's table with some columns changed; null: without them. */
export function itemSql(
  changed: Record<string, string | null> = {},
  options: { key?: string; name?: string } = {},
): string {
  const columns = Object.entries({ ...COLUMNS, ...changed })
    .flatMap(([name, type]) => type === null ? [] : [`${name} ${type}`]);
  const { key = ", primary key (item_id)", name = "item" } = options;
  return `create table ${name} (${columns.join(", ")}${key})`;
}

/** Makes the table by these statements, and reads it by the contract. */
export async function read(
  { client }: TestDatabase,
  ...statements: string[]
): Promise<LiveTable> {
  await execute(client, ...statements);
  const [table] = await readLiveTables(client, {
    tables: CONTRACT,
    sourceSchema: "public",
  });
  assert(table !== undefined);
  return table;
}
