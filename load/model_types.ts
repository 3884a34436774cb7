import type { DuckDb } from "../lib/duckdb.ts";
import type { Model } from "../lib/model.ts";
import type { ProjectSql } from "../lib/project_sql.ts";
import { QUARANTINE, QUARANTINE_COLUMNS } from "../lib/quarantine_model.ts";
import type { ModelColumn } from "../transform/model_changes.ts";
import { prepare } from "../transform/prepare.ts";

/** A model with the columns that its SQL gives. */
export interface TypedModel {
  model: Model;
  columns: readonly ModelColumn[];
}

/** Which columns each model gives, by its SQL; asked at most once. */
export class ModelTypes {
  #read: Promise<TypedModel[]> | undefined;

  constructor(
    private readonly duckdb: DuckDb,
    private readonly sql: ProjectSql,
  ) {}

  async read(): Promise<TypedModel[]> {
    this.#read ??= prepare(this.duckdb, this.sql).then((columns) =>
      this.sql.models.map((model) => ({
        model,
        columns: columns.get(model.name) ?? [],
      }))
    );
    return await this.#read;
  }

  /** The columns that a model gives. */
  async givenBy(name: string): Promise<readonly ModelColumn[]> {
    const typed = (await this.read()).find(({ model }) => model.name === name);
    return typed?.columns ?? [];
  }

  /** The names of the columns that a model, or the quarantine, gives. */
  async columnsOf(name: string): Promise<readonly string[]> {
    if (name === QUARANTINE.name) return QUARANTINE_COLUMNS;
    return (await this.givenBy(name)).map((column) => column.name);
  }
}
