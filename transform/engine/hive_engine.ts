import type { Column } from "../../lib/duckdb/data_files.ts";
import {
  type Engine,
  type EngineInput,
  type EngineOutput,
  EngineRefusal,
  type EngineResult,
  StatementError,
} from "../../lib/engine.ts";
import { StageError } from "../../lib/errors.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import { RUN_MS_MAX } from "../../lib/stage.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { trinoProblem, trinoSql } from "./trino_sql.ts";
import { trinoType } from "./trino_types.ts";

/** The names that Hive tables keep as they are. */
const HIVE_NAME = /^[a-z_][a-z0-9_]*$/;

/** What runs statements in Trino's SQL. */
export interface StatementClient {
  /** Throws a `StatementError` if the statement is at fault. */
  run(sql: string): Promise<{
    rows: readonly unknown[][];
    /** How many rows it wrote. */
    written: number;
    scannedBytes?: number;
  }>;
  /** Gives up its connections. */
  close?(): void;
}

/** Where engines on Hive tables differ. */
export interface HiveDialect {
  /** See `Engine`. */
  carriedType(type: string): string;
  /** A statement that shows a folder's files, with their types in them. */
  createTable(
    name: string,
    options: { columns: readonly Column[]; location: string },
  ): string;
  dropTable(name: string): string;
  /** A statement that gives the names that begin with `run_`. */
  listTables: string;
  /** A table's name in a query. */
  nameOf(name: string): string;
  /** A value as the files carry it, which has its type in Trino. */
  carry(value: string, type: string): string;
  /** A file's column with the type that it means. */
  uncarry(column: Column): string;
}

/** What an engine on Hive tables works for. */
export interface HiveWork {
  zone: Zone;
  runId: string;
  now: Date;
}

/**
 * An engine whose SQL is Trino's, for one batch: the zone's files become
 * external tables whose names have the run's id. They are dropped when the
 * engine is closed, and those of killed runs by later ones; the files are the
 * zone's.
 */
export class HiveEngine implements Engine {
  readonly about: { name: string; version: string };
  readonly #work: HiveWork;
  readonly #client: StatementClient;
  readonly #dialect: HiveDialect;
  readonly #prefix: string;
  /** What a model reads in place of each source table: selects of ours. */
  readonly #inputs = new Map<string, string[]>();
  #inputTables = 0;
  #outputs = 0;

  constructor(
    work: HiveWork,
    options: {
      about: { name: string; version: string };
      client: StatementClient;
      dialect: HiveDialect;
    },
  ) {
    this.#work = work;
    this.#client = options.client;
    this.#dialect = options.dialect;
    this.about = options.about;
    this.#prefix = `run_${work.runId.toLowerCase().replaceAll("-", "_")}`;
  }

  carriedType(type: string): string {
    return this.#dialect.carriedType(type);
  }

  problemOf(
    model: ModelSql,
    columns: readonly Column[],
  ): string | undefined {
    for (const { name, type } of columns) {
      if (!HIVE_NAME.test(name)) {
        return `its column "${name}" has other characters than lower-case letters, digits and _`;
      }
      if (trinoType(type) === undefined) {
        return `its column "${name}" is ${type}`;
      }
    }
    return trinoProblem(model.sql);
  }

