import { tmpdir } from "node:os";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { ConfigError, redact } from "../errors.ts";
import { projectDirectory } from "../project_directory.ts";
import type { S3Settings } from "../zone/zone.ts";
import { isKey } from "../zone/zone_key.ts";
import {
  decimal,
  type PostgresSettings,
  readPostgresUrl,
} from "./connection_url.ts";
import { misspeltSettings } from "./setting_names.ts";

export { LOCAL_HOSTS, type PostgresSettings } from "./connection_url.ts";

/** Where the dashboard listens, and for whom. */
export interface DashboardSettings {
  host: string;
  port: number;
  /** Who asks must show it; undefined: nobody is asked. */
  token: string | undefined;
}

/** Every setting, read once. */
export interface Config {
  source: PostgresSettings | undefined;
  warehouse: PostgresSettings | undefined;
  /** The warehouse as who may only read it: for the dashboard. */
  analyst: PostgresSettings | undefined;
  dashboard: DashboardSettings;
  ingestionUrl: string;
  processedUrl: string;
  s3: S3Settings | undefined;
  /** AWS's region, of S3 and of everything else. */
  region: string;
  /** The source's schema that holds the contract's tables. */
  sourceSchema: string;
  /** Connections that extract reads with. */
  sourceConnections: number;
  /** Extract waits no longer for a lock while it reads. */
  sourceLockTimeoutSeconds: number;
  /** So long it tries to lock its tables, never waiting for one. */
  sourceLockWaitSeconds: number;
  /** It gives way to who has waited so long for a lock of its; 0: never. */
  sourceLockYieldSeconds: number;
  /** So far the source's clock may be from others; 0: nobody looks. */
  sourceClockSkewMinutesMax: number;
  /** A run that would delete more than this share of a table stops. */
  deleteShareMax: number;
  /** Over so many rows in quarantine, a batch stops. */
  quarantineRowsMax: number;
  /** A batch merges no more bytes of the lake; 0: none. */
  compactionBytesMax: number;
  /** A batch begins no merge after it has merged for so long; 0: none. */
  compactionSecondsMax: number;
  /** Older data than this makes `status` fail. */
  freshnessMinutesMax: number;
  /** How often `deno task run` verifies; 0: never. */
  verifyEveryHours: number;
  duckDbMemoryLimit: string;
  duckDbThreads: number;
  /** Where the httpfs extension lies; undefined: DuckDB installs it. */
  duckDbExtensionDirectory: string | undefined;
  tempDirectory: string;
  /** The company's folder of SQL. */
  sqlDirectory: string;
}

/** A part of the configuration that a command can't do without. */
export type Need =
  | "source"
  | "warehouse"
  | "ingestion"
  | "processed"
  | "analyst";

/** Reads a variable of the environment. */
export type Environment = (name: string) => string | undefined;

