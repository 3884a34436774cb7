import {
  type Dashboard,
  readDashboard,
  type Subject,
} from "../lib/project/dashboard.ts";
import { mainMeasure, withSettings } from "../lib/project/dashboard_cards.ts";
import type { ModelSql, ProjectSql } from "../lib/project/project_sql.ts";
import type { Logger } from "@logtape/logtape";
import { deriveSubjects } from "./figures/derive_subjects.ts";
import { boardsOf, isSplit } from "./figures/subject_sql.ts";
import { hasTrail } from "./figures/batch_changes_sql.ts";
import type { Warehouse } from "./warehouse.ts";

/** A model whose rows have a history. */
export interface RecordKind {
  /** Its name in addresses: `fact_order_line` is order-line. */
  name: string;
  /** What people call one of its rows. */
  title: string;
  model: ModelSql;
}

/** A company, as its folder of SQL and its warehouse describe it. */
export class Company {
  readonly settings: Omit<Dashboard, "subjects">;
  readonly records: readonly RecordKind[];
  readonly #written: readonly Subject[];
  readonly #reported = new Set<string>();
  #derived: Promise<readonly Subject[]> | undefined;

  /** Throws a `ConfigError` if the folder's dashboard can't be used. */
  constructor(
    readonly sql: ProjectSql,
    private readonly warehouse: Warehouse,
    private readonly log: Logger,
  ) {
    const { subjects, ...settings } = readDashboard(sql);
    this.settings = settings;
    this.#written = subjects;
    this.records = recordsOf(sql.models, subjects);
  }

  /** What is measured: as the folder says or, if it doesn't, by its models. */
  async subjects(): Promise<readonly Subject[]> {
    if (this.#written.length > 0) return this.#written;
    const derived = this.#derived ??= this.#derive();
    try {
      const subjects = await derived;
      if (subjects.length === 0) this.forget();
      return subjects;
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  /** The subject of a name; undefined if there is none. */
  async subject(name: string): Promise<Subject | undefined> {
    return (await this.subjects()).find((one) => one.name === name);
  }

  /** Reads the warehouse's columns again: it may have been rebuilt. */
  forget(): void {
    this.#derived = undefined;
  }

  /** What pages need to know. */
  async describe() {
    const subjects = await this.subjects();
    const { records, settings: { cards: _, ...settings } } = this;
    return {
      ...settings,
      records: records.map(({ name, title, model }) => ({
        name,
        title,
        meanings: Object.fromEntries(model.table.meanings),
      })),
      subjects: subjects.map((subject) => ({
        name: subject.name,
        record: records.find(({ model }) => model.name === subject.fact)?.name,
        key: subject.key,
        measures: subject.measures,
        main: mainMeasure(subject),
        boards: boardsOf(subject).map(({ name, within }) => ({ name, within })),
        splits: subject.dimensions.filter((one) => isSplit(subject, one))
          .map(({ name }) => name),
        states: subject.states,
        ageing: subject.ageing,
        has_trail: hasTrail(subject),
        cards: subject.cards,
      })),
    };
  }

  async #derive(): Promise<readonly Subject[]> {
    const { models } = this.sql;
    const names = models.map(({ name }) => name);
    const columns = await this.warehouse.ask("columns", [names]);
    const subjects = deriveSubjects(models, columns);
    return withSettings(subjects, this.settings, (problem) => {
      // An empty warehouse has none of what the settings name.
      if (subjects.length === 0 || this.#reported.has(problem)) return;
      this.#reported.add(problem);
      this.log.warn("sql/dashboard/settings.json: {problem}", { problem });
    });
  }
}

/**
 * What is measured first, in that order, then other facts, then dimensions;
 * without what only lists values, such as a calendar.
 */
function recordsOf(
  models: readonly ModelSql[],
  subjects: readonly Subject[],
): RecordKind[] {
  const placeOf = ({ name, kind }: ModelSql) => {
    const subject = subjects.findIndex(({ fact }) => fact === name);
    if (subject >= 0) return subject;
    return subjects.length + Number(kind !== "fact");
  };
  const shown = models.filter(({ kind, derivation }) =>
    kind === "fact" || derivation !== "set"
  ).toSorted((one, other) => placeOf(one) - placeOf(other));
  const shortOf = ({ name }: ModelSql) => name.replace(/^(fact|dim)_/, "");
  return shown.map((model) => {
    const short = shortOf(model);
    const isAlone = shown.filter((one) => shortOf(one) === short).length === 1;
    const name = isAlone ? short : model.name;
    return {
      name: name.replaceAll("_", "-"),
      title: name.replaceAll("_", " "),
      model,
    };
  });
}
