import { quoteName, quoteText } from "../sql/quote.ts";
import type { Dimension, Subject } from "./dashboard.ts";

/** The dimension that says how long a record is past its day. */
export const AGEING = "ageing";
/** The lateness of records; a bucket begins `after` this number of days. */
export const BUCKETS = [
  { name: "up to 30 days", after: 0 },
  { name: "31 to 60 days", after: 30 },
  { name: "61 to 90 days", after: 60 },
  { name: "over 90 days", after: 90 },
] as const;
/** What is not in the worst state. */
const NOT_LATE = "not late";
const COLUMN = /^[\p{L}_][\p{L}\p{N}_]*$/u;

/** The columns that tell which records of a subject are late. */
export interface Due {
  /** The column of the select with the day on which a record is due. */
  column: string;
  /** The column with the state, and the one of what is late. */
  state: string;
  late: string;
}

/** Reads the field `Due` of a header; undefined if it is left out. */
export function readDue(
  [column, ...others]: readonly string[],
  { states, dimensions, problem }: {
    states: Subject["states"];
    dimensions: readonly Dimension[];
    problem: (found: string) => void;
  },
): Due | undefined {
  if (column === undefined) return undefined;
  if (others.length > 0 || !COLUMN.test(column)) {
    problem(
      `its header says Due: ${
        [column, ...others].join(", ")
      }, which is no column of the select, as in \`-- Due: pay_by.\``,
    );
  }
  const [late] = states?.names ?? [];
  const state = dimensions.find(({ name }) => name === states?.dimension);
  if (late === undefined || state === undefined || state.named !== undefined) {
    problem(
      "its header says Due, but not which records are late, as in `-- Stacked by: state is overdue, due, paid.`",
    );
    return undefined;
  }
  return { column, state: state.column, late };
}

/** The select with the column `ageing`. */
export function agedSql(select: string, { column, state, late }: Due): string {
  const cases = BUCKETS.slice(1).toReversed().map(({ name, after }) =>
    `when aged.${quoteName(column)} < as_of.day - ${after} then ${
      quoteText(name)
    }`
  );
  return `select aged.*, case
    when aged.${quoteName(state)} is distinct from ${quoteText(late)}
    then ${quoteText(NOT_LATE)} ${cases.join(" ")}
    else ${quoteText(BUCKETS[0].name)} end as ${AGEING}
  from (${select}) as aged cross join as_of`;
}
