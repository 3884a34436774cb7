import type { TextRow } from "../lib/postgres.ts";
import type { QueryName, Warehouse } from "./warehouse.ts";

/** What the view of the business is made of, each of one fact. */
const TOTALS = [
  "sales",
  "purchases",
  "payments",
] as const satisfies readonly QueryName[];
/** Sets of filters of which totals are kept. */
const BASES_MAX = 8;
/** What the detail of a total is, by what it is a total of. */
const DETAILS: Record<string, string> = { staff: "department" };

/** What the figures are of; null: all. Days are YYYY-MM-DD. */
export interface FigureFilters {
  from: string | null;
  to: string | null;
  counterparty: string | null;
}

/** By fact, and by what they are totals of. */
export type FactFigures = Record<string, Record<string, FigureRow[]>>;

type FigureRow = Record<string, string | null>;

/** Totals of a batch by ids, as the database's JSON, by fact. */
interface Base {
  batch: number;
  /** Payments are overdue by the day. */
  day: string;
  totals: ReadonlyMap<QueryName, string | null>;
}

/**
 * The figures of the business. Those of a batch are made from those of the
 * batch that was last asked for, earlier or later, with what changed between
 * the two: what a new batch costs follows its size, not that of the facts.
 */
export class Figures {
  readonly #bases = new Map<string, Promise<Base>>();

  constructor(private readonly warehouse: Warehouse) {}

  /** The figures as of a batch, whose snapshot was taken on that day of UTC. */
  async read(
    at: { batch: number; day: string },
    filters: FigureFilters,
  ): Promise<FactFigures> {
    // Whom a name stands for may change from batch to batch.
    if (filters.counterparty !== null) {
      return (await this.#make(at, filters, undefined)).figures;
    }
    const key = JSON.stringify(filters);
    const earlier = this.#bases.get(key);
    const made = this.#make(at, filters, earlier);
    this.#bases.delete(key);
    this.#bases.set(key, made.then(({ base }) => base));
    // Who goes on from it hears of its failure; who asked for it does anyway.
    this.#bases.get(key)?.catch(() => {});
    const [oldest] = this.#bases.keys();
    if (this.#bases.size > BASES_MAX && oldest !== undefined) {
      this.#bases.delete(oldest);
    }
    return (await made).figures;
  }

  /** Forgets all: the warehouse may have been made anew. */
  forget(): void {
    this.#bases.clear();
  }

  async #make(
    { batch, day }: { batch: number; day: string },
    { from, to, counterparty }: FigureFilters,
    earlier: Promise<Base> | undefined,
  ): Promise<{ figures: FactFigures; base: Base }> {
    const found = await earlier?.catch(() => undefined);
    const base = found?.day === day ? found : undefined;
    const made = await Promise.all(TOTALS.map(async (name) => {
      const [row] = await this.warehouse.ask(name, [
        batch,
        from,
        to,
        counterparty,
        base?.totals.get(name) ?? null,
        base?.batch ?? null,
      ]);
      return { name, row };
    }));
    return {
      figures: Object.fromEntries(
        made.map(({ name, row }) => [name, splitTotals(row)]),
      ),
      base: {
        batch,
        day,
        totals: new Map(
          made.map(({ name, row }) => [name, row?.totals ?? null]),
        ),
      },
    };
  }
}

/** The rows of a query by what they are totals of, which then has its name. */
function splitTotals(row: TextRow | undefined): Record<string, FigureRow[]> {
  const rows: FigureRow[] = JSON.parse(row?.figures ?? "[]");
  const split: Record<string, FigureRow[]> = {};
  for (const { by, name, detail, ...figures } of rows) {
    if (by == null) continue;
    const detailName = DETAILS[by];
    (split[by] ??= []).push({
      [by]: name ?? null,
      ...(detailName === undefined ? {} : { [detailName]: detail ?? null }),
      ...figures,
    });
  }
  return split;
}
