import type { Subject } from "../../lib/project/dashboard.ts";
import type { SubjectFigures } from "./figures.ts";
import { isSplit } from "./subject_sql.ts";

/** What a page shows of the figures. */
export interface Shown {
  /** The subject whose lists it shows, or empty; cards and charts are of all. */
  lists: string;
  /** The currency; null: the one that is shown first; empty: none. */
  currency: string | null;
}

/**
 * Figures of a period, those of the one before and of an earlier batch, and
 * their currencies.
 */
export interface CurrencyFigures {
  figures: SubjectFigures;
  before: { figures: SubjectFigures } | null;
  earlier: { figures: SubjectFigures } | null;
  /** The one that is shown first comes first. */
  currencies: readonly string[];
}

/** What cards and charts are made of, whichever lists are shown. */
const OF_CARDS = new Set(["month", "ageing"]);
const CURRENCY = "currency";

/**
 * The currencies of figures: the usual one first, then those with most records
 * of the first subject, or of the next where those are equal.
 */
export function currenciesOf(
  figures: SubjectFigures,
  subjects: readonly Subject[],
  usual: string | undefined,
): string[] {
  const counts = subjects.filter(isByCurrency).map(({ name, measures }) => {
    const count = measures.find(({ unit }) => unit === "count")?.name ?? "";
    const ofCode = new Map<string, number>();
    for (const row of figures[name]?.month ?? []) {
      const code = row[CURRENCY] ?? "";
      ofCode.set(code, (ofCode.get(code) ?? 0) + Number(row[count]));
    }
    return ofCode;
  });
  const codes = new Set(counts.flatMap((one) => [...one.keys()]));
  if (codes.size === 0 && usual !== undefined) return [usual];
  return [...codes].sort((one, other) => {
    const isUsual = Number(other === usual) - Number(one === usual);
    if (isUsual !== 0) return isUsual;
    for (const ofCode of counts) {
      const more = (ofCode.get(other) ?? 0) - (ofCode.get(one) ?? 0);
      if (more !== 0) return more;
    }
    return one.localeCompare(other);
  });
}

/**
 * The part of figures that a page shows: in one currency, and the lists of one
 * subject. It is about a fifth of all.
 */
export function shownFigures<Figures extends CurrencyFigures>(
  all: Figures,
  subjects: readonly Subject[],
  { lists, currency }: Shown,
): Figures & { currency: string } {
  const code = currency ?? all.currencies[0] ?? "";
  const shownOf = (figures: SubjectFigures): SubjectFigures =>
    Object.fromEntries(subjects.flatMap((subject) => {
      const { name } = subject;
      const own = figures[name];
      if (own === undefined) return [];
      const shown = Object.entries(own)
        .filter(([by]) => name === lists || OF_CARDS.has(by))
        .map(([by, rows]) => [
          by,
          isByCurrency(subject)
            ? rows.filter((row) => row[CURRENCY] === code)
            : rows,
        ]);
      return [[name, Object.fromEntries(shown)]];
    }));
  return {
    ...all,
    currency: code,
    figures: shownOf(all.figures),
    before: all.before &&
      { ...all.before, figures: shownOf(all.before.figures) },
    earlier: all.earlier &&
      {
        ...all.earlier,
        figures: worstOf(shownOf(all.earlier.figures), subjects),
      },
  };
}

/**
 * Without the months in other states than the worst: a card is compared by its
 * own, which is the worst, and lists by their names.
 */
function worstOf(
  figures: SubjectFigures,
  subjects: readonly Subject[],
): SubjectFigures {
  return Object.fromEntries(
    Object.entries(figures).map(([name, own]) => {
      const states = subjects.find((one) => one.name === name)?.states;
      const { month, ...lists } = own;
      if (states === undefined || month === undefined) return [name, own];
      const worst = month.filter((row) =>
        row[states.dimension] === states.names[0]
      );
      return [name, { ...lists, month: worst }];
    }),
  );
}

/** Whether a subject's figures are apart by currency. */
function isByCurrency(subject: Subject): boolean {
  return subject.dimensions.some((one) =>
    one.name === CURRENCY && isSplit(subject, one)
  );
}
