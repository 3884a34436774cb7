import { sqlState, type TextRow } from "../lib/postgres/postgres.ts";
import { CoalescedQuery } from "./coalesced_query.ts";
import type { Warehouse } from "./warehouse.ts";

/** No such table, schema, role: before its first load it has neither. */
const EMPTY_STATES = ["42P01", "3F000", "22023"];

/** Whether an error tells of a warehouse that nothing was loaded into yet. */
export function isBeforeFirstLoad(error: unknown): boolean {
  return EMPTY_STATES.includes(sqlState(error) ?? "");
}

/** Follows which batch of which lake is the newest in the warehouse. */
export class LatestBatch {
  readonly #shared: CoalescedQuery<TextRow | undefined>;
  #known = { lake: "", batch: 0 };
  #begun = 0;
  #taken = 0;

  constructor(
    private readonly warehouse: Warehouse,
    /** Told when it is another one than before. */
    private readonly onOther: (how: "newer" | "set back") => void,
  ) {
    this.#shared = new CoalescedQuery(() => this.#ask());
  }

  /** The number of the newest batch, as far as was heard; 0: none. */
  get batch(): number {
    return this.#known.batch;
  }

  /** What the ledger says of it; undefined while there is none. */
  async read(): Promise<TextRow | undefined> {
    return await this.#shared.get();
  }

  /** The next reader asks again. */
  forget(): void {
    this.#shared.forget();
  }

  async #ask(): Promise<TextRow | undefined> {
    this.#begun += 1;
    const turn = this.#begun;
    const [row] = await this.warehouse.ask("newest").catch((error) => {
      if (isBeforeFirstLoad(error)) return [];
      throw error;
    });
    // Of two that cross, the one begun later knows better.
    if (turn > this.#taken) {
      this.#taken = turn;
      this.#take({ lake: row?.lake_id ?? "", batch: Number(row?.batch ?? 0) });
    }
    return row;
  }

  #take(now: { lake: string; batch: number }): void {
    const before = this.#known;
    this.#known = now;
    if (now.lake !== before.lake || now.batch !== before.batch) {
      const isSetBack = now.lake !== before.lake || now.batch < before.batch;
      this.onOther(isSetBack ? "set back" : "newer");
    }
  }
}
