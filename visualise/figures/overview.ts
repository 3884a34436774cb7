import type { Subject } from "../../lib/project/dashboard.ts";
import type { Sources } from "../sources.ts";
import type { Warehouse } from "../warehouse.ts";
import type { Names } from "./figures.ts";
import { chosenDays, twelveMonthsTo } from "./period.ts";
import { currenciesOf } from "./shown_figures.ts";
import { boardsOf, namesSql } from "./subject_sql.ts";

/** The names in the field of the filters. */
const NAMES_MAX = 2000;

/**
 * Reads the figures as of a batch; days: from, to, period. Unless days or the
 * period `all` were chosen, they are those of the last twelve months, if the
 * first subject with a figure has any there. What is stacked by state is of any
 * day: what is overdue stays so.
 */
export async function readOverview(
  { company, warehouse, figures }: Sources,
  { batch, days: [from = null, to = null, asked], names }: {
    batch: number;
    days: (string | null)[];
    names: Names;
  },
) {
  const subjects = await company.subjects();
  const [[ledger], offered] = await Promise.all([
    warehouse.ask("batch", [batch]),
    readOffered(warehouse, { batch, subjects }),
  ]);
  const day = ledger?.snapshot_time?.slice(0, 10) ?? "";
  const at = { batch, day };
  const all = await figures.read(at, { from, to, names }, subjects);
  const timed = subjects.filter(({ states }) => states === undefined);
  const isChosen = from !== null || to !== null;
  const recent = twelveMonthsTo(day);
  const months = timed.map(({ name }) => all[name]?.month ?? [])
    .find(({ length }) => length > 0);
  const isFiltered = Object.keys(names).length > 0;
  const isRecent = !isChosen && asked !== "all" &&
    (months?.some(({ month }) =>
      (month ?? "") >= (recent.shown.from ?? "").slice(0, 7)
    ) ?? isFiltered);
  const period = isRecent ? recent : chosenDays({ from, to }, day);
  const shown = isRecent
    ? await figures.read(at, { ...recent.shown, names }, timed)
    : {};
  const shownFigures = { ...all, ...shown };
  return {
    snapshot_time: ledger?.snapshot_time,
    period: isRecent ? "12m" : isChosen ? "days" : "all",
    from: period?.shown.from ?? null,
    currencies: currenciesOf(shownFigures, subjects, company.settings.currency),
    figures: shownFigures,
    before: period === undefined ? null : {
      ...period.before,
      figures: await figures.read(
        at,
        { ...period.before, names },
        timed,
        shownFigures,
      ),
    },
    offered,
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