/** With less, DuckDB can't read a CSV file's first block on two threads. */
const DUCKDB_MEMORY_BYTES_MIN = 64_000_000;
const TOKEN_CHARACTERS_MIN = 16;
const GLOB_CHARACTERS = /[*?[]/;
/** Other tools' names for the endpoint: without it, AWS itself is asked. */
const MISTAKEN_ENDPOINTS = [
  "AWS_ENDPOINT",
  "AWS_ENDPOINT_S3",
  "AWS_S3_ENDPOINT",
  "AWS_S3_ENDPOINT_URL",
];
/** Switches that the AWS SDK heeds, and DuckDB does not. */
const HALF_HEEDED = [
  "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
  "AWS_USE_DUALSTACK_ENDPOINT",
  "AWS_USE_FIPS_ENDPOINT",
];

/**
 * Reads the configuration; throws one `ConfigError` that names every problem.
 * What a command does not need may be missing, but never malformed.
 */
export function readConfig(
  env: Environment,
  needs: readonly Need[],
  options: {
    /** Names that somebody gave a value, to look for misspelt ones. */
    names?: readonly string[];
  } = {},
): Config {
  const problems: string[] = [];
  const asked = new Set<string>();
  const read = (name: string) => {
    asked.add(name);
    return env(name)?.trim() || undefined;
  };
  const number = (
    name: string,
    fallback: number,
    range: { from: number; to: number; whole?: boolean },
  ) => {
    const text = read(name) ?? String(fallback);
    const value = decimal(text);
    const inRange = value >= range.from && value <= range.to;
    if (inRange && !(range.whole && !Number.isInteger(value))) return value;
    problems.push(
      `${name} is "${text}": a ${
        range.whole ? "whole " : ""
      }number from ${range.from} to ${range.to} is expected`,
    );
    return fallback;
  };
  const postgres = (name: string, need: Need) => {
    const url = read(name);
    if (url === undefined && !isForLibpq(need, { read, needs })) {
      if (needs.includes(need)) {
        problems.push(
          `${name} is missing: set postgres://user:password@host:port/database`,
        );
      }
      return undefined;
    }
    return readPostgresUrl(url ?? "postgres://", { name, read, problems });
  };
  const zone = (name: string, need: Need) => {
    const url = read(name)?.replace(/\/+$/, "");
    if (url === undefined) {
      if (needs.includes(need)) {
        problems.push(
          `${name} is missing: set s3://bucket/prefix or a directory`,
        );
      }
      return "";
    }
    const [, prefix] = /^s3:\/\/[a-z0-9][a-z0-9.-]+(\/.*|$)/.exec(url) ?? [];
    if (prefix !== undefined) {
      if (prefix !== "" && !isKey(prefix.slice(1))) {
        problems.push(
          `${name} is "${url}": a prefix of letters, digits and _ - . = is expected`,
        );
      }
      return url;
    }
    if (url.includes("://")) {
      problems.push(
        `${name} is "${
          redact(url)
        }": s3://bucket/prefix or a directory is expected`,
      );
      return url;
    }
    return directory(name, url);
  };
  const directory = (name: string, text: string) => {
    const path = resolve(text);
    if (GLOB_CHARACTERS.test(path)) {
      problems.push(
        `${name} is "${path}": a path without * ? [ is expected, which DuckDB takes for patterns`,
      );
    }
    return path;
  };
  const ingestionUrl = zone("INGESTION_URL", "ingestion");
  const processedUrl = zone("PROCESSED_URL", "processed");
  const ingestionPlace = realPlace(ingestionUrl);
  const processedPlace = realPlace(processedUrl);
  if (ingestionUrl !== "" && ingestionPlace === processedPlace) {
    problems.push(
      "INGESTION_URL and PROCESSED_URL are the same: they need a place each",
    );
  }
  for (
    const [name, url, other, otherUrl] of [
      ["INGESTION_URL", ingestionPlace, "PROCESSED_URL", processedPlace],
      ["PROCESSED_URL", processedPlace, "INGESTION_URL", ingestionPlace],
    ] as const
  ) {
    if (otherUrl === "" || !url.startsWith(`${otherUrl}/`)) continue;
    problems.push(`${name} is inside ${other}: they need a place each`);
  }
  const memoryLimit = read("DUCKDB_MEMORY_LIMIT") ?? "512MB";
  if (!(bytesOf(memoryLimit) >= DUCKDB_MEMORY_BYTES_MIN)) {
    problems.push(
      `DUCKDB_MEMORY_LIMIT is "${memoryLimit}": a size of 64MB or more is expected`,
    );
  }
  const config: Config = {
    source: postgres("SOURCE_URL", "source"),
    warehouse: postgres("WAREHOUSE_URL", "warehouse"),
    analyst: postgres("ANALYST_URL", "analyst"),
    dashboard: readDashboard(read, problems),
    ingestionUrl,
    processedUrl,
    s3: [ingestionUrl, processedUrl].some((url) => url.startsWith("s3://"))
      ? readS3(read, problems)
      : undefined,
    region: regionOf(read),
    sourceSchema: read("SOURCE_SCHEMA") ?? "public",
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
    duckDbMemoryLimit: memoryLimit,
    duckDbThreads: number("DUCKDB_THREADS", 2, {
      from: 1,
      to: 64,
      whole: true,
    }),
    duckDbExtensionDirectory: read("DUCKDB_EXTENSION_DIRECTORY"),
    sqlDirectory: resolve(
      read("SQL_DIRECTORY") ?? join(projectDirectory(), "sql"),
    ),
    tempDirectory: directory(
      "TEMP_DIRECTORY",
      read("TEMP_DIRECTORY") ?? tmpdir(),
    ),
  };
  problems.push(...misspeltSettings(options.names ?? [], asked));
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** A directory with its symbolic links followed, as far as it is there. */
function realPlace(url: string): string {
  if (!isAbsolute(url)) return url;
  try {
    return Deno.realPathSync(url);
  } catch {
    const above = dirname(url);
    return above === url ? url : join(realPlace(above), basename(url));
  }
}

/**
 * Whether libpq's variables stand for a server's URL: where a command needs
 * no other one, or the other one has its own.
 */
function isForLibpq(
  need: Need,
  options: {
    read: (name: string) => string | undefined;
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

/** The bytes of a size as DuckDB takes it; NaN of what is none. */
function bytesOf(size: string): number {
  const [, amount, unit = "", binary] =
    /^(\d+(?:\.\d+)?) ?([KMG])(i?)B$/.exec(size) ?? [];
  const power = "KMG".indexOf(unit) + 1;
  return Number(amount) * (binary ? 1024 : 1000) ** power;
}

function readDashboard(
  read: (name: string) => string | undefined,
  problems: string[],
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
      `DASHBOARD_TOKEN is short: ${TOKEN_CHARACTERS_MIN} characters are expected at least`,
    );
  }
  return { host, port: Number(port), token };
}

/** AWS's region as the environment names it. */
export function regionOf(read: (name: string) => string | undefined): string {
  return read("AWS_REGION") ?? read("AWS_DEFAULT_REGION") ?? "us-east-1";
}

function readS3(
  read: (name: string) => string | undefined,
  problems: string[],
): S3Settings {
  const endpoint = read("AWS_ENDPOINT_URL_S3") ?? read("AWS_ENDPOINT_URL");
  for (const name of MISTAKEN_ENDPOINTS) {
    if (endpoint !== undefined || read(name) === undefined) continue;
    problems.push(`${name} is no setting: did you mean AWS_ENDPOINT_URL?`);
  }
  for (const name of HALF_HEEDED) {
    if (read(name)?.toLowerCase() !== "true") continue;
    problems.push(`${name} can't be honoured: leave it out`);
  }
  if (endpoint !== undefined && !/^https?:\/\/[^/@]+\/?$/.test(endpoint)) {
    problems.push(
      `AWS_ENDPOINT_URL is "${
        redact(endpoint)
      }": http://host:port or https://host is expected`,
    );
  }
  return {
    region: regionOf(read),
    endpoint,
    accessKeyId: read("AWS_ACCESS_KEY_ID"),
    secretAccessKey: read("AWS_SECRET_ACCESS_KEY"),
    sessionToken: read("AWS_SESSION_TOKEN"),
    caFile: read("AWS_CA_BUNDLE"),
  };
}
