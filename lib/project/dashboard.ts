import { ConfigError } from "../errors.ts";
import { withSettings } from "./dashboard_cards.ts";
import { readDashboardFile } from "./dashboard_header.ts";
import {
  type DashboardSettings,
  readSettings,
  type Target,
} from "./dashboard_settings.ts";
import type { ProjectSql } from "./project_sql.ts";

/** What a column of figures counts or sums. */
export interface Measure {
  name: string;
  unit: "count" | "number" | "money";
  /** Of money: the dimension with its currency, or the code of the only one. */
  currency?: string;
  /** Whether more is better; left out where it is neither good nor bad. */
  moreIsGood?: boolean;
}

/** What figures are grouped and filtered by. */
export interface Dimension {
  name: string;
  /** A column of the select: the name itself, or what refers to it. */
  column: string;
  /** Where the name stands; left out if the column holds it. */
  named?: {
    model: string;
    key: string;
    /** Joined by blanks. */
    columns: readonly string[];
    /** Whether facts are counted by names, of which there are few. */
    isCountedByName: boolean;
  };
  /** The dimension that distinguishes two of the same name. */
  within?: string;
}

/** One of the large figures: all records, or those with some names. */
export interface Card {
  name: string;
  title: string;
  only?: { dimension: string; names: readonly string[] };
  /** Of the main measure: over twelve months or, if stacked, in the worst state. */
  target?: Target;
}

/** A file of `sql/dashboard`: one fact, and what is measured of it. */
export interface Subject {
  name: string;
  /** The fact's model. */
  fact: string;
  key: readonly string[];
  /** Other models that the select reads. */
  others: readonly string[];
  /**
   * Whether a record may depend on other rows than its own of the fact: then
   * figures are computed from all rows.
   */
  seesOthers: boolean;
  /** One row for each record, reading models by their names. */
  select: string;
  /** Whether it depends on the day of the snapshot. */
  isOfDay: boolean;
  time: string;
  /** At least one, of which one is a count. */
  measures: readonly Measure[];
  dimensions: readonly Dimension[];
  /** A dimension whose names are distinguished in each figure, the worst first. */
  states?: { dimension: string; names: readonly string[] };
  /** The names of `ageing`, the youngest first, if records are due by a day. */
  ageing?: readonly string[];
  cards: readonly Card[];
}

/** A company's dashboard. */
export interface Dashboard extends Omit<DashboardSettings, "order"> {
  /** Empty if the company wrote none. */
  subjects: readonly Subject[];
}

/**
 * Reads the folder `dashboard`: `settings.json`, and a subject from each SQL
 * file; see `readDashboardFile`. Throws a `ConfigError` with all problems.
 */
export function readDashboard(
  sql: Pick<ProjectSql, "models" | "dashboard" | "dashboardSettings">,
): Dashboard {
  const problems: string[] = [];
  const problem = (found: string) =>
    problems.push(`sql/dashboard/settings.json: ${found}`);
  const { order, ...settings } = readSettings(sql.dashboardSettings, problem);
  const written = sql.dashboard.map((file) =>
    readDashboardFile(file, { models: sql.models, problems })
  ).filter((subject) => subject !== undefined);
  const unknown = order.filter((name) =>
    !sql.dashboard.some((file) => file.name === name)
  );
  if (unknown.length > 0) {
    problem(`no file is called ${unknown.join(", ")}`);
  }
  // Cards that nobody wrote are known once the warehouse is asked.
  const subjects = problems.length > 0 || written.length === 0
    ? written
    : withSettings(written, settings, problem);
  if (problems.length > 0) {
    throw new ConfigError(
      problems,
      'See "For your tables" in docs/dashboard.md',
    );
  }
  const placeOf = ({ name }: Subject) =>
    order.includes(name) ? order.indexOf(name) : order.length;
  return {
    ...settings,
    subjects: subjects.toSorted((one, other) => placeOf(one) - placeOf(other)),
  };
}
