import type { ModelColumn } from "../../lib/models/model_column.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import type { Model } from "../../lib/project/model.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import {
  QUARANTINE,
  QUARANTINE_COLUMNS,
} from "../../lib/project/quarantine_model.ts";
import { isText, warehouseType } from "../../lib/project/warehouse_type.ts";

/** A model with the columns that its SQL gives. */
export interface TypedModel {
  model: Model;
  columns: readonly ModelColumn[];
}

/** The type that a model's column should have in the warehouse. */
export function wantedType(
  { times }: Pick<Model, "times">,
  { name, type, declared }: ModelColumn,
): string | undefined {
  // A column declared as text holds any value.
  return isText(declared ?? "")
    ? "text"
    : warehouseType(type, { isTime: times.includes(name) });
}

/** The quarantine, as if it were a model with SQL. */
const TYPED_QUARANTINE: TypedModel = {
  model: QUARANTINE,
  columns: QUARANTINE_COLUMNS.map((name) => ({ name, type: "VARCHAR" })),
};

/**
 * The columns of each model, by its SQL, and of the quarantine; determined at
 * most once.
 */
export class ModelTypes {
  #read: Promise<TypedModel[]> | undefined;

  constructor(
    private readonly duckdb: DuckDb,
    private readonly sql: ProjectSql,
  ) {}

  async read(): Promise<TypedModel[]> {
    return await (this.#read ??= this.#register());
  }

  async #register(): Promise<TypedModel[]> {
    const { registerModels } = await import(
      "../../lib/models/register_models.ts"
    );
    const columns = await registerModels(this.duckdb, this.sql);
    return [
      ...this.sql.models.map((model) => ({
        model,
        columns: columns.get(model.name) ?? [],
      })),
      TYPED_QUARANTINE,
    ];
  }

  /** The columns that a model gives. */
  async givenBy(name: string): Promise<readonly ModelColumn[]> {
    const typed = (await this.read()).find(({ model }) => model.name === name);
    return typed?.columns ?? [];
  }

  /** The type that a model's column should have in the warehouse. */
  async typeOf(name: string, column: string): Promise<string | undefined> {
    const typed = (await this.read()).find(({ model }) => model.name === name);
    const given = typed?.columns.find((one) => one.name === column);
    return typed && given && wantedType(typed.model, given);
  }

  /** The names of the columns that a model gives. */
  async columnsOf(name: string): Promise<readonly string[]> {
    return (await this.givenBy(name)).map((column) => column.name);
  }
}
