import type pg from "pg";
import type { PostgresSettings } from "../lib/config.ts";
import { ConfigError, StageError } from "../lib/errors.ts";
import { queryRow, serverName, sqlState } from "../lib/postgres.ts";
import type { StageContext } from "../lib/stage.ts";
import { migrate } from "./migrate.ts";

/** A connection that alone loads into the warehouse while it is open. */
export interface Loader extends AsyncDisposable {
  client: pg.Client;
}

/** One load at a time: the key of the warehouse's advisory lock. */
const LOCK_KEY = "7235419846134";
const LOCK_TIMEOUT = "2min";
const LOCK_NOT_AVAILABLE = "55P03";

const SESSION = `set lock_timeout = '${LOCK_TIMEOUT}'; ` +
  "set statement_timeout = 0; " +
  "set idle_in_transaction_session_timeout = '15min'; " +
  "set maintenance_work_mem = '256MB'; set work_mem = '64MB'; set jit = off";

/**
 * Connects to the warehouse, takes the lock of those who load, and brings the
 * tables up to the migrations. When another is at work it gives undefined, or
 * waits, if it is told how long, and throws a `StageError` after that.
 */
export async function openLoader(
  context: StageContext,
  options: { waitSeconds: number },
): Promise<Loader>;
export async function openLoader(
  context: StageContext,
): Promise<Loader | undefined>;
export async function openLoader(
  context: StageContext,
  options: { waitSeconds?: number } = {},
): Promise<Loader | undefined> {
  const { resources, sql, log, signal } = context;
  const settings = warehouseOf(context);
  const connection = await resources.connect(settings, {
    purpose: "load",
    signal,
  });
  try {
    const { client } = connection;
    await client.query(SESSION);
    if (!await takeLock(context, { ...options, client })) {
      await connection[Symbol.asyncDispose]();
      return undefined;
    }
    for (const name of await migrate(client, sql.migrations)) {
      log.info("migration {name} applied", { name });
    }
    return connection;
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}

/** How to reach the warehouse; throws a `ConfigError` when nothing says it. */
export function warehouseOf({ config }: StageContext): PostgresSettings {
  if (config.warehouse !== undefined) return config.warehouse;
  throw new ConfigError(["WAREHOUSE_URL is missing"]);
}

async function takeLock(
  context: StageContext,
  options: { client: pg.Client; waitSeconds?: number },
): Promise<boolean> {
  const { client, waitSeconds } = options;
  const { log } = context;
  const server = serverName(warehouseOf(context));
  const lock = await queryRow(
    client,
    "select pg_try_advisory_lock($1::bigint) as held",
    [LOCK_KEY],
  );
  if (lock.held === "t") return true;
  if (waitSeconds === undefined) {
    log.warn("another load is at work in {server}", { server });
    return false;
  }
  log.info("waiting for another load in {server}, {seconds} s at most", {
    server,
    seconds: waitSeconds,
  });
  try {
    await client.query(`set lock_timeout = '${waitSeconds}s'`);
    await client.query("select pg_advisory_lock($1::bigint)", [LOCK_KEY]);
    await client.query(`set lock_timeout = '${LOCK_TIMEOUT}'`);
    return true;
  } catch (error) {
    if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error;
    throw new StageError(
      `Cannot load into ${server}: another load has been at work there for over ${waitSeconds} seconds`,
      { subject: server, retryable: true, hint: "Run it again later" },
    );
  }
}
