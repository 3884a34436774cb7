import type { Dimension, Subject } from "../../lib/project/dashboard.ts";
import { mainMeasure } from "../../lib/project/dashboard_cards.ts";
import { boardsOf, isSplit } from "./subject_sql.ts";

/**
 * What figures are grouped and summed by. In the query, `g0` and on are the
 * groups, `s0` and on the splits, `m0` and on the measures.
 */
export interface Parts {
  subject: Subject;
  boards: Dimension[];
  /** The boards that have totals of their own. */
  groups: Dimension[];
  splits: Dimension[];
  groupNames: string[];
  /** Groups and splits. */
  keys: string[];
  sums: string[];
  /** Of the measures, the one that names are first ordered by. */
  main: string;
  /** Of the measures, the one that counts records. */
  count: string;
}

/** What the figures of a subject are grouped and summed by. */
export function partsOf(subject: Subject): Parts {
  const { dimensions, measures } = subject;
  const boards = boardsOf(subject);
  const groups = groupsOf(boards);
  const splits = dimensions.filter((one) => isSplit(subject, one));
  const groupNames = groups.map((_, index) => `g${index}`);
  const main = measures.findIndex(({ name }) => name === mainMeasure(subject));
  const counting = measures.findIndex(({ unit }) => unit === "count");
  return {
    subject,
    boards,
    groups,
    splits,
    groupNames,
    keys: [...groupNames, ...splits.map((_, index) => `s${index}`)],
    sums: measures.map((_, index) => `m${index}`),
    main: `m${main}`,
    count: `m${counting}`,
  };
}

/** Boards of the same column share totals, except those counted by name. */
function groupsOf(boards: readonly Dimension[]): Dimension[] {
  return boards.filter((one, index) =>
    boards.findIndex((other) => isOfGroup(other, one)) === index
  );
}

/** The place of the group that has a board's totals. */
export function groupOf(
  board: Dimension,
  groups: readonly Dimension[],
): number {
  return groups.findIndex((group) => isOfGroup(board, group));
}

function isOfGroup(board: Dimension, group: Dimension): boolean {
  return board === group ||
    (board.column === group.column && !isByName(board) && !isByName(group));
}

/** Whether facts are counted by the names of a dimension, not by its keys. */
export function isByName({ named }: Dimension): boolean {
  return named?.isCountedByName === true;
}
