import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, StageError } from "../errors.ts";
import { quoteText, type TextRow } from "../postgres/postgres.ts";
import type { Config } from "../settings/config.ts";
import { openTempFolder } from "../temp_folder.ts";
import {
  resolveCredentials,
  type S3Credentials,
} from "../zone/s3_credentials.ts";
import type { S3Settings } from "../zone/zone.ts";

/** A DuckDB that reaches its zones and its temporary folder, nothing else. */
export interface DuckDb extends AsyncDisposable {
  /** A folder of this session's own, gone when it ends. */
  tempDirectory: string;
  run(sql: string): Promise<void>;
  /** Rows with every value as text. */
  rows(sql: string): Promise<TextRow[]>;
}

/** A statement that is to end is interrupted so often. */
const INTERRUPT_MS = 50;
/** Parts in which DuckDB uploads are a 10,000th of this, at least 5 MB. */
const UPLOAD_BYTES_MAX = "50GB";

/**
 * Opens a DuckDB in memory, in UTC. DuckDB does not obey Deno's permissions, so it is
 * confined in SQL once its extension and secret are there. Throws a
 * `StageError` when the httpfs extension or the temporary folder can't be had.
 */
export async function openDuckDb(
  config: Config,
  options: { zones: readonly string[] },
): Promise<DuckDb> {
  const { zones } = options;
  const temporary = await openTempFolder(config);
  const tempDirectory = temporary.path;
  let instance: DuckDBInstance | undefined;
  let connection: DuckDBConnection | undefined;
  const running = new Set<Promise<unknown>>();
  const close = async () => {
    // One that is closed under a statement takes the process with it. One that
    // has not begun yet takes no notice of an interrupt.
    while (running.size > 0) {
      connection?.interrupt();
      await Promise.race([Promise.allSettled(running), sleep(INTERRUPT_MS)]);
    }
    connection?.closeSync();
    instance?.closeSync();
    await temporary[Symbol.asyncDispose]();
  };
  try {
    instance = await DuckDBInstance.create(":memory:", {
      threads: String(config.duckDbThreads),
      memory_limit: config.duckDbMemoryLimit,
      temp_directory: join(tempDirectory, "spill"),
      autoinstall_known_extensions: "false",
      autoload_known_extensions: "false",
      preserve_insertion_order: "false",
      // Of another program's secrets in the home directory none is taken.
      allow_persistent_secrets: "false",
      ...(config.duckDbExtensionDirectory === undefined
        ? {}
        : { extension_directory: config.duckDbExtensionDirectory }),
    });
    connection = await instance.connect();
    if (config.s3 !== undefined) {
      await loadHttpfs(connection, config);
      await openS3(connection, config.s3);
    }
    await connection.run("set enable_progress_bar = false");
    // What is made must not follow the zone of the machine that makes it.
    await connection.run("set timezone = 'UTC'");
    const allowed = [...zones, tempDirectory].map((place) =>
      quoteText(`${place}/`)
    );
    await connection.run(
      `set allowed_directories = [${allowed.join(", ")}]`,
    );
    await connection.run("set enable_external_access = false");
    await connection.run("set lock_configuration = true");
  } catch (error) {
    await close();
    throw error;
  }
  const open = connection;
  const untilDone = async <Result>(work: Promise<Result>): Promise<Result> => {
    running.add(work);
    try {
      return await work;
    } finally {
      running.delete(work);
    }
  };
  return {
    tempDirectory,
    run: async (sql) => {
      await untilDone(open.run(sql));
    },
    rows: async (sql) => {
      const reader = await untilDone(open.runAndReadAll(sql));
      return reader.getRowObjectsJson().map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [
            name,
            value === null ? null : String(value),
          ]),
        )
      );
    },
    [Symbol.asyncDispose]: close,
  };
}

async function loadHttpfs(
  connection: DuckDBConnection,
  config: Config,
): Promise<void> {
  try {
    if (config.duckDbExtensionDirectory === undefined) {
      await connection.run("install httpfs");
    }
    await connection.run("load httpfs");
  } catch (error) {
    throw new StageError(
      `Cannot load DuckDB's httpfs extension: ${messageOf(error)}`,
      {
        subject: "httpfs",
        hint:
          "Without access to extensions.duckdb.org, run `deno task httpfs` once and set DUCKDB_EXTENSION_DIRECTORY to the folder it names",
        cause: error,
      },
    );
  }
}

/**
 * Gives DuckDB its way to S3. One of its two HTTP clients checks no
 * certificate unless it is told to; which one it takes, its version decides.
 */
async function openS3(
  connection: DuckDBConnection,
  s3: S3Settings,
): Promise<void> {
  const settings = [
    `s3_uploader_max_filesize = ${quoteText(UPLOAD_BYTES_MAX)}`,
    "enable_server_cert_verification = true",
    "enable_curl_server_cert_verification = true",
    ...(s3.caFile === undefined
      ? []
      : [`ca_cert_file = ${quoteText(s3.caFile)}`]),
  ];
  // A database that is attached from S3 is opened by what is set globally.
  for (const setting of settings) {
    await connection.run(`set global ${setting}`);
  }
  const secret = secretSql(s3, await resolveCredentials(s3));
  try {
    await connection.run(secret);
  } catch {
    // Its message shows the statement, and with it the keys.
    throw new StageError("Cannot give DuckDB its keys for S3: it refused", {
      subject: "S3",
      hint: "Check AWS_ACCESS_KEY_ID, AWS_REGION and AWS_ENDPOINT_URL",
    });
  }
}

function secretSql(s3: S3Settings, credentials: S3Credentials): string {
  const endpoint = s3.endpoint === undefined ? undefined : new URL(s3.endpoint);
  const fields: [string, string | undefined][] = [
    ["key_id", credentials.accessKeyId],
    ["secret", credentials.secretAccessKey],
    ["session_token", credentials.sessionToken],
    ["region", s3.region],
    ["endpoint", endpoint?.host],
    ["url_style", endpoint === undefined ? undefined : "path"],
  ];
  const given = fields.flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${quoteText(value)}`]
  );
  const ssl = endpoint?.protocol === "http:" ? ", use_ssl false" : "";
  return `create secret (type s3, provider config, ${given.join(", ")}${ssl})`;
}
