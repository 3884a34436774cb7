import assert from "node:assert/strict";
import { type LiveTable, readLiveTables } from "../../extract/live_table.ts";
import { connect } from "../../lib/postgres/connect.ts";
import type { Connection } from "../../lib/postgres/postgres.ts";
import { parseContract } from "../../lib/project/contract.ts";
import { execute } from "../harness/platform.ts";
import { openTestDatabase } from "../harness/servers/postgres.ts";

/** A contract of one table with an integer key. */
export const INTEGER = `create table t (
    id bigint not null,
    note text,
    primary key (id)
);`;

/** A contract of one table with a text key. */
export const TEXT = `create table t (
    code text not null,
    note text,
    primary key (code)
);`;

/** Runs a test on an empty table of a contract. */
export async function withTable(
  contract: string,
  test: (connection: Connection, table: LiveTable) => Promise<void>,
): Promise<void> {
  await using database = await openTestDatabase();
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  await execute(connection.client, contract);
  const [table] = await readLiveTables(connection.client, {
    tables: parseContract(contract),
    sourceSchema: "public",
  });
  assert(table !== undefined);
  await test(connection, table);
}

/** A statement that gives the table integer keys. */
export function insertIds(from: number, to: number, step = 1): string {
  return `insert into t select n from generate_series(${from}, ${to}, ${step}) as n`;
}
