import type pg from "pg";
import { StageError } from "../lib/errors.ts";
import { query, queryRow } from "../lib/postgres/postgres.ts";
import { quoteName, quoteNames } from "../lib/sql/quote.ts";
import type { ContractTable } from "../lib/project/contract.ts";
import { inSource, type SourceName } from "../lib/project/source_names.ts";
import type { StageContext } from "../lib/stage.ts";
import { wantedTables } from "./definitions.ts";
import type { LockedTable } from "./guest_transaction.ts";
import tablesToLockSql from "./tables_to_lock.sql" with { type: "text" };

/** The contract's tables that exist, and what locking them takes. */
export interface TablesToLock {
  /** The largest first: it is released last. */
  tables: LockedTable[];
  /** Locks that a connection needs for all of them. */
  locks: number;
  /** Locks that the server has room for, over all its sessions. */
  lockRoom: number;
  /** A wait for a lock must end before the deadlock check would run. */
  lockTimeoutMs: number;
  /** When the server started, which identifies it. */
  server: string;
  isStandby: boolean;
}

/** Columns beside the contract's that show a row's writer and its place. */
const READ_SYSTEM_COLUMNS = ["xmin", "ctid"];
const SERVER = `select pg_postmaster_start_time()::text as server,
  pg_is_in_recovery()::text as in_recovery,
  floor(extract(epoch from current_setting('deadlock_timeout')::interval)
    * 1000 / 2)::text as lock_timeout,
  (current_setting('max_locks_per_transaction')::bigint
    * (current_setting('max_connections')::bigint
      + current_setting('max_prepared_transactions')::bigint))::text
    as lock_room`;

/**
 * Finds the contract's tables without locking them. If the role may not read
 * one, throws a `StageError` that says what to grant.
 */
export async function findTables(
  client: pg.Client,
  { config, sql }: Pick<StageContext, "config" | "sql">,
): Promise<TablesToLock> {
  const server = await queryRow(client, SERVER);
  const columns = Object.fromEntries(sql.tables.map((table) => [
    table.name,
    [...table.columns.map((column) => column.name), ...READ_SYSTEM_COLUMNS],
  ]));
  const places = new Map(
    sql.tables.map((table) => [table.name, inSource(table, config)]),
  );
  const rows = await query(client, tablesToLockSql, [
    ...wantedTables(places),
    JSON.stringify(columns),
  ]);
  for (const row of rows) {
    const table = sql.tables.find(({ name }) => name === row.name);
    if (table === undefined) continue;
    const denied: string[] = JSON.parse(row.denied ?? "[]");
    if (row.may_enter === "true" && denied.length === 0) continue;
    throw deniedError(table, {
      role: config.source?.user ?? "",
      source: inSource(table, config),
      mayEnter: row.may_enter === "true",
      denied,
    });
  }
  return {
    tables: rows.map((row) => ({
      name: row.name ?? "",
      source: { schema: row.schema_name ?? "", name: row.source_name ?? "" },
      partitioned: row.kind === "p",
    })),
    locks: rows.reduce((sum, row) => sum + Number(row.locks), 0),
    lockRoom: Number(server.lock_room),
    lockTimeoutMs: Math.max(1, Number(server.lock_timeout)),
    server: server.server ?? "",
    isStandby: server.in_recovery === "true",
  };
}

function deniedError(
  table: ContractTable,
  options: {
    role: string;
    source: SourceName;
    mayEnter: boolean;
    denied: string[];
  },
): StageError {
  const { source: { schema, name: sourceName }, mayEnter, denied } = options;
  const { name } = table;
  const role = quoteName(options.role);
  const place = `${quoteName(schema)}.${quoteName(sourceName)}`;
  const all = table.columns.length + READ_SYSTEM_COLUMNS.length;
  const grants = [
    ...mayEnter
      ? []
      : [`grant usage on schema ${quoteName(schema)} to ${role}`],
    ...denied.length === 0 ? [] : [
      denied.length >= all
        ? `grant select on ${place} to ${role}`
        : `grant select (${quoteNames(denied)}) on ${place} to ${role}`,
    ],
  ];
  const found = !mayEnter
    ? `permission denied for schema ${schema}`
    : denied.length >= all
    ? `permission denied for table ${sourceName}`
    : `permission denied for its columns ${denied.join(", ")}`;
  return new StageError(`Cannot read "${name}": ${found}`, {
    subject: name,
    hint:
      `Grant select on the table to the source role, or on the columns of sql/source.sql with xmin and ctid, by which changes are found: ${
        grants.join("; ")
      }`,
  });
}
