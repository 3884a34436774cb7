import { tmpdir } from "node:os";
import { ConfigError } from "../errors.ts";
import type { S3Settings } from "../zone/zone.ts";
import { type PostgresSettings, readPostgresUrl } from "./connection_url.ts";
import { misspeltSettings } from "./misspelt_settings.ts";
import { type EngineSettings, readEngine } from "./engine_settings.ts";
import { type IcebergSettings, readIceberg } from "./iceberg_settings.ts";
import { type Environment, SettingReader } from "./setting_reader.ts";
import { sqlDirectory } from "./sql_folder.ts";
import { readDirectory, readZones, regionOf } from "./zone_settings.ts";

export { LOCAL_HOSTS, type PostgresSettings } from "./connection_url.ts";
export type { Environment } from "./setting_reader.ts";

/** Where the dashboard listens, and who may use it. */
export interface DashboardSettings {
  host: string;
  port: number;
  /** The token that clients must show; undefined if none is asked for. */
  token: string | undefined;
  /** How many proxies stand before it and add to `X-Forwarded-For`. */
  proxies: number;
}

/** Every setting, read once. */
export interface Config extends EngineSettings, IcebergSettings {
  source: PostgresSettings | undefined;
  warehouse: PostgresSettings | undefined;
  /** The warehouse, with a role that may only read: for the dashboard. */
  analyst: PostgresSettings | undefined;
  dashboard: DashboardSettings;
  ingestionUrl: string;
  processedUrl: string;
  s3: S3Settings | undefined;
  /** AWS's region, for S3 and for everything else. */
  region: string;
  /** The source's schema that holds the contract's tables. */
  sourceSchema: string;
  /** How many connections extract reads with. */
  sourceConnections: number;
  /** How long extract waits for a lock while it reads. */
  sourceLockTimeoutSeconds: number;
  /** How long extract retries to lock its tables, never waiting for a lock. */
  sourceLockWaitSeconds: number;
  /** Extract gives way to a session that waits this long for it; 0: never. */
  sourceLockYieldSeconds: number;
  /** How far the source's clock may be off; 0 turns the check off. */
  sourceClockSkewMinutesMax: number;
  /** A run that would delete more than this share of a table stops. */
  deleteShareMax: number;
  /** A batch that would leave more rows in quarantine stops. */
  quarantineRowsMax: number;
  /** The most bytes of the lake that a batch merges; 0 turns merging off. */
  compactionBytesMax: number;
  /** A batch begins no merge after merging for this long; 0 turns it off. */
  compactionSecondsMax: number;
  /** Data older than this makes `status` fail. */
  freshnessMinutesMax: number;
  /** How often `./totesys run` verifies; 0 for never. */
  verifyEveryHours: number;
  duckDbMemoryLimit: string;
  duckDbThreads: number;
  /** Where the httpfs extension is; undefined if DuckDB installs it. */
  duckDbExtensionDirectory: string | undefined;
  tempDirectory: string;
  /** The company's folder of SQL. */
  sqlDirectory: string;
}

/** A part of the configuration that a command requires. */
export type Need =
  | "source"
  | "warehouse"
  | "ingestion"
  | "processed"
  | "analyst";

/** With less, DuckDB can't read a CSV file's first block on two threads. */
const DUCKDB_MEMORY_BYTES_MIN = 64_000_000;
const TOKEN_CHARACTERS_MIN = 16;

/**
 * Reads the configuration; throws one `ConfigError` that names every problem.
 * Settings that a command does not need may be missing, but not malformed.
 */
