import type pg from "pg";
import {
  type Connection,
  ENDINGS,
  sqlState,
} from "../lib/postgres/postgres.ts";
import { type Guest, inTime, inTransaction } from "./guest_transaction.ts";

/**
 * A connection beside those that read, which sees what is committed by now. It
 * is idle between its transactions, and servers, poolers and networks may end
 * it for that: it is then opened again.
 */
export class Beside {
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    private current: Connection,
    private readonly options: {
      guest: Guest;
      /** Undefined if no connection to the same server can be opened. */
      reopen: () => Promise<Connection | undefined>;
      end: (connection: Connection) => Promise<void>;
    },
  ) {}

  /**
   * Runs work in a transaction of its own, after any earlier work has ended;
   * undefined if there is no connection to the same server any more.
   */
  async use<Result>(
    work: (client: pg.Client) => Promise<Result>,
    options: { mustAnswerSoon?: boolean } = {},
  ): Promise<Result | undefined> {
    const turn = this.#turn.then(() => this.#run(work, options));
    this.#turn = turn.catch(() => {});
    return await turn;
  }

  async #run<Result>(
    work: (client: pg.Client) => Promise<Result>,
    { mustAnswerSoon = false }: { mustAnswerSoon?: boolean },
  ): Promise<Result | undefined> {
    const { guest, reopen, end } = this.options;
    if (ENDINGS.has(this.current.client)) {
      await end(this.current);
      const connection = await reopen();
      if (connection === undefined) return undefined;
      this.current = connection;
    }
    const { client } = this.current;
    try {
      const result = inTransaction(client, guest, () => work(client));
      return await (mustAnswerSoon ? inTime(this.current, result) : result);
    } catch (error) {
      // What the server did not say is the connection's end.
      if (sqlState(error) === undefined && error instanceof Error) {
        ENDINGS.set(client, error);
      }
      throw error;
    }
  }
}
