import type { Column } from "../../lib/duckdb/data_files.ts";
import { quoteName, quoteText } from "../../lib/postgres/postgres.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import type { TrinoSettings } from "../../lib/settings/engine_settings.ts";
import { TrinoClient, TrinoQueryError } from "../../lib/trino/trino_client.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import {
  type Engine,
  type EngineInput,
  type EngineOutput,
  EngineRefusal,
} from "../../lib/engine.ts";
import { trinoProblem, trinoSql } from "./trino_sql.ts";
import { trinoType } from "./trino_types.ts";

/** A run commits nothing later than this: its tables are nobody's any more. */
const TABLE_HOURS_MAX = 12;
const MS_PER_HOUR = 3_600_000;
/** The names that Trino's Hive tables keep as they are. */
const PLAIN_NAME = /^[a-z_][a-z0-9_]*$/;

/** What a Trino engine works for. */
interface TrinoWork {
  settings: TrinoSettings;
  zone: Zone;
  runId: string;
  now: Date;
  signal: AbortSignal;
}

/**
 * Opens Trino for one batch, through a catalog of its Hive connector: the zone's
 * files become external tables whose names have the run's id. They are dropped
 * when the engine is closed, and those of killed runs by later ones; the files
 * are the zone's.
 */
export async function openTrino(work: TrinoWork): Promise<Engine> {
  const client = new TrinoClient(work.settings, work);
  const { catalog, schema } = work.settings;
  await client.run(
    `create schema if not exists ${quoteName(catalog)}.${quoteName(schema)}`,
  );
  const { rows: [row] } = await client.run("select version()");
  const engine = new TrinoEngine(work, {
    client,
    version: String(row?.[0] ?? ""),
  });
  await engine.dropOld();
  return engine;
}

class TrinoEngine implements Engine {
  readonly about: { name: string; version: string };
  readonly #work: TrinoWork;
  readonly #client: TrinoClient;
  readonly #prefix: string;
  /** The names of our tables, each without catalog and schema. */
  readonly #inputs = new Map<string, string>();
  #outputs = 0;

  constructor(
    work: TrinoWork,
    options: { client: TrinoClient; version: string },
  ) {
    this.#work = work;
    this.#client = options.client;
    this.about = { name: "trino", version: options.version };
    this.#prefix = `run_${work.runId.toLowerCase().replaceAll("-", "_")}`;
  }

  problemOf(
    model: ModelSql,
    columns: readonly Column[],
  ): string | undefined {
    for (const { name, type } of columns) {
      if (!PLAIN_NAME.test(name)) {
        return `its column "${name}" is no plain name`;
      }
      if (trinoType(type) === undefined) {
        return `its column "${name}" is ${type}`;
      }
    }
    return trinoProblem(model.sql);
  }

  /** Columns of types that Hive lacks are left out: a query can't read them. */
  async register(input: EngineInput): Promise<void> {
    const name = `${this.#prefix}_in${this.#inputs.size}`;
    await this.#createTable(name, input);
    this.#inputs.set(inputKey(input.schema, input.table), name);
  }

  async run(output: EngineOutput): Promise<{ rows: number }> {
    const { model, columns, stamps, folder } = output;
    const query = trinoSql(model.sql, (schema, table) => {
      const name = this.#inputs.get(inputKey(schema, table));
      if (name === undefined) throw new Error(`"${table}" is not registered`);
      return this.#nameOf(name);
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
      `cast(${value} as ${trinoType(type)})`
    );
    try {
      const { written } = await this.#client.run(
        `insert into ${this.#nameOf(name)}
        select ${values.join(", ")} from (${query}) as made`,
      );
      return { rows: written };
    } catch (error) {
      if (!(error instanceof TrinoQueryError)) throw error;
      throw new EngineRefusal(error.message, { cause: error });
    }
  }

  /** Drops the tables of runs that ended without. */
  async dropOld(): Promise<void> {
    const { catalog, schema } = this.#work.settings;
    const { rows } = await this.#client.run(
      `show tables from ${quoteName(catalog)}.${
        quoteName(schema)
      } like 'run\\_%' escape '\\'`,
    );
    for (const [name] of rows) {
      const begun = beginOf(String(name));
      const ageMs = this.#work.now.getTime() - (begun?.getTime() ?? NaN);
      if (ageMs > TABLE_HOURS_MAX * MS_PER_HOUR) await this.#drop(String(name));
    }
  }

  /** Forgets the tables; a server that no longer answers keeps them. */
  async [Symbol.asyncDispose](): Promise<void> {
    const outputs = Array.from(
      { length: this.#outputs },
      (_, index) => `${this.#prefix}_out${index}`,
    );
    try {
      for (const name of [...this.#inputs.values(), ...outputs]) {
        await this.#drop(name);
      }
    } catch {
      // A later run drops them: see `dropOld`.
    }
  }

  /** Shows the files of a folder as a table. */
  async #createTable(
    name: string,
    options: { columns: readonly Column[]; folder: string },
  ): Promise<void> {
    const path = this.#work.zone.locate(options.folder);
    const location = path.startsWith("s3://") ? path : `local://${path}`;
    const columns = options.columns.flatMap(({ name, type }) => {
      const known = trinoType(type);
      return known === undefined ? [] : [`${quoteName(name)} ${known}`];
    });
    await this.#client.run(
      `create table ${this.#nameOf(name)} (${columns.join(", ")})
      with (format = 'PARQUET', external_location = ${quoteText(location)})`,
    );
  }

  async #drop(name: string): Promise<void> {
    await this.#client.run(`drop table if exists ${this.#nameOf(name)}`);
  }

  #nameOf(name: string): string {
    const { catalog, schema } = this.#work.settings;
    return [catalog, schema, name].map(quoteName).join(".");
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
