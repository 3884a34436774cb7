import type pg from "pg";
import { sqlState } from "../lib/postgres/postgres.ts";
import {
  type Guest,
  isLocked,
  type LockedTable,
  lockSql,
  lockTimeoutSql,
} from "./guest_transaction.ts";
import { tableError } from "./source_error.ts";

/**
 * SQLSTATEs of what follows from an earlier error of a transaction: it takes no
 * statements any more, and its savepoints are gone.
 */
const FOLLOWING = ["25P02", "3B001"];

interface Reader {
  client: pg.Client;
  /** Whether it holds the locks of all tables not read yet. */
  first: boolean;
  /** The table whose lock it holds, if it isn't the first. */
  table: string | undefined;
}

interface Waiting {
  table: string | undefined;
  take: (reader: Reader) => void;
}

/**
 * The connections that share a snapshot. The first has locked every table; the
 * others lock one while they read it. A table that has been read is released by
 * rolling back to the savepoint before its lock: the snapshot stays. While the
 * first reads, it can release none, so it reads only the table that it has to
 * release next, unless `keepsLocks` says that all are kept until the end. So for
 * `atOnce` to read at any time, there has to be one connection more.
 */
export class ReaderPool {
  readonly #free: Reader[];
  readonly #waiting: Waiting[] = [];
  readonly #released = new Set<string>();
  /** Tables that another session waits for: only the first can read them. */
  readonly #firstOnly = new Set<string>();
  readonly #firstReadsAny: boolean;
  readonly #atOnce: number;
  #busy = 0;
  /** How many of the tables are still locked. */
  #held: number;
  /** The first error of a server. */
  #failure: unknown;

  constructor(
    private readonly guest: Guest,
    private readonly locked: readonly LockedTable[],
    clients: readonly pg.Client[],
    options: { keepsLocks?: boolean; atOnce?: number } = {},
  ) {
    this.#atOnce = options.atOnce ?? clients.length;
    this.#held = locked.length;
    this.#firstReadsAny = options.keepsLocks === true || clients.length === 1;
    this.#free = clients.map((client, index) => ({
      client,
      first: index === 0,
      table: undefined,
    }));
  }

  /**
   * Runs work on a free connection: one that has the table's lock or, without a
   * table, one that releases the locks of the work when it ends.
   */
  async use<Result>(
    work: (client: pg.Client) => Promise<Result>,
    table?: string,
  ): Promise<Result> {
    try {
      const reader = await this.#lease(table);
      try {
        return table === undefined
          ? await apart(reader.client, work)
          : await work(reader.client);
      } finally {
        await this.#giveBack(reader);
      }
    } catch (error) {
      throw this.#causeOf(error, table);
    }
  }

  /** An error of a server, or the earlier one from which it follows. */
  #causeOf(error: unknown, table: string | undefined): unknown {
    const state = sqlState(error);
    if (state === undefined) return error;
    if (FOLLOWING.includes(state)) return this.#failure ?? error;
    this.#failure ??= table === undefined ? error : tableError(error, table);
    return error;
  }

  /** Releases a table's lock, on each connection as soon as it is free. */
  async release(table: string): Promise<void> {
    this.#released.add(table);
    const free = this.#free.splice(0);
    await Promise.all(free.map((reader) => this.#makeFree(reader)));
    this.#serveWaiting();
  }

  async #lease(table: string | undefined): Promise<Reader> {
    for (;;) {
      const reader = await this.#next(table);
      try {
        if (table === undefined || await this.#lock(reader, table)) {
          return reader;
        }
      } catch (error) {
        // Others wait for it, and shall get the error, too.
        await this.#giveBack(reader);
        throw error;
      }
      this.#firstOnly.add(table);
      await this.#giveBack(reader);
    }
  }

  #next(table: string | undefined): Promise<Reader> {
    const reader = this.#take(table);
    return reader === undefined
      ? new Promise((take) => this.#waiting.push({ table, take }))
      : Promise.resolve(reader);
  }

  /** Takes a free connection that may read the table, if there is one. */
  #take(table: string | undefined): Reader | undefined {
    if (this.#busy === this.#atOnce) return undefined;
    const fit = this.#free.filter((reader) => this.#fits(reader, table));
    const reader =
      fit.find((one) => table !== undefined && one.table === table) ??
        fit.find((one) => one.first) ?? fit[0];
    if (reader === undefined) return undefined;
    this.#free.splice(this.#free.indexOf(reader), 1);
    this.#busy++;
    return reader;
  }

  #fits(reader: Reader, table: string | undefined): boolean {
    if (table === undefined) return true;
    const isFirstOnly = this.#firstOnly.has(table);
    if (!reader.first) return !isFirstOnly;
    return isFirstOnly || this.#firstReadsAny ||
      this.#nextToRelease() === table;
  }

  /** The table to be released next: the last one locked of those left. */
  #nextToRelease(): string | undefined {
    return this.locked.findLast(({ name }) => !this.#released.has(name))?.name;
  }

  /** Locks the table if that needs no wait; whether the reader has the lock. */
  async #lock(reader: Reader, table: string): Promise<boolean> {
    if (reader.first || reader.table === table) return true;
    const found = this.locked.filter(({ name }) => name === table);
    await this.#unlock(reader);
    try {
      await reader.client.query(lockSql(this.guest, found));
      reader.table = table;
      return true;
    } catch (error) {
      if (!isLocked(error)) throw error;
      await reader.client.query(backTo("locked_0"));
      return false;
    }
  }

  async #giveBack(reader: Reader): Promise<void> {
    await this.#makeFree(reader);
    this.#busy--;
    this.#serveWaiting();
  }

  /** Also releases what is read while it releases. */
  async #makeFree(reader: Reader): Promise<void> {
    while (this.#holdsReleased(reader)) {
      try {
        if (reader.first) await this.#unlockFirst(reader);
        else await this.#unlock(reader);
      } catch {
        // If the connection died, its next user gets the error.
      }
    }
    this.#free.push(reader);
  }

  #holdsReleased({ first, table }: Reader): boolean {
    return first
      ? this.#isReleased(this.#held - 1)
      : this.#released.has(table ?? "");
  }

  #serveWaiting(): void {
    for (const one of [...this.#waiting]) {
      const reader = this.#take(one.table);
      if (reader === undefined) continue;
      this.#waiting.splice(this.#waiting.indexOf(one), 1);
      one.take(reader);
    }
  }

  async #unlock(reader: Reader): Promise<void> {
    if (reader.table === undefined) return;
    reader.table = undefined;
    await reader.client.query(backTo("locked_0"));
  }

  /** Releases from the end: the table locked last must be released first. */
  async #unlockFirst({ client }: Reader): Promise<void> {
    while (this.#isReleased(this.#held - 1)) this.#held--;
    await client.query(
      `${backTo(`locked_${this.#held}`)}; ${lockTimeoutSql(this.guest)}`,
    );
  }

  #isReleased(index: number): boolean {
    const table = this.locked[index];
    return table !== undefined && this.#released.has(table.name);
  }
}

/** Runs work in a savepoint, and releases the locks that it took. */
async function apart<Result>(
  client: pg.Client,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  await client.query("savepoint apart");
  try {
    return await work(client);
  } finally {
    await client.query(backTo("apart")).catch(() => {});
  }
}

/** SQL that ends a savepoint and releases all locks taken since. */
function backTo(savepoint: string): string {
  return `rollback to savepoint ${savepoint}; release savepoint ${savepoint}`;
}
