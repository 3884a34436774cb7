import { ConfigError } from "../errors.ts";
import { readDashboardFile } from "./dashboard_header.ts";
import type { ProjectSql } from "./project_sql.ts";
import { isTimeZone } from "../time_zone.ts";

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
export interface Dashboard {
  /** The company's name. */
  name: string;
  /** The zone in which times are shown; the reader's if left out. */
  timeZone?: string;
  /** The currency that is shown at first; the most frequent if left out. */
  currency?: string;
  period: "12m" | "all";
  /** Empty if the company wrote none. */
  subjects: readonly Subject[];
}

const SETTING_NAMES = ["name", "timeZone", "currency", "period", "order"];

/**
 * Reads the folder `dashboard`: `settings.json`, and a subject from each SQL
 * file; see `readDashboardFile`. Throws a `ConfigError` with all problems.
 */
export function readDashboard(
  sql: Pick<ProjectSql, "models" | "dashboard" | "dashboardSettings">,
): Dashboard {
  const problems: string[] = [];
  const { order, ...settings } = readSettings(sql.dashboardSettings, problems);
  const subjects = sql.dashboard.map((file) =>
    readDashboardFile(file, { models: sql.models, problems })
  ).filter((subject) => subject !== undefined);
  const unknown = order.filter((name) =>
    !sql.dashboard.some((file) => file.name === name)
  );
  if (unknown.length > 0) {
    problems.push(
      `sql/dashboard/settings.json: no file is called ${unknown.join(", ")}`,
    );
  }
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

function readSettings(
  text: string | undefined,
  problems: string[],
): Omit<Dashboard, "subjects"> & { order: string[] } {
  const problem = (found: string) =>
    problems.push(`sql/dashboard/settings.json: ${found}`);
  const fields = parseObject(text ?? "{}");
  if (fields === undefined) problem("it isn't a JSON object");
  for (const name of Object.keys(fields ?? {})) {
    if (!SETTING_NAMES.includes(name)) {
      problem(`"${name}" is not one of ${SETTING_NAMES.join(", ")}`);
    }
  }
  const textOf = (name: string) => {
    const value = fields?.[name];
    if (value === undefined) return undefined;
    if (typeof value === "string" && value !== "") return value;
    problem(`"${name}" isn't a text`);
  };
  const order = fields?.order ?? [];
  if (!isTexts(order)) problem(`"order" isn't a list of files`);
  const period = textOf("period") ?? "12m";
  if (period !== "12m" && period !== "all") {
    problem(`"period" is neither "12m" nor "all"`);
  }
  const timeZone = textOf("timeZone");
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    problem(
      `"timeZone" is "${timeZone}": a time zone such as Europe/London is expected`,
    );
  }
  const currency = textOf("currency");
  return {
    name: textOf("name") ?? "Dashboard",
    period: period === "all" ? "all" : "12m",
    order: isTexts(order) ? order : [],
    ...timeZone === undefined ? {} : { timeZone },
    ...currency === undefined ? {} : { currency },
  };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? { ...value }
      : undefined;
  } catch {
    return undefined;
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}
