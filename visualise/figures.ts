import type { TextRow } from "../lib/postgres/postgres.ts";
import type { QueryName, Warehouse } from "./warehouse.ts";

/** What the view of the business is made of, each of one fact. */
const FACT_QUERIES = [
  "sales",
  "purchases",
  "payments",
] as const satisfies readonly QueryName[];
/** Sets of filters of which totals are kept, beside the one without any. */
const CHOSEN_MAX = 8;
/** What the detail of a total is, by what it is a total of. */
const DETAILS: Record<string, string> = { staff: "department" };

/** What the figures are of; null: all. Days are YYYY-MM-DD. */
export interface FigureFilters {
  from: string | null;
  to: string | null;
  counterparty: string | null;
}

/** A batch, and the day of UTC on which its snapshot was taken. */
export interface FigureTime {
  batch: number;
  day: string;
}

/** By fact, and by what they are totals of. */
export type FactFigures = Record<string, Record<string, FigureRow[]>>;

type FigureRow = Record<string, string | null>;

/** Totals of a batch by ids, as the database's JSON, by fact. */
interface Totals extends FigureTime {
  byFact: ReadonlyMap<QueryName, string | null>;
}

/** What figures can be made from; undefined where making it failed. */
interface Base {
  batch: number;
  totals: Promise<Totals | undefined>;
}

/** The newest batch asked for, and the last one of those before it. */
interface Bases {
  newest: Base | undefined;
  past: Base | undefined;
}

/**
 * The figures of the business. Those of a batch are made from those of another
 * one, earlier or later, with what changed between the two: what a new batch
 * costs follows its size, not that of the facts. Who looks at the past does not
 * hold up who looks at now.
 */
export class Figures {
  readonly #bases = new Map<string, Bases>();

  constructor(private readonly warehouse: Warehouse) {}

  /** The figures as of a batch. */
  async read(at: FigureTime, filters: FigureFilters): Promise<FactFigures> {
    // Whom a name stands for may change from batch to batch.
    if (filters.counterparty !== null) {
      return (await this.#make(at, filters, undefined)).figures;
    }
    const bases = this.#basesOf(filters);
    const { newest, past } = bases;
    const isPast = newest !== undefined && at.batch < newest.batch;
    const base = isPast ? past ?? newest : newest;
    const made = this.#make(at, filters, base);
    bases[isPast ? "past" : "newest"] = {
      batch: at.batch,
      // After a failure the one before is as good as it was.
      totals: made.then(({ totals }) => totals, () => base?.totals),
    };
    return (await made).figures;
  }

  /** Forgets all: the warehouse may have been rebuilt. */
  forget(): void {
    this.#bases.clear();
  }

  /** Those of one set of filters; of the sets last asked for. */
  #basesOf(filters: FigureFilters): Bases {
    const key = JSON.stringify(filters);
    const bases = this.#bases.get(key) ??
      { newest: undefined, past: undefined };
    this.#bases.delete(key);
    this.#bases.set(key, bases);
    const chosen = [...this.#bases.keys()].filter((one) => one !== NO_FILTERS);
    const [oldest] = chosen;
    if (chosen.length > CHOSEN_MAX && oldest !== undefined) {
      this.#bases.delete(oldest);
    }
    return bases;
  }

  async #make(
    { batch, day }: FigureTime,
    { from, to, counterparty }: FigureFilters,
    base: Base | undefined,
  ): Promise<{ figures: FactFigures; totals: Totals }> {
    const known = await base?.totals;
    const made = await Promise.all(FACT_QUERIES.map(async (name) => {
      // Payments are overdue by the day.
      const usable = name === "payments" && known?.day !== day
        ? undefined
        : known;
      const [row] = await this.warehouse.ask(name, [
        batch,
        from,
        to,
        counterparty,
        usable?.byFact.get(name) ?? null,
        usable?.batch ?? null,
      ]);
      return { name, row };
    }));
    return {
      figures: Object.fromEntries(
        made.map(({ name, row }) => [name, splitTotals(row)]),
      ),
      totals: {
        batch,
        day,
        byFact: new Map(
          made.map(({ name, row }) => [name, row?.totals ?? null]),
        ),
      },
    };
  }
}

const NO_FILTERS = JSON.stringify(
  { from: null, to: null, counterparty: null } satisfies FigureFilters,
);

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
