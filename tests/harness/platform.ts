import type { LogRecord } from "@logtape/logtape";
import { configureSync, getLogger } from "@logtape/logtape";
import { join } from "node:path";
import type pg from "pg";
import { extract, type ExtractOptions } from "../../extract/extract.ts";
import { SILENT } from "../../lib/cli/progress.ts";
import { messageOf } from "../../lib/errors.ts";
import {
  type ProjectSql,
  readProjectSql,
} from "../../lib/project/project_sql.ts";
import { type Config, readConfig } from "../../lib/settings/config.ts";
import {
  createRunId,
  RESOURCES,
  type StageContext,
  type StageResult,
} from "../../lib/stage.ts";
import { load } from "../../load/load.ts";
import { transform } from "../../transform/transform.ts";
import { makeWarehouse } from "./make_warehouse.ts";
import {
  openTestDatabase,
  sharedTemplate,
  type TestDatabase,
} from "./servers/postgres.ts";
import { BUCKET } from "./servers/s3.ts";
import { SQL_DIRECTORY } from "./companies/sql_directory.ts";

/** Where a test keeps its zones. */
export type ZoneKind = "directory" | "S3";

/** Every kind, for the tests that must hold on each. */
export const ZONE_KINDS: readonly ZoneKind[] = ["directory", "S3"];

/** A source, two zones and a warehouse of one test's own. */
export interface Platform extends AsyncDisposable {
  source: TestDatabase;
  warehouse: TestDatabase;
  context: StageContext;
  config: Config;
  /** What was logged, as `level: message`. */
  logged: string[];
  /** Sets or changes a setting for what follows. */
  set: (settings: Partial<Config>) => void;
  extract: (options?: ExtractOptions) => Promise<StageResult>;
  transform: () => Promise<StageResult>;
  load: () => Promise<StageResult>;
  /** The three stages, once. */
  run: () => Promise<void>;
}

/** The SQL of the company that the tests run on. */
export const PROJECT_SQL = readProjectSql(SQL_DIRECTORY);

/** Its contract's tables, as SQL. */
export const SOURCE_SQL = Deno.readTextFileSync(
  join(SQL_DIRECTORY, "source.sql"),
);

/** How a platform differs from the usual one. */
export interface PlatformOptions {
  zones?: ZoneKind;
  sql?: ProjectSql;
  sourceSql?: string;
  /** A database to copy as the source, which then has what that has. */
  sourceTemplate?: string;
  /**
   * What the warehouse has: the tables of the project's own SQL without a row,
   * if the source is its own too, or nothing, where a first load is tested.
   */
  warehouse?: "made" | "empty";
  /** DuckDB's threads, 1 where nothing is said. */
  threads?: number;
  /** An S3 server with the tests' bucket, in place of the tests' own. */
  s3Endpoint?: string | undefined;
}

/** Makes a platform whose source has the contract's tables, empty. */
export async function openPlatform(
  options: PlatformOptions = {},
): Promise<Platform> {
  const { sql = PROJECT_SQL } = options;
  const folder = await Deno.makeTempDir({ prefix: "totesys-platform-" });
  const { source, warehouse } = await openDatabases(options);
  const env = environment(options, {
    folder,
    sourceUrl: source.url,
    warehouseUrl: warehouse.url,
  });
  const logged: string[] = [];
  const context: StageContext = {
    config: readConfig((name) => env[name], [
      "source",
      "warehouse",
      "ingestion",
      "processed",
    ]),
    resources: RESOURCES,
    sql,
    log: loggerInto(logged),
    progress: SILENT,
    clock: () => new Date(),
    newRunId: () => createRunId(new Date()),
    signal: new AbortController().signal,
  };
  const platform: Platform = {
    source,
    warehouse,
    context,
    config: context.config,
    logged,
    set: (settings) => Object.assign(context.config, settings),
    extract: (extractOptions) => extract(context, extractOptions),
    transform: () => transform(context),
    load: () => load(context),
    run: async () => {
      await extract(context);
      await transform(context);
      await load(context);
    },
    [Symbol.asyncDispose]: async () => {
      await source[Symbol.asyncDispose]();
      await warehouse[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
  return platform;
}

async function openDatabases(
  options: PlatformOptions,
): Promise<Pick<Platform, "source" | "warehouse">> {
  const { sql = PROJECT_SQL, sourceSql, sourceTemplate } = options;
  const isOwn = sql === PROJECT_SQL && sourceSql === undefined;
  const source = await openTestDatabase(
    sourceTemplate ??
      (sourceSql === undefined ? await emptySource() : undefined),
  );
  if (sourceTemplate === undefined && sourceSql !== undefined) {
    await source.client.query(sourceSql);
  }
  const warehouse = await openTestDatabase(
    isOwn && options.warehouse !== "empty" ? await madeWarehouse() : undefined,
  );
  return { source, warehouse };
}

/** A database to copy, with the contract's tables, empty. */
function emptySource(): Promise<string> {
  return sharedTemplate("source", async (client) => {
    await client.query(SOURCE_SQL);
  });
}

/** A database to copy, with the tables of the project's warehouse, empty. */
export function madeWarehouse(): Promise<string> {
  return sharedTemplate(
    "warehouse",
    (client) => makeWarehouse(client, PROJECT_SQL),
  );
}

/** The settings of the stages. */
function environment(
  options: PlatformOptions,
  made: { folder: string; sourceUrl: string; warehouseUrl: string },
): Record<string, string | undefined> {
  const { folder, sourceUrl, warehouseUrl } = made;
  const base = options.zones === "S3"
    ? `s3://${BUCKET}/${crypto.randomUUID()}`
    : folder;
  return {
    SQL_DIRECTORY,
    SOURCE_URL: sourceUrl,
    WAREHOUSE_URL: warehouseUrl,
    INGESTION_URL: `${base}/ingestion`,
    PROCESSED_URL: `${base}/processed`,
    TEMP_DIRECTORY: join(folder, "temp"),
    // A quarter of a small batch's time is what threads cost each other.
    DUCKDB_THREADS: String(options.threads ?? 1),
    AWS_ENDPOINT_URL: options.s3Endpoint ?? Deno.env.get("TEST_S3_ENDPOINT"),
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "testtest",
    DUCKDB_EXTENSION_DIRECTORY: Deno.env.get("DUCKDB_EXTENSION_DIRECTORY"),
  };
}

/** Runs several statements, each with its values. */
export async function execute(
  client: pg.Client,
  ...statements: string[]
): Promise<void> {
  for (const statement of statements) {
    try {
      await client.query(statement);
    } catch (error) {
      throw new Error(`${messageOf(error)}: ${statement}`, { cause: error });
    }
  }
}

function loggerInto(lines: string[]) {
  // At once: platforms are opened side by side, and it can't be done twice.
  configureSync({
    reset: true,
    sinks: {
      lines: (record: LogRecord) => {
        lines.push(`${record.level}: ${record.message.map(String).join("")}`);
      },
    },
    loggers: [
      { category: "totesys", lowestLevel: "info", sinks: ["lines"] },
      { category: ["logtape", "meta"], lowestLevel: "fatal", sinks: [] },
    ],
  });
  return getLogger("totesys");
}
