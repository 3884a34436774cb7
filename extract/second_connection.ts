import type pg from "pg";
import {
  type Connection,
  ENDINGS,
  sqlState,
} from "../lib/postgres/postgres.ts";
import { type Guest, inGuestTransaction, inTime } from "./guest_transaction.ts";

/** How long its work may take, which reads the catalogue and no table. */
const WORK_MS_MAX = 60_000;

/**
 * A connection beside those that read, which sees what is committed by now. It
 * is idle between its transactions, and servers, poolers and networks may end
 * it for that, some without a word: it is then opened again.
 */
export class SecondConnection {
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
   * Runs work in a transaction of its own, after any earlier work has ended,
   * and once more if the connection turns out to have ended; undefined if there
   * is no connection to the same server any more.
   */
  async use<Result>(
    work: (client: pg.Client) => Promise<Result>,
    { answerMsMax = WORK_MS_MAX }: { answerMsMax?: number } = {},
  ): Promise<Result | undefined> {
    const turn = this.#turn.then(() => this.#run(work, answerMsMax))
      .catch((error) => {
        if (!ENDINGS.has(this.current.client)) throw error;
        return this.#run(work, answerMsMax);
      });
    this.#turn = turn.catch(() => {});
    return await turn;
  }

  async #run<Result>(
    work: (client: pg.Client) => Promise<Result>,
    answerMsMax: number,
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
      const result = inGuestTransaction(client, guest, () => work(client));
      return await inTime(this.current, result, answerMsMax);
    } catch (error) {
      // What the server did not say is the connection's end.
      if (sqlState(error) === undefined && error instanceof Error) {
        ENDINGS.set(client, error);
      }
      throw error;
    }
  }
}
