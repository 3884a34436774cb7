import {
  type DuckDBConnection,
  type DuckDBDataChunk,
  DuckDBInstance,
  type DuckDBResultReader,
} from "@duckdb/node-api";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { StageError } from "../errors.ts";
import { quoteText, type TextRow } from "../sql/quote.ts";
import type { Config } from "../settings/config.ts";
import { openTempFolder } from "../temp_folder.ts";
import {
  resolveCredentials,
  type S3Credentials,
} from "../zone/s3_credentials.ts";
import type { S3Settings } from "../zone/zone.ts";
import { checkedHttpfs, loadHttpfs } from "./load_httpfs.ts";
import { SESSION_TIME_ZONE } from "../time_zone.ts";

/** A DuckDB that can reach its zones and its temporary folder, nothing else. */
export interface DuckDb extends AsyncDisposable {
  /** A folder for this session alone, removed when it ends. */
  tempDirectory: string;
  run(sql: string): Promise<void>;
  /** Rows with every value as text. */
  rows(sql: string): Promise<TextRow[]>;
  /**
   * Begins a query whose result is read in chunks, while other statements run;
   * a chunk is valid until the next one is asked for.
   */
  chunks(sql: string): Promise<AsyncIterable<DuckDBDataChunk>>;
}

/** How often a statement that must end is interrupted. */
const INTERRUPT_MS = 50;
/** DuckDB uploads in parts of a 10,000th of this, and at least 5 MB. */
const UPLOAD_BYTES_MAX = "50GB";

/**
 * Opens a DuckDB in memory, in UTC. DuckDB does not obey Deno's permissions, so
 * it is confined in SQL once its extension and secret are loaded. Throws a
 * `StageError` if the httpfs extension can't be loaded, or the temporary folder
 * can't be used.
 */
export async function openDuckDb(
  config: Config,
  options: { zones: readonly string[] },
): Promise<DuckDb> {
  const { zones } = options;
  const temporary = await openTempFolder(config);
  const tempDirectory = temporary.path;
  const running = new Set<Promise<unknown>>();
  /** Connections whose results are being read. */
  const reading = new Set<DuckDBConnection>();
  const { instance, connection } = await connect(config, {
    zones,
    tempDirectory,
  }).catch(async (error) => {
    await temporary[Symbol.asyncDispose]();
    throw error;
  });
  const close = async () => {
    // Closing a connection while a statement runs crashes the process, and a
    // statement that has not begun yet ignores an interrupt.
    while (running.size > 0) {
      for (const one of [connection, ...reading]) one.interrupt();
      await Promise.race([Promise.allSettled(running), sleep(INTERRUPT_MS)]);
    }
    for (const one of [connection, ...reading]) one.closeSync();
    instance.closeSync();
    await temporary[Symbol.asyncDispose]();
  };
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
      await untilDone(connection.run(sql));
    },
    rows: async (sql) =>
      textRows(await untilDone(connection.runAndReadAll(sql))),
    chunks: async (sql) => {
      // Another statement on its connection would end a result being read.
      const own = await instance.connect();
      reading.add(own);
      const result = await untilDone(own.stream(sql));
      return chunksOf(() => untilDone(result.fetchChunk()), () => {
        reading.delete(own);
        own.closeSync();
      });
    },
    [Symbol.asyncDispose]: close,
  };
}

async function* chunksOf(
  fetchChunk: () => Promise<DuckDBDataChunk | null>,
  close: () => void,
): AsyncGenerator<DuckDBDataChunk> {
  try {
    for (;;) {
      const chunk = await fetchChunk();
      if (chunk === null || chunk.rowCount === 0) return;
      yield chunk;
    }
  } finally {
    close();
  }
}

/** Each value as text, as DuckDB writes it in JSON. */
function textRows(reader: DuckDBResultReader): TextRow[] {
  return reader.getRowObjectsJson().map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        value === null ? null : String(value),
      ]),
    )
  );
}

/** A connection that can reach its zones and its folder. */
async function connect(
  config: Config,
  options: { zones: readonly string[]; tempDirectory: string },
): Promise<{ instance: DuckDBInstance; connection: DuckDBConnection }> {
  const { zones, tempDirectory } = options;
  const checked = config.s3 === undefined
    ? undefined
    : await checkedHttpfs(config);
  const instance = await createInstance(config, {
    tempDirectory,
    loadsUnsigned: checked !== undefined,
  });
  let connection: DuckDBConnection | undefined;
  try {
    connection = await instance.connect();
    if (config.s3 !== undefined) {
      await loadHttpfs(connection, { place: config, checked });
      await openS3(connection, config.s3);
    }
    await confine(connection, [...zones, tempDirectory]);
    return { instance, connection };
  } catch (error) {
    connection?.closeSync();
    instance.closeSync();
    throw error;
  }
}

function createInstance(
  config: Config,
  options: { tempDirectory: string; loadsUnsigned: boolean },
): Promise<DuckDBInstance> {
  const { tempDirectory, loadsUnsigned } = options;
  return DuckDBInstance.create(":memory:", {
    threads: String(config.duckDbThreads),
    memory_limit: config.duckDbMemoryLimit,
    temp_directory: join(tempDirectory, "spill"),
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    allow_unsigned_extensions: String(loadsUnsigned),
    preserve_insertion_order: "false",
    // Ignores secrets that another program keeps in the home directory.
    allow_persistent_secrets: "false",
    ...(config.duckDbExtensionDirectory === undefined
      ? {}
      : { extension_directory: config.duckDbExtensionDirectory }),
  });
}

/** Lets statements reach these places and no others, and change no setting. */
async function confine(
  connection: DuckDBConnection,
  places: readonly string[],
): Promise<void> {
  await connection.run("set enable_progress_bar = false");
  await connection.run(
    `set global timezone = ${quoteText(SESSION_TIME_ZONE)}`,
  );
  const allowed = places.map((place) => quoteText(`${place}/`));
  await connection.run(`set allowed_directories = [${allowed.join(", ")}]`);
  await connection.run("set enable_external_access = false");
  await connection.run("set lock_configuration = true");
}

/**
 * Gives DuckDB access to S3. One of its two HTTP clients checks certificates
 * only if it is set to; DuckDB's version decides which client is used.
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
  // A database attached from S3 is opened with the global settings.
  for (const setting of settings) {
    await connection.run(`set global ${setting}`);
  }
  const secret = secretSql(s3, await resolveCredentials(s3));
  try {
    await connection.run(secret);
  } catch {
    // The error's message shows the statement, and with it the keys.
    throw new StageError(
      "Cannot give DuckDB its keys for S3: it refused them",
      {
        subject: "S3",
        hint: "Check AWS_ACCESS_KEY_ID, AWS_REGION and AWS_ENDPOINT_URL",
      },
    );
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
