import type { Subject } from "../../lib/project/dashboard.ts";
import type { Sources } from "../sources.ts";
import type { Warehouse } from "../warehouse.ts";
import { readEarlier } from "./earlier_figures.ts";
import type { FigureTime, Names, SubjectFigures } from "./figures.ts";
import {
  chosenDays,
  type Days,
  type Period,
  twelveMonthsTo,
} from "./period.ts";
import { currenciesOf } from "./shown_figures.ts";
import { boardsOf, namesSql } from "./subject_sql.ts";

/** The names in the field of the filters. */
const NAMES_MAX = 2000;

/** Whose figures are read, and which. */
interface Read {
  at: FigureTime;
  names: Names;
  /** Subjects whose figures are of some days. */
  timed: readonly Subject[];
  /** The figures of the days that were asked for, of all subjects. */
  all: SubjectFigures;
}

/** The days of figures; without a period there is none to compare them with. */
interface ShownDays {
  kind: "12m" | "days" | "all";
  period: Period | undefined;
}

/**
 * Reads the figures as of a batch; days: from, to, period. Unless days or the
 * period `all` were chosen, they are those of the last twelve months, if the
 * first subject with a figure has any there. What is stacked by state is of any
 * day: what is overdue stays so. It is compared with what it was at an earlier
 * batch, while other figures are compared with those of the days before.
 */
export async function readOverview(
  sources: Sources,
  { batch, days: [from = null, to = null, asked], names }: {
    batch: number;
    days: (string | null)[];
    names: Names;
  },
) {
  const { company, warehouse, figures } = sources;
  const subjects = await company.subjects();
  const [[ledger], offered] = await Promise.all([
    warehouse.ask("batch", [batch]),
    readOffered(warehouse, { batch, subjects }),
  ]);
  const time = ledger?.snapshot_time ?? "";
  const at = { batch, day: time.slice(0, 10) };
  const all = await figures.read(at, { from, to, names }, subjects);
  const timed = subjects.filter(({ states }) => states === undefined);
  const read = { at, names, timed, all };
  const days = daysOf({ from, to }, { ...read, isAll: asked === "all" });
  const isCompared = days.kind !== "days" || days.period !== undefined;
  const [ofDays, earlier] = await Promise.all([
    readDays(sources, days, read),
    readEarlier(sources, {
      time,
      names,
      chosen: days.kind === "days" ? days.period : undefined,
      subjects: isCompared
        ? subjects.filter((one) => !timed.includes(one))
        : [],
      beside: all,
    }),
  ]);
  return {
    snapshot_time: ledger?.snapshot_time,
    period: days.kind,
    from: days.period?.shown.from ?? null,
    currencies: currenciesOf(
      ofDays.figures,
      subjects,
      company.settings.currency,
    ),
    ...ofDays,
    earlier,
    offered,
  };
}

/** The days that were chosen, or else the last twelve months if there are any. */
function daysOf(
  { from, to }: Days,
  { at: { day }, names, timed, all, isAll }: Read & { isAll: boolean },
): ShownDays {
  if (from !== null || to !== null) {
    return { kind: "days", period: chosenDays({ from, to }, day) };
  }
  const recent = twelveMonthsTo(day);
  const months = timed.map(({ name }) => all[name]?.month ?? [])
    .find(({ length }) => length > 0);
  const isFiltered = Object.keys(names).length > 0;
  const isRecent = !isAll &&
    (months?.some(({ month }) =>
      (month ?? "") >= (recent.shown.from ?? "").slice(0, 7)
    ) ?? isFiltered);
  return isRecent
    ? { kind: "12m", period: recent }
    : { kind: "all", period: undefined };
}

/** Reads the figures of some days, and those of the days before. */
async function readDays(
  { figures }: Sources,
  { kind, period }: ShownDays,
  { at, names, timed, all }: Read,
) {
  const shown = kind === "12m" && period !== undefined
    ? { ...all, ...await figures.read(at, { ...period.shown, names }, timed) }
    : all;
  return {
    figures: shown,
    before: period === undefined ? null : {
      ...period.before,
      figures: await figures.read(
        at,
        { ...period.before, names },
        timed,
        shown,
      ),
    },
  };
}

/** Reads the names that the field of the filters offers. */
async function readOffered(
  warehouse: Warehouse,
  { batch, subjects }: { batch: number; subjects: readonly Subject[] },
) {
  const dimension = subjects.flatMap(boardsOf)[0];
  const text = dimension && namesSql(dimension);
  if (dimension === undefined || text === undefined) return null;
  const rows = await warehouse.ask({
    name: `names of ${dimension.name}`,
    text,
  }, [batch, NAMES_MAX]);
  return { dimension: dimension.name, names: rows.map(({ name }) => name) };
}
