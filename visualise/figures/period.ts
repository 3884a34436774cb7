/** Days from one to another, both included, as YYYY-MM-DD; null: no bound. */
export interface Days {
  from: string | null;
  to: string | null;
}

/** The days of some figures, and those that they are compared with. */
export interface Period {
  shown: Days;
  before: Days & { from: string; to: string };
}

const MONTHS = 12;
const DAY_MS = 86_400_000;
const FIRST_DAY = Date.parse("0001-01-01");

/**
 * The twelve months to a day, the month under way included; compared with the
 * same days of the year before, so that part of a month meets the same part.
 */
export function twelveMonthsTo(day: string): Period {
  const from = addMonths(`${day.slice(0, 7)}-01`, 1 - MONTHS);
  return {
    shown: { from, to: null },
    before: { from: addMonths(from, -MONTHS), to: addMonths(day, -MONTHS) },
  };
}

/**
 * The days that were chosen, compared with as many days before them; undefined
 * without a first day, or where those would be before the year 1. Days without
 * a last one go on to `day`.
 */
export function chosenDays(days: Days, day: string): Period | undefined {
  if (days.from === null) return undefined;
  const first = Date.parse(days.from);
  const last = Math.max(first, Date.parse(days.to ?? day));
  const from = first - (last - first) - DAY_MS;
  if (!(from >= FIRST_DAY)) return undefined;
  return {
    shown: days,
    before: {
      from: dayOf(from),
      to: dayOf(first - DAY_MS),
    },
  };
}

/** How many days before the others a period's days are compared with. */
export function daysBefore({ shown, before }: Period): number {
  return (Date.parse(shown.from ?? before.from) - Date.parse(before.from)) /
    DAY_MS;
}

/** The same day of another month, or its last one if it is shorter. */
function addMonths(day: string, months: number): string {
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  const last = new Date(Date.UTC(year, month + months, 0));
  last.setUTCDate(Math.min(date, last.getUTCDate()));
  return dayOf(last.getTime());
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
