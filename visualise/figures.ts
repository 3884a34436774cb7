import type { TextRow } from "../lib/postgres/postgres.ts";
import type { QueryName, Warehouse } from "./warehouse.ts";

/** The queries behind the view of the business, one for each fact. */
const FACT_QUERIES = [
  "sales",
  "purchases",
  "payments",
] as const satisfies readonly QueryName[];
type Fact = typeof FACT_QUERIES[number];
/** How many sets of filters have their totals kept, beside the empty one. */
const CHOSEN_MAX = 24;
/** The name of a total's detail, by what the totals are grouped by. */
const DETAILS: Record<string, string> = { staff: "department" };

/** Names that figures can be filtered by. */
export const NAMES = [
  "counterparty",
  "country",
  "department",
  "staff",
  "design",
] as const;
/** Of each fact the names that it has, in the order of its parameters. */
const NAMES_OF: Record<Fact, readonly FigureName[]> = {
  sales: NAMES,
  purchases: ["counterparty", "country", "department", "staff"],
  payments: ["counterparty"],
};

type FigureName = typeof NAMES[number];

/** The filters of the figures; null for all. Days are YYYY-MM-DD. */
export type FigureFilters =
  & { from: string | null; to: string | null }
  & Partial<Record<FigureName, string | null>>;

/** A batch, and the day in UTC on which its snapshot was taken. */
export interface FigureTime {
  batch: number;
  day: string;
}

/** Figures by fact, and by what they are grouped by. */
export type FactFigures = Record<string, Record<string, FigureRow[]>>;

/** What figures are of. */
interface Figured {
  filters: FigureFilters;
  facts: readonly Fact[];
}

type FigureRow = Record<string, string | null>;

/** Totals as of a batch, grouped by ids, as the database's JSON, by fact. */
interface Totals extends FigureTime {
  byFact: ReadonlyMap<QueryName, string | null>;
}

/** Totals that others can be made from; undefined if making them failed. */
interface Base {
  batch: number;
  totals: Promise<Totals | undefined>;
}

/** The newest batch requested, and the last one requested before it. */
interface Bases {
  newest: Base | undefined;
  past: Base | undefined;
}

/**
 * The figures of the business. Those of a batch are made from those of another,
 * earlier or later, and the changes between the two: the cost of a new batch
 * depends on its size, not on that of the facts. Viewers of the past do not
 * delay viewers of the present.
 */
export class Figures {
  readonly #bases = new Map<string, Bases>();

  constructor(private readonly warehouse: Warehouse) {}

  /**
   * Reads the figures of some facts as of a batch; without a fact that lacks
   * one of the filters' names.
   */
  async read(
    at: FigureTime,
    filters: FigureFilters,
    asked: readonly Fact[] = FACT_QUERIES,
  ): Promise<FactFigures> {
    const named = NAMES.filter((name) => (filters[name] ?? null) !== null);
    const facts = asked.filter((fact) =>
      named.every((name) => NAMES_OF[fact].includes(name))
    );
    const of = { filters, facts };
    // A name may mean another counterparty in another batch.
    if (named.length > 0) {
      return (await this.#make(at, of, undefined)).figures;
    }
    const bases = this.#basesOf(of);
    const { newest, past } = bases;
    const isPast = newest !== undefined && at.batch < newest.batch;
    const base = isPast ? past ?? newest : newest;
    const made = this.#make(at, of, base);
    bases[isPast ? "past" : "newest"] = {
      batch: at.batch,
      // After a failure, the totals before are still valid.
      totals: made.then(({ totals }) => totals, () => base?.totals),
    };
    return (await made).figures;
  }

  /** Forgets all, since the warehouse may have been rebuilt. */
  forget(): void {
    this.#bases.clear();
  }

  /** The bases of a set of filters; only recently used sets are kept. */
  #basesOf(of: Figured): Bases {
    const key = keyOf(of);
    const bases = this.#bases.get(key) ??
      { newest: undefined, past: undefined };
    this.#bases.delete(key);
    this.#bases.set(key, bases);
    const chosen = [...this.#bases.keys()].filter((one) => one !== ALL);
    const [oldest] = chosen;
    if (chosen.length > CHOSEN_MAX && oldest !== undefined) {
      this.#bases.delete(oldest);
    }
    return bases;
  }

  async #make(
    { batch, day }: FigureTime,
    { filters, facts }: Figured,
    base: Base | undefined,
  ): Promise<{ figures: FactFigures; totals: Totals }> {
    const known = await base?.totals;
    const made = await Promise.all(facts.map(async (name) => {
      // A payment becomes overdue from one day to the next.
      const usable = name === "payments" && known?.day !== day
        ? undefined
        : known;
      const [party, ...others] = NAMES_OF[name].map((one) =>
        filters[one] ?? null
      );
      const [row] = await this.warehouse.ask(name, [
        batch,
        filters.from,
        filters.to,
        party ?? null,
        usable?.byFact.get(name) ?? null,
        usable?.batch ?? null,
        ...others,
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

/** Only figures without names are made from others. */
function keyOf({ filters: { from, to }, facts }: Figured): string {
  return JSON.stringify({ from, to, facts });
}

const ALL = keyOf({ filters: { from: null, to: null }, facts: FACT_QUERIES });

/** Splits a query's rows by what they are grouped by, and names that column. */
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
