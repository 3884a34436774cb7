import { randomBytes } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import { StageError } from "../lib/errors.ts";
import { freePort } from "./free_port.ts";
import { findPostgres, type PostgresBinaries } from "./postgres_binaries.ts";
import { type ServerProcess, startGuarded } from "./server_process.ts";
import { findServerUser, type ServerUser } from "./server_user.ts";

const SUPERUSER = "postgres";
const PASSWORD_FILE = "password";
const PICKED_PORT_TRIES_MAX = 5;

/** Settings of every server here. */
const BASE_SETTINGS = {
  listen_addresses: "127.0.0.1",
  // A socket would need a folder that other servers use, too.
  unix_socket_directories: "",
  timezone: "UTC",
  log_timezone: "UTC",
  max_connections: "200",
  max_prepared_transactions: "10",
};

/** Settings of a server whose data may be lost if the machine crashes. */
const THROWAWAY_SETTINGS = {
  fsync: "off",
  synchronous_commit: "off",
  // Extract waits until what it has seen is flushed.
  wal_writer_delay: "10ms",
  full_page_writes: "off",
};

/**
 * Thousands of connections to a throwaway server spend more on the password
 * than on what they ask. Only servers since 16 have it, such as the package's.
 */
const QUICK_PASSWORDS = "scram_iterations=1";

/** Where and how `startPostgresServer` runs the server. */
export interface PostgresServerOptions {
  /** The data folder: created if missing or empty, reused if not. */
  dataDir: string;
  /** Picks a free port if 0 or left out. */
  port?: number;
  /** The folder of `initdb` and `postgres`; the npm package's if left out. */
  binDir?: string;
  /**
   * False removes the data folder at the end, and trades safety for speed
   * (`THROWAWAY_SETTINGS`). True if left out.
   */
  persistent?: boolean;
  /** Server settings, which override those of this module. */
  settings?: Record<string, string>;
}

/** A PostgreSQL server that ends no later than this process. */
export interface PostgresServer extends AsyncDisposable {
  readonly port: number;
  /** The superuser's connection URL, with the password. */
  url(database: string): string;
  /** Ends the sessions and the server (a fast shutdown), and waits for it. */
  stop(): Promise<void>;
}

/**
 * Starts a PostgreSQL server on 127.0.0.1, as an unprivileged user if this
 * process runs as root. Its password is random and kept in the data folder,
 * which only the server's user may read: with `trust`, everyone who has an
 * account on the machine could run programs as that user.
 *
 * Throws a `StageError` if the port or the data folder is in use.
 */
export async function startPostgresServer(
  options: PostgresServerOptions,
): Promise<PostgresServer> {
  const dataDir = resolve(options.dataDir);
  const binaries = await findPostgres(options.binDir);
  const user = await findServerUser({ dataDir, program: binaries.postgres });
  await makeCluster({ ...options, dataDir }, { binaries, user });
  const password = await Deno.readTextFile(join(dataDir, PASSWORD_FILE));
  const { port, process } = await listen({ ...options, dataDir }, {
    binaries,
    user,
  });

  async function stop() {
    await process.stop();
    if (options.persistent === false) {
      await Deno.remove(dataDir, { recursive: true }).catch(() => {});
    }
  }
  return {
    port,
    url: (database) =>
      `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/` +
      encodeURIComponent(database),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

interface Means {
  binaries: PostgresBinaries;
  user: ServerUser;
}

/** Creates the data folder beside its place and moves it there when done. */
async function makeCluster(
  { dataDir, persistent, binDir }: PostgresServerOptions,
  { binaries, user }: Means,
): Promise<void> {
  const found = await namesIn(dataDir);
  if (found.includes("PG_VERSION") && found.includes(PASSWORD_FILE)) return;
  if (found.length > 0) {
    throw new StageError(
      `Cannot make a PostgreSQL data folder in "${dataDir}": it holds ` +
        `"${found[0]}"`,
      { subject: dataDir, hint: "Name an empty or a missing folder." },
    );
  }
  const unfinished = `${dataDir}.unfinished`;
  await Deno.remove(unfinished, { recursive: true }).catch(() => {});
  await Deno.mkdir(unfinished, { recursive: true, mode: 0o700 });
  const password = randomBytes(12).toString("hex");
  const passwordFile = await Deno.makeTempFile({ dir: dirname(dataDir) });
  try {
    await Deno.writeTextFile(passwordFile, password);
    await user.own(unfinished);
    await user.own(passwordFile);
    await initdb(unfinished, {
      program: binaries.initdb,
      user,
      flags: [
        `--pwfile=${passwordFile}`,
        ...(persistent === false ? ["--no-sync"] : []),
        ...(persistent === false && binDir === undefined
          ? [`--set=${QUICK_PASSWORDS}`]
          : []),
      ],
    });
    await Deno.writeTextFile(join(unfinished, PASSWORD_FILE), password, {
      mode: 0o600,
    });
    await Deno.rename(unfinished, dataDir);
  } finally {
    await Deno.remove(passwordFile);
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) =>
      name
    );
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function initdb(
  dataDir: string,
  { program, user, flags }: {
    program: string;
    user: ServerUser;
    flags: string[];
  },
): Promise<void> {
  const { code, stderr } = await user.command([
    program,
    `--pgdata=${dataDir}`,
    `--username=${SUPERUSER}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    ...flags,
  ], { stdout: "null", stderr: "piped" }).output();
  if (code === 0) return;
  throw new StageError(
    `Cannot make a PostgreSQL data folder in "${dataDir}": ` +
      new TextDecoder().decode(stderr).trim(),
    { subject: dataDir },
  );
}

/** Starts the server; retries if another process took the port picked. */
async function listen(
  options: PostgresServerOptions,
  { binaries, user }: Means,
): Promise<{ port: number; process: ServerProcess }> {
  for (let tries = 1;; tries++) {
    const port = options.port || freePort();
    const settings = {
      ...BASE_SETTINGS,
      ...(options.persistent === false ? THROWAWAY_SETTINGS : {}),
      ...options.settings,
      port: String(port),
    };
    const command = [
      binaries.postgres,
      "-D",
      options.dataDir,
      ...Object.entries(settings).flatMap(([name, value]) => [
        "-c",
        `${name}=${value}`,
      ]),
    ];
    const started = await startGuarded(command, { user });
    if (started.ready) return { port, process: started.process };
    const portTaken = /could not bind/.test(started.log);
    if (portTaken && !options.port && tries < PICKED_PORT_TRIES_MAX) continue;
    throw startError(started.log, { dataDir: options.dataDir, port });
  }
}

function startError(
  log: string,
  { dataDir, port }: { dataDir: string; port: number },
): StageError {
  if (/could not bind/.test(log)) {
    return new StageError(
      `Cannot start PostgreSQL on port ${port}: the port is in use`,
      {
        subject: String(port),
        hint: "Stop the program that uses it (another demo?), or use --port",
      },
    );
  }
  const running = /PID (\d+)/.exec(log)?.[1];
  if (/lock file .* already exists/.test(log)) {
    return new StageError(
      `Cannot start PostgreSQL on "${dataDir}": process ${running} already ` +
        `runs on this folder`,
      { subject: dataDir, hint: `Stop it first: kill -INT ${running}` },
    );
  }
  return new StageError(
    `Cannot start PostgreSQL on "${dataDir}": ${log.trim()}`,
    { subject: dataDir },
  );
}
