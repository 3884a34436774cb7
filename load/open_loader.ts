import type pg from "pg";
import { StageError } from "../lib/errors.ts";
import {
  type Connection,
  inTransaction,
  serverName,
} from "../lib/postgres/postgres.ts";
import type { StageContext } from "../lib/stage.ts";
import { missingSchema } from "../lib/warehouse/missing_schema.ts";
import { takeLoadLock } from "../lib/warehouse/load_lock.ts";
import { nameLockHolders } from "../lib/warehouse/lock_error.ts";
import { checkEncoding } from "../lib/warehouse/check_encoding.ts";
import {
  LOAD_SETTINGS,
  warehouseOf,
} from "../lib/warehouse/warehouse_settings.ts";
import { makeSchema } from "./tables/make_schema.ts";
import { noteFailedCheck } from "./checks/run_checks.ts";

/** How a loader is opened. */
export interface OpenLoaderOptions {
  /** How long it waits for another load; undefined: not at all. */
  waitSeconds?: number;
  /** Whether the rows of all models are going to be loaded again. */
  reloads?: boolean | undefined;
  /** Examines the tables before anything is created: see `makeSchema`. */
  check?: ((client: pg.Client) => Promise<void>) | undefined;
  /** Throws if the warehouse may hold batches of another lake. */
  checkLedger: (client: pg.Client) => Promise<void>;
}

/**
 * Connects to the warehouse and creates what it lacks: see `makeSchema`. When
 * another load is at work it returns undefined, or waits if given a time, and
 * throws a `StageError` after that.
 */
export async function openLoader(
  context: StageContext,
  options: OpenLoaderOptions & { waitSeconds: number },
): Promise<Loader>;
export async function openLoader(
  context: StageContext,
  options: OpenLoaderOptions,
): Promise<Loader | undefined>;
export async function openLoader(
  context: StageContext,
  options: OpenLoaderOptions,
): Promise<Loader | undefined> {
  const { resources, signal } = context;
  const settings = warehouseOf(context);
  const connection = await resources.connect(settings, {
    purpose: "load",
    signal,
  });
  const loader = new Loader(context, connection, options.waitSeconds);
  try {
    await checkEncoding(connection.client, serverName(settings));
    await checkSchema(connection.client, serverName(settings));
    const isMade = await makeSchema(context, {
      loader: {
        client: connection.client,
        transaction: (work) => loader.transaction(work),
      },
      reloads: options.reloads,
      check: options.check,
      checkLedger: options.checkLedger,
    });
    if (isMade) return loader;
  } catch (error) {
    await loader[Symbol.asyncDispose]();
    throw error;
  }
  await loader[Symbol.asyncDispose]();
  return undefined;
}

/** A connection; while one of its transactions runs, nobody else loads. */
export class Loader implements AsyncDisposable {
  readonly client: pg.Client;

  constructor(
    private readonly context: StageContext,
    private readonly connection: Connection,
    /** How long a transaction waits for another load; undefined: not at all. */
    private readonly waitSeconds: number | undefined,
  ) {
    this.client = connection.client;
  }

  /**
   * Runs some work in a transaction while nobody else loads: all of it, or
   * nothing. False means that another load is at work, and nothing was done.
   * Records the check that ended it, if one did.
   */
  async transaction(work: () => Promise<void>): Promise<boolean> {
    const { client, context, waitSeconds } = this;
    try {
      const run = async () => {
        const server = serverName(warehouseOf(context));
        if (!await takeLoadLock(client, { ...context, server, waitSeconds })) {
          return false;
        }
        await work();
        context.signal.throwIfAborted();
        return true;
      };
      return await nameLockHolders(
        context,
        client,
        () => inTransaction(client, { settings: LOAD_SETTINGS }, run),
      );
    } catch (error) {
      await noteFailedCheck(client, error);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection[Symbol.asyncDispose]();
  }
}

/** Throws a `StageError` unless there is a schema to create tables in. */
async function checkSchema(client: pg.Client, server: string): Promise<void> {
  const found = await missingSchema(client);
  if (found === undefined) return;
  throw new StageError(`Cannot load into ${server}: ${found.problem}`, {
    subject: server,
    hint: found.hint,
  });
}
