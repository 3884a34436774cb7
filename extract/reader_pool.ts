import type pg from "pg";
import {
  type Guest,
  isLocked,
  type LockedTable,
  lockSql,
  lockTimeoutSql,
} from "./guest_transaction.ts";

interface Reader {
  client: pg.Client;
  /** Holds the locks of all tables that are not read yet. */
  first: boolean;
  /** The table whose lock another one holds. */
  table: string | undefined;
}

interface Waiting {
  table: string | undefined;
  take: (reader: Reader) => void;
}

/**
 * The connections that share a snapshot. The first has locked every table; the
 * others lock one while they read it. What is read is let go of, by rolling
 * back to the savepoint before its lock: the snapshot stays.
 */
export class ReaderPool {
  readonly #free: Reader[];
  readonly #waiting: Waiting[] = [];
  readonly #released = new Set<string>();
  /** Tables that somebody waits for: no other connection can lock them. */
  readonly #firstOnly = new Set<string>();
  /** So many of the locked tables are locked still. */
  #held: number;

  constructor(
    private readonly guest: Guest,
    private readonly locked: readonly LockedTable[],
    clients: readonly pg.Client[],
  ) {
    this.#held = locked.length;
    this.#free = clients.map((client, index) => ({
      client,
      first: index === 0,
      table: undefined,
    }));
  }

  /**
   * Runs work on a connection that is free: one that has the table's lock, or,
   * for work on no table, one whose further locks are let go of at its end.
   */
  async use<Result>(
    work: (client: pg.Client) => Promise<Result>,
    table?: string,
  ): Promise<Result> {
    const reader = await this.#lease(table);
    try {
      return table === undefined
        ? await apart(reader.client, work)
        : await work(reader.client);
    } finally {
      await this.#giveBack(reader);
    }
  }

  /** Lets go of a table's lock, on each connection as soon as it is free. */
  async release(table: string): Promise<void> {
    this.#released.add(table);
    const free = this.#free.splice(0);
    await Promise.all(free.map((reader) => this.#giveBack(reader)));
  }

  async #lease(table: string | undefined): Promise<Reader> {
    for (;;) {
      const reader = await this.#next(table);
      if (table === undefined || await this.#lock(reader, table)) return reader;
      this.#firstOnly.add(table);
      await this.#giveBack(reader);
    }
  }

  #next(table: string | undefined): Promise<Reader> {
    const fit = this.#free.filter((reader) => this.#fits(reader, table));
    const reader =
      fit.find((one) => table !== undefined && one.table === table) ??
        fit.find((one) => one.first) ?? fit[0];
    if (reader === undefined) {
      return new Promise((take) => this.#waiting.push({ table, take }));
    }
    this.#free.splice(this.#free.indexOf(reader), 1);
    return Promise.resolve(reader);
  }

  #fits(reader: Reader, table: string | undefined): boolean {
    return reader.first || table === undefined || !this.#firstOnly.has(table);
  }

  /** Whether the reader has the lock now; it waits for none. */
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
    try {
      if (reader.first) await this.#unlockFirst(reader);
      else if (this.#released.has(reader.table ?? "")) {
        await this.#unlock(reader);
      }
    } catch {
      // A connection that died says so to who uses it next.
    }
    const index = this.#waiting.findIndex(({ table }) =>
      this.#fits(reader, table)
    );
    const [next] = index < 0 ? [] : this.#waiting.splice(index, 1);
    if (next === undefined) this.#free.push(reader);
    else next.take(reader);
  }

  async #unlock(reader: Reader): Promise<void> {
    if (reader.table === undefined) return;
    reader.table = undefined;
    await reader.client.query(backTo("locked_0"));
  }

  /** The table that was locked last is the first that can be let go of. */
  async #unlockFirst({ client }: Reader): Promise<void> {
    const before = this.#held;
    while (this.#isReleased(this.#held - 1)) this.#held--;
    if (this.#held === before) return;
    await client.query(
      `${backTo(`locked_${this.#held}`)}; ${lockTimeoutSql(this.guest)}`,
    );
  }

  #isReleased(index: number): boolean {
    const table = this.locked[index];
    return table !== undefined && this.#released.has(table.name);
  }
}

/** Keeps no lock that the work took. */
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

/** SQL that ends a savepoint and all locks since. */
function backTo(savepoint: string): string {
  return `rollback to savepoint ${savepoint}; release savepoint ${savepoint}`;
}
