import type { Subject } from "../../lib/project/dashboard.ts";
import type { Sources } from "../sources.ts";
import type { Names, SubjectFigures } from "./figures.ts";
import { daysBefore, type Period } from "./period.ts";

/** How long before, as far as the warehouse reaches back. */
const DISTANCES = ["1 year", "1 month", "1 week", "1 day"];
const DAY_SECONDS = 86_400;

/** Figures as they were at an earlier batch. */
export interface EarlierFigures {
  batch: number;
  snapshot_time: string;
  figures: SubjectFigures;
}

/**
 * Reads what some subjects' figures were a year before a batch's time or, where
 * the warehouse does not reach so far back, a month, a week or a day before.
 * Chosen days are compared with as many before them, as those stood as many days
 * before, by a batch of the day up to then. Null where there is no such batch.
 */
export async function readEarlier(
  { warehouse, figures }: Sources,
  { time, chosen, names, subjects, beside }: {
    time: string;
    /** Days that were chosen; undefined for any day. */
    chosen: Period | undefined;
    names: Names;
    subjects: readonly Subject[];
    /** Figures whose names are those to read. */
    beside: SubjectFigures;
  },
): Promise<EarlierFigures | null> {
  if (subjects.length === 0 || time === "") return null;
  const [found] = await warehouse.ask("batch_before", [
    time,
    chosen === undefined ? DISTANCES : [`${daysBefore(chosen)} days`],
  ]);
  if (found?.batch == null || found.snapshot_time == null) return null;
  const { batch, snapshot_time, seconds_short } = found;
  // Days as of a much earlier moment are not late for as long.
  if (chosen !== undefined && Number(seconds_short) > DAY_SECONDS) return null;
  const { from, to } = chosen?.before ?? { from: null, to: null };
  return {
    batch: Number(batch),
    snapshot_time,
    figures: await figures.read(
      { batch: Number(batch), day: snapshot_time.slice(0, 10) },
      { from, to, names },
      subjects,
      beside,
    ),
  };
}
