import { sqlState } from "../../lib/postgres/postgres.ts";
import type { TextRow } from "../../lib/sql/quote.ts";
import { CoalescedQuery } from "../http/coalesced_query.ts";
import type { Warehouse } from "../warehouse.ts";

/** No such table, schema or role: the first load creates them. */
const EMPTY_STATES = ["42P01", "3F000", "22023"];

/** Whether an error means that nothing was loaded into the warehouse yet. */
export function isBeforeFirstLoad(error: unknown): boolean {
  return EMPTY_STATES.includes(sqlState(error) ?? "");
}

/** Follows the newest batch in the warehouse, and the lake that it is from. */
export class LatestBatch {
  readonly #shared: CoalescedQuery<TextRow | undefined>;
  #known = { lake: "", batch: 0 };
  #begun = 0;
  #taken = 0;

  constructor(
    private readonly warehouse: Warehouse,
    /** Called when the newest batch has changed. */
    private readonly onOther: (how: "newer" | "set back") => void,
  ) {
    this.#shared = new CoalescedQuery(() => this.#ask());
  }

  /** The number of the newest batch known; 0 if there is none. */
  get batch(): number {
    return this.#known.batch;
  }

  /** Its row in the ledger; undefined while there is none. */
  async read(): Promise<TextRow | undefined> {
    return await this.#shared.get();
  }

  /** Makes the next read query again. */
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
    // If two queries overlap, the one that began later is right.
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
