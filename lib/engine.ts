import type { Column } from "./duckdb/data_files.ts";
import type { ModelSql } from "./project/project_sql.ts";

/** Where models find a source table: the batch's rows, or all of them. */
export type InputSchema = "changed" | "current";

/** A table of the batch, as Parquet files that the engine can read. */
export interface EngineInput {
  schema: InputSchema;
  table: string;
  columns: readonly Column[];
  /** The folder with the files, and nothing else. */
  folder: string;
}

/** What an engine is asked to write. */
export interface EngineOutput {
  model: ModelSql;
  /** The model's columns, as DuckDB gives them. */
  columns: readonly Column[];
  /** Columns after the model's, each with its value as SQL. */
  stamps: readonly (Column & { value: string })[];
  /** An empty folder for the files. */
  folder: string;
}

/**
 * Runs models elsewhere than in this process's DuckDB. It reads and writes
 * Parquet files of the zone; what is committed is decided here.
 */
export interface Engine extends AsyncDisposable {
  /** Its name and version, for the manifest. */
  readonly about: { name: string; version: string };
  /**
   * Why the engine can't run a model so that its rows are the same as DuckDB's;
   * undefined if it can.
   */
  problemOf(
    model: ModelSql,
    columns: readonly Column[],
  ): string | undefined;
  /** Makes a table readable for the models that follow. */
  register(input: EngineInput): Promise<void>;
  /**
   * Writes a model's rows into files, and gives their number. Throws an
   * `EngineRefusal` if it is the query that fails.
   */
  run(output: EngineOutput): Promise<{ rows: number }>;
}

/** The engine can't run a model's query, or the query failed at a row. */
export class EngineRefusal extends Error {
  override readonly name = "EngineRefusal";
}
