import type { TextRow } from "../../lib/sql/quote.ts";
import type { Subject } from "../../lib/project/dashboard.ts";
import { figuresSql } from "./figures_sql.ts";
import { boardsOf } from "./subject_sql.ts";
import type { Warehouse } from "../warehouse.ts";

/** Of ranked names, how many are read by each measure, currency and state. */
const RANKED_MAX = 12;
/** Enough to find the names of other figures among them. */
const ALL_RANKED_MAX = 5000;
/** How many sets of filters have their totals kept, beside the empty one. */
const CHOSEN_MAX = 24;

/** Names to filter by, by dimension. */
export type Names = Readonly<Record<string, readonly string[]>>;

/** The filters of the figures; null for all. Days are YYYY-MM-DD. */
export interface FigureFilters {
  from: string | null;
  to: string | null;
  names?: Names;
}

/** A batch, and the day in UTC on which its snapshot was taken. */
export interface FigureTime {
  batch: number;
  day: string;
}

/** Figures by subject, and by what they are grouped by. */
export type SubjectFigures = Record<string, Record<string, FigureRow[]>>;

/** What figures are of. */
interface Figured {
  filters: FigureFilters;
  subjects: readonly Subject[];
  /** Figures whose names are those to read; undefined for the first ones. */
  beside?: SubjectFigures | undefined;
}

type FigureRow = Record<string, string | null>;

/** Totals as of a batch, grouped by ids, as the database's JSON, by subject. */
interface Totals extends FigureTime {
  bySubject: ReadonlyMap<string, string | null>;
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
  readonly #sql = new WeakMap<Subject, string>();

  constructor(private readonly warehouse: Warehouse) {}

  /**
   * Reads the figures of some subjects as of a batch; without a subject that
   * lacks one of the filters' dimensions. They have the months and, of each
   * dimension, the first names, or those that `beside` has.
   */
  async read(
    at: FigureTime,
    filters: FigureFilters,
    asked: readonly Subject[],
    beside?: SubjectFigures,
  ): Promise<SubjectFigures> {
    const named = Object.keys(filters.names ?? {});
    const subjects = asked.filter((subject) => {
      const known = boardsOf(subject).map(({ name }) => name);
      return named.every((name) => known.includes(name));
    });
    const of = { filters, subjects, beside };
    // A name may mean another row of a dimension in another batch.
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
    const chosen = [...this.#bases.keys()].filter((one) =>
      !one.startsWith(WITHOUT_DAYS)
    );
    const [oldest] = chosen;
    if (chosen.length > CHOSEN_MAX && oldest !== undefined) {
      this.#bases.delete(oldest);
    }
    return bases;
  }

  async #make(
    { batch, day }: FigureTime,
    { filters, subjects, beside }: Figured,
    base: Base | undefined,
  ): Promise<{ figures: SubjectFigures; totals: Totals }> {
    const known = await base?.totals;
    const made = await Promise.all(subjects.map(async (subject) => {
      const { name, isOfDay, seesOthers } = subject;
      // What is due becomes overdue from one day to the next.
      const usable = (isOfDay && known?.day !== day) || seesOthers
        ? undefined
        : known;
      const totals = usable?.bySubject.get(name);
      const [row] = await this.warehouse.ask(
        { name, text: this.#sqlOf(subject) },
        [
          batch,
          filters.from,
          filters.to,
          day,
          totals ?? null,
          totals === undefined ? null : usable?.batch ?? null,
          beside === undefined ? RANKED_MAX : ALL_RANKED_MAX,
          ...boardsOf(subject).map((one) => filters.names?.[one.name] ?? null),
        ],
      );
      return { subject, row };
    }));
    return {
      figures: Object.fromEntries(
        made.map(({ subject, row }) => [
          subject.name,
          withNamesOf(splitTotals(row, subject), beside?.[subject.name]),
        ]),
      ),
      totals: {
        batch,
        day,
        bySubject: new Map(
          made.filter(({ row }) => !isOfNoNumber(row))
            .map(({ subject, row }) => [subject.name, row?.totals ?? null]),
        ),
      },
    };
  }

  #sqlOf(subject: Subject): string {
    const text = this.#sql.get(subject) ?? figuresSql(subject);
    this.#sql.set(subject, text);
    return text;
  }
}

/** Whether its totals have a sum that nothing makes a number again. */
function isOfNoNumber(row: TextRow | undefined): boolean {
  return /"(?:NaN|-?Infinity)"/.test(row?.totals ?? "");
}

/** Only figures without names are made from others. */
function keyOf({ filters: { from, to }, subjects }: Figured): string {
  return JSON.stringify([from, to, ...subjects.map(({ name }) => name)]);
}

const WITHOUT_DAYS = "[null,null,";

/** Splits a query's rows by what they are grouped by, and names that column. */
function splitTotals(
  row: TextRow | undefined,
  { dimensions }: Subject,
): Record<string, FigureRow[]> {
  const rows: FigureRow[] = JSON.parse(row?.figures ?? "[]");
  const split: Record<string, FigureRow[]> = {};
  for (const { by, name, detail, ...figures } of rows) {
    if (by == null) continue;
    const within = dimensions.find((one) => one.name === by)?.within;
    (split[by] ??= []).push({
      [by]: name ?? null,
      ...(within === undefined ? {} : { [within]: detail ?? null }),
      ...figures,
    });
  }
  return split;
}

/** The figures of every month, and of the names that other figures have. */
function withNamesOf(
  figures: Record<string, FigureRow[]>,
  others: Record<string, FigureRow[]> | undefined,
): Record<string, FigureRow[]> {
  if (others === undefined) return figures;
  return Object.fromEntries(
    Object.entries(figures).map(([by, rows]) => {
      const names = new Set(others[by]?.map((row) => row[by]));
      return [
        by,
        by === "month" ? rows : rows.filter((row) => names.has(row[by])),
      ];
    }),
  );
}