export function readConfig(
  env: Environment,
  needs: readonly Need[],
  options: {
    /** Names that have a value in `.env`, to find misspelt ones. */
    names?: readonly string[];
  } = {},
): Config {
  const settings = new SettingReader(env);
  const { read, problems } = settings;
  const config: Config = {
    ...readZones(settings, needs),
    duckDbMemoryLimit: readMemoryLimit(settings),
    source: readServer(settings, { name: "SOURCE_URL", need: "source", needs }),
    warehouse: readServer(settings, {
      name: "WAREHOUSE_URL",
      need: "warehouse",
      needs,
    }),
    analyst: readServer(settings, {
      name: "ANALYST_URL",
      need: "analyst",
      needs,
    }),
    dashboard: readDashboard(settings),
    region: regionOf(read),
    sourceSchema: read("SOURCE_SCHEMA") ?? "public",
    ...readIceberg(settings),
    ...readEngine(settings),
    ...readNumbers(settings),
    duckDbExtensionDirectory: read("DUCKDB_EXTENSION_DIRECTORY"),
    sqlDirectory: sqlDirectory(read),
    tempDirectory: readDirectory(settings, {
      name: "TEMP_DIRECTORY",
      path: read("TEMP_DIRECTORY") ?? tmpdir(),
    }),
  };
  problems.push(...misspeltSettings(options.names ?? [], settings.asked));
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** The settings that are numbers. */
function readNumbers({ number }: SettingReader) {
  return {
    sourceConnections: number("SOURCE_CONNECTIONS", 2, {
      from: 1,
      to: 16,
      whole: true,
    }),
    sourceLockTimeoutSeconds: number("SOURCE_LOCK_TIMEOUT_SECONDS", 1, {
      from: 0.001,
      to: 60,
    }),
    sourceLockWaitSeconds: number("SOURCE_LOCK_WAIT_SECONDS", 30, {
      from: 0,
      to: 3600,
    }),
    sourceLockYieldSeconds: number("SOURCE_LOCK_YIELD_SECONDS", 2, {
      from: 0,
      to: 86_400,
    }),
    sourceClockSkewMinutesMax: number("SOURCE_CLOCK_SKEW_MINUTES_MAX", 5, {
      from: 0,
      to: 100_000,
    }),
    deleteShareMax: number("DELETE_SHARE_MAX", 0.2, { from: 0, to: 1 }),
    quarantineRowsMax: number("QUARANTINE_ROWS_MAX", 1000, {
      from: 0,
      to: 1_000_000,
      whole: true,
    }),
    compactionBytesMax: number("COMPACTION_BYTES_MAX", 256_000_000, {
      from: 0,
      to: 1_000_000_000_000,
      whole: true,
    }),
    compactionSecondsMax: number("COMPACTION_SECONDS_MAX", 60, {
      from: 0,
      to: 86_400,
    }),
    freshnessMinutesMax: number("FRESHNESS_MINUTES_MAX", 30, {
      from: 1,
      to: 100_000,
    }),
    verifyEveryHours: number("VERIFY_EVERY_HOURS", 24, { from: 0, to: 8760 }),
    duckDbThreads: number("DUCKDB_THREADS", 2, {
      from: 1,
      to: 64,
      whole: true,
    }),
  };
}

/** Reads a server; undefined if its URL is missing or can't be used. */
function readServer(
  { read, problems }: SettingReader,
  options: { name: string; need: Need; needs: readonly Need[] },
): PostgresSettings | undefined {
  const { name, need, needs } = options;
  const url = read(name);
  if (url !== undefined || isForLibpq(need, { read, needs })) {
    return readPostgresUrl(url ?? "postgres://", { name, read, problems });
  }
  if (needs.includes(need)) {
    problems.push(
      `${name} is missing: set postgres://user:password@host:port/database`,
    );
  }
}

function readMemoryLimit({ read, problems }: SettingReader): string {
  const limit = read("DUCKDB_MEMORY_LIMIT") ?? "512MB";
  if (!(bytesOf(limit) >= DUCKDB_MEMORY_BYTES_MIN)) {
    problems.push(
      `DUCKDB_MEMORY_LIMIT is "${limit}": a size of 64MB or more is expected`,
    );
  }
  return limit;
}

/**
 * Whether libpq's variables replace a server's URL: they do if the command
 * needs no other server, or if the other server has its own URL.
 */
function isForLibpq(
  need: Need,
  options: {
    read: Environment;
    needs: readonly Need[];
  },
): boolean {
  const { read, needs } = options;
  if (need === "analyst") return false;
  const [other, url] = need === "source"
    ? ["warehouse", "WAREHOUSE_URL"] as const
    : ["source", "SOURCE_URL"] as const;
  const named = read("PGDATABASE") !== undefined;
  if (read(url) !== undefined) return named;
  return (named || read("PGHOST") !== undefined) && needs.includes(need) &&
    !needs.includes(other);
}

/** The bytes of a size in DuckDB's notation; NaN if it isn't one. */
function bytesOf(size: string): number {
  const [, amount, unit = "", binary] =
    /^(\d+(?:\.\d+)?) ?([KMG])(i?)B$/.exec(size) ?? [];
  const power = "KMG".indexOf(unit) + 1;
  return Number(amount) * (binary ? 1024 : 1000) ** power;
}

function readDashboard(
  { read, number, problems }: SettingReader,
): DashboardSettings {
  const text = read("DASHBOARD_LISTEN") ?? "127.0.0.1:8300";
  const [, host = "", port] = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(text)
    ?.filter((part) => part !== undefined) ?? [];
  if (!(Number(port) <= 65_535)) {
    problems.push(
      `DASHBOARD_LISTEN is "${text}": host:port is expected, such as 127.0.0.1:8300`,
    );
  }
  const token = read("DASHBOARD_TOKEN");
  if (token !== undefined && token.length < TOKEN_CHARACTERS_MIN) {
    problems.push(
      `DASHBOARD_TOKEN is too short: at least ${TOKEN_CHARACTERS_MIN} characters are expected`,
    );
  }
  const proxies = number("DASHBOARD_PROXIES", 0, {
    from: 0,
    to: 10,
    whole: true,
  });
  return { host, port: Number(port), token, proxies };
}