  /**
   * Columns of types that Hive lacks are left out: a query can't read them.
   * Throws a `StageError` if the engine doesn't see all rows.
   */
  async register(input: EngineInput): Promise<void> {
    const name = `${this.#prefix}_in${this.#inputTables++}`;
    const columns = input.columns.filter(({ type }) =>
      trinoType(type) !== undefined
    );
    await this.#createTable(name, { ...input, columns });
    const sql = this.#tableSql(name, columns);
    const key = inputKey(input.schema, input.table);
    this.#inputs.set(key, [...this.#inputs.get(key) ?? [], sql]);
    const { rows: [found] } = await this.#client.run(
      `select count(*) from ${this.#dialect.nameOf(name)}`,
    );
    if (Number(found?.[0]) === input.rows) return;
    const place = this.#work.zone.locate(input.folder);
    throw new StageError(
      `Cannot let ${this.about.name} read ${place}: ${
        found?.[0]
      } rows were found, ${input.rows} were written`,
      {
        subject: place,
        retryable: true,
        hint:
          "Nothing was committed. Does it read from the same place as this machine? Then run it again",
      },
    );
  }

  async run(output: EngineOutput): Promise<EngineResult> {
    const { model, columns, stamps, folder } = output;
    const query = trinoSql(model.sql, (schema, table) => {
      const [first, ...others] = this.#inputs.get(inputKey(schema, table)) ??
        [];
      if (first === undefined) throw new Error(`"${table}" is not registered`);
      if (others.length === 0) return first;
      const all = [first, ...others].map((sql) => `select * from ${sql}`);
      return `(${all.join(" union all ")})`;
    });
    const all = [
      ...columns.map((column) => ({
        ...column,
        value: quoteName(column.name),
      })),
      ...stamps,
    ];
    const name = `${this.#prefix}_out${this.#outputs++}`;
    await this.#createTable(name, { columns: all, folder });
    const values = all.map(({ type, value }) =>
      this.#dialect.carry(`cast(${value} as ${trinoType(type)})`, type)
    );
    try {
      const { written, scannedBytes } = await this.#client.run(
        `insert into ${this.#dialect.nameOf(name)}
        select ${values.join(", ")} from (${query}) as made`,
      );
      return { rows: written, scannedBytes };
    } catch (error) {
      if (!(error instanceof StatementError)) throw error;
      throw new EngineRefusal(error.message, { cause: error });
    }
  }

  /** Drops the tables of runs that ended without. */
  async dropOld(): Promise<void> {
    const { rows } = await this.#client.run(this.#dialect.listTables);
    for (const [name] of rows) {
      const begun = beginOf(String(name));
      const ageMs = this.#work.now.getTime() - (begun?.getTime() ?? NaN);
      if (ageMs > RUN_MS_MAX) await this.#drop(String(name));
    }
  }

  /** Forgets the tables; a server that no longer answers keeps them. */
  async [Symbol.asyncDispose](): Promise<void> {
    const inputs = Array.from(
      { length: this.#inputTables },
      (_, index) => `${this.#prefix}_in${index}`,
    );
    const outputs = Array.from(
      { length: this.#outputs },
      (_, index) => `${this.#prefix}_out${index}`,
    );
    try {
      for (const name of [...inputs, ...outputs]) await this.#drop(name);
    } catch {
      // A later run drops them: see `dropOld`.
    } finally {
      this.#client.close?.();
    }
  }

  /** Shows the files of a folder as a table. */
  async #createTable(
    name: string,
    options: { columns: readonly Column[]; folder: string },
  ): Promise<void> {
    const location = this.#work.zone.locate(options.folder);
    const columns = options.columns.map(({ name, type }) => ({
      name,
      type: this.carriedType(type),
    }));
    await this.#client.run(
      this.#dialect.createTable(name, { columns, location }),
    );
  }

  /** What a model's query reads in a source table's place. */
  #tableSql(name: string, columns: readonly Column[]): string {
    const { nameOf, uncarry } = this.#dialect;
    const isCarried = columns.some(({ type }) =>
      this.carriedType(type) !== type
    );
    if (!isCarried) return nameOf(name);
    const values = columns.map((column) =>
      `${uncarry(column)} as ${quoteName(column.name)}`
    );
    return `(select ${values.join(", ")} from ${nameOf(name)})`;
  }

  async #drop(name: string): Promise<void> {
    await this.#client.run(this.#dialect.dropTable(name));
  }
}

function inputKey(schema: string, table: string): string {
  return `${schema}.${table}`.toLowerCase();
}

/** When the run began that a table's name names. */
function beginOf(name: string): Date | undefined {
  const found = /^run_(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)z_/.exec(name);
  if (found === null) return undefined;
  const [, year, month, day, hour, minute, second] = found;
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
