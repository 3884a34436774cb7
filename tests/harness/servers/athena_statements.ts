import { openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import type { DuckDb } from "../../../lib/duckdb/duckdb.ts";
import { messageOf } from "../../../lib/errors.ts";
import { quoteName, quoteText } from "../../../lib/sql/quote.ts";
import type { Config } from "../../../lib/settings/config.ts";

/** A statement that failed, as Athena says why. */
export class AthenaFailure extends Error {
  override readonly name = "AthenaFailure";
}

/** What a statement gives. */
export interface StatementResult {
  type: "DDL" | "DML" | "UTILITY";
  /** With the names of the columns before those of a query. */
  rows: string[][];
  updateCount?: number;
  scannedBytes: number;
}

/** A table over files, which its statements neither made nor remove. */
interface ExternalTable {
  columns: { name: string; type: string }[];
  location: string;
}

/** Hive's types, each with DuckDB's; its times have milliseconds. */
const TYPES: Readonly<Record<string, string>> = {
  smallint: "SMALLINT",
  int: "INTEGER",
  bigint: "BIGINT",
  boolean: "BOOLEAN",
  string: "VARCHAR",
  date: "DATE",
  timestamp: "TIMESTAMP_MS",
};
const CREATE =
  /^create external table `(\w+)`\.`(\w+)` \((.*)\)\s+stored as parquet location '(.*)'$/s;
const DROP = /^drop table if exists `(\w+)`\.`(\w+)`$/;
const SHOW = /^show tables in (\w+) '([\w*]+)'$/;
const INSERT = /^insert into "(\w+)"\."(\w+)"\s+(.*)$/s;

/**
 * Runs the statements of Athena's that the project uses, really, on a DuckDB
 * that sees nothing but the tables' files: with Hive's types, and Trino's
 * functions under Trino's names.
 */
export class AthenaStatements implements AsyncDisposable {
  readonly #duckdb: DuckDb;
  readonly #databases: Map<string, Map<string, ExternalTable>>;
  #files = 0;

  private constructor(duckdb: DuckDb, database: string) {
    this.#duckdb = duckdb;
    this.#databases = new Map([[database, new Map()]]);
  }

  static async open(
    config: Config,
    options: { database: string; zone: string },
  ): Promise<AthenaStatements> {
    const duckdb = await openDuckDb(config, { zones: [options.zone] });
    await duckdb.run(`create schema ${quoteName(options.database)};
      create macro regexp_like(value, pattern) as regexp_matches(value, pattern);
      create macro fail(reason) as error(reason);
      create macro trino_typeof(value) as case typeof(value)
        when 'TIMESTAMP' then 'timestamp(6)'
        when 'TIME' then 'time(6)'
        else lower(typeof(value)) end`);
    return new AthenaStatements(duckdb, options.database);
  }

  /** The tables that there are, over all databases. */
  get tables(): string[] {
    return [...this.#databases.values()].flatMap((one) => [...one.keys()]);
  }

  async run(sql: string): Promise<StatementResult> {
    const [, database = "", name = "", list = "", location = ""] =
      CREATE.exec(sql) ?? [];
    if (name !== "") {
      return this.#create(database, { name, list, location });
    }
    const [, dropFrom = "", dropped] = DROP.exec(sql) ?? [];
    if (dropped !== undefined) {
      this.#tablesOf(dropFrom).delete(dropped);
      return { type: "DDL", rows: [], scannedBytes: 0 };
    }
    const [, shown = "", pattern] = SHOW.exec(sql) ?? [];
    if (pattern !== undefined) {
      const isLike = new RegExp(`^${pattern.replaceAll("*", ".*")}$`);
      const names = [...this.#tablesOf(shown).keys()];
      const rows = names.filter((one) => isLike.test(one)).map((one) => [one]);
      return { type: "UTILITY", rows, scannedBytes: 0 };
    }
    const [, into = "", table, query = ""] = INSERT.exec(sql) ?? [];
    return table === undefined
      ? await this.#select(sql)
      : await this.#insert(query, this.#tableOf(into, table));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#duckdb[Symbol.asyncDispose]();
  }

  #create(
    database: string,
    { name, list, location }: { name: string; list: string; location: string },
  ): StatementResult {
    const columns = list.split(/, (?=`)/).map((text) => {
      const [, column = "", type = ""] = /^`(\w+)` (.*)$/.exec(text) ?? [];
      const known = TYPES[type] ??
        (/^decimal\(\d+,\d+\)$/.test(type) ? type.toUpperCase() : undefined);
      if (column === "" || known === undefined) {
        throw new AthenaFailure(`FAILED: ParseException near '${text}'`);
      }
      return { name: column, type: known };
    });
    const tables = this.#tablesOf(database);
    if (tables.has(name)) {
      throw new AthenaFailure(
        `FAILED: SemanticException Table already exists: ${name}`,
      );
    }
    if (!/^s3:\/\/.*\/$/.test(location)) {
      throw new AthenaFailure(`FAILED: IllegalArgumentException ${location}`);
    }
    tables.set(name, { columns, location });
    return { type: "DDL", rows: [], scannedBytes: 0 };
  }

  async #select(sql: string): Promise<StatementResult> {
    const { query, scannedBytes } = await this.#bound(sql);
    const found = await this.#rows(query);
    const names = Object.keys(found[0] ?? {});
    return {
      type: "DML",
      rows: [names, ...found.map((row) => names.map((one) => row[one] ?? ""))],
      scannedBytes,
    };
  }

  async #insert(
    sql: string,
    { columns, location }: ExternalTable,
  ): Promise<StatementResult> {
    const { query, scannedBytes } = await this.#bound(sql);
    const described = await this.#rows(`describe ${query}`);
    for (const [index, { name, type }] of columns.entries()) {
      const given = described[index]?.column_type ?? "nothing";
      if (given === type) continue;
      throw new AthenaFailure(
        given === "TIMESTAMP"
          ? `NOT_SUPPORTED: Incorrect timestamp precision for timestamp(6); the configured precision is MILLISECONDS; column name: ${name}`
          : `TYPE_MISMATCH: Insert query has mismatched column types: Table: ${type}, Query: ${given}`,
      );
    }
    const names = columns.map(({ name }) => quoteName(name)).join(", ");
    await this.#rows(
      `create or replace temp table made (${names}) as ${query}`,
    );
    const [count] = await this.#rows("select count(*) as rows from made");
    const updateCount = Number(count?.rows);
    for (const part of updateCount === 0 ? [] : [0, 1]) {
      const file = `${location}20300101_000000_${this.#files++}_abcde`;
      await this.#rows(
        `copy (from made where rowid % 2 = ${part}) to ${quoteText(file)}
        (format parquet, compression snappy)`,
      );
    }
    return { type: "DML", rows: [], updateCount, scannedBytes };
  }

  /** A query as DuckDB knows it, with its tables' files as they are now. */
  async #bound(sql: string): Promise<{ query: string; scannedBytes: number }> {
    let scannedBytes = 0;
    for (
      const [, database = "", name = ""] of sql.matchAll(/"(\w+)"\."(\w+)"/g)
    ) {
      if (!this.#databases.has(database)) continue;
      const { columns, location } = this.#tableOf(database, name);
      const files = await this.#rows(
        `select filename, size from read_blob(${quoteText(`${location}*`)})`,
      ).catch(() => []);
      const seen = files.map(({ filename }) => filename ?? "")
        .filter((file) => !/\/[._][^/]*$/.test(file));
      scannedBytes += files.reduce((sum, { size }) => sum + Number(size), 0);
      const values = columns.map((column) =>
        `cast(${seen.length === 0 ? "null" : quoteName(column.name)}
        as ${column.type}) as ${quoteName(column.name)}`
      );
      const from = seen.length === 0
        ? "where false"
        : `from read_parquet([${seen.map(quoteText).join(", ")}],
          hive_partitioning = false)`;
      await this.#rows(
        `create or replace view ${quoteName(database)}.${quoteName(name)} as
        select ${values.join(", ")} ${from}`,
      );
    }
    const query = sql.replaceAll(/\btime\(6\)(?=\))/g, "time")
      .replaceAll("typeof(", "trino_typeof(")
      .replaceAll("'$1'", "'\\1'");
    return { query, scannedBytes };
  }

  async #rows(sql: string) {
    try {
      return await this.#duckdb.rows(sql);
    } catch (error) {
      const message = messageOf(error);
      const code = /^Conversion/.test(message)
        ? "INVALID_CAST_ARGUMENT"
        : /^(Binder|Catalog|Parser)/.test(message)
        ? "SYNTAX_ERROR"
        : "GENERIC_INTERNAL_ERROR";
      throw new AthenaFailure(`${code}: ${message}`);
    }
  }

  #tablesOf(database: string): Map<string, ExternalTable> {
    const tables = this.#databases.get(database);
    if (tables !== undefined) return tables;
    throw new AthenaFailure(
      `FAILED: SemanticException Database does not exist: ${database}`,
    );
  }

  #tableOf(database: string, name: string): ExternalTable {
    const table = this.#tablesOf(database).get(name);
    if (table !== undefined) return table;
    throw new AthenaFailure(`TABLE_NOT_FOUND: Table '${name}' does not exist`);
  }
}
