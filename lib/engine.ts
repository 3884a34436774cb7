import type { Column } from "./duckdb/data_files.ts";
import type { ModelSql } from "./project/project_sql.ts";

/** Where models find a source table: the batch's rows, or all of them. */
export type InputSchema = "changed" | "current";

/** A table of the batch, as Parquet files that the engine can read. */
export interface EngineInput {
  schema: InputSchema;
  table: string;
  /** With the types that they mean, which the files may carry otherwise. */
  columns: readonly Column[];
  /** The folder with the files, and nothing else. */
  folder: string;
  /** How many the files have. */
  rows: number;
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
   * The type that a column has in the files that it reads and writes, if its
   * own is one that they don't hold exactly: DuckDB casts there and back.
   */
  carriedType(type: string): string;
  /**
   * Why the engine can't run a model so that its rows are the same as DuckDB's;
   * undefined if it can.
   */
  problemOf(
    model: ModelSql,
    columns: readonly Column[],
  ): string | undefined;
  /**
   * Makes a table readable for the models that follow. Called again, it adds
   * the rows of another folder.
   */
  register(input: EngineInput): Promise<void>;
  /**
   * Writes a model's rows into files, and gives their number. Throws an
   * `EngineRefusal` if it is the query that fails.
   */
  run(output: EngineOutput): Promise<EngineResult>;
}

/** What an engine says of the rows that it wrote. */
export interface EngineResult {
  rows: number;
  /** What it read for them, where that is billed. */
  scannedBytes?: number | undefined;
}

/** An engine refused a statement, or the statement failed at a row. */
export class StatementError extends Error {
  override readonly name = "StatementError";
}

/** The engine can't run a model's query, or the query failed at a row. */
export class EngineRefusal extends Error {
  override readonly name = "EngineRefusal";
}
