import { join } from "node:path";
import {
  type PostgresServer,
  startPostgresServer,
} from "../../../embedded/postgres_server.ts";
import { query } from "../../../lib/postgres/postgres.ts";
import { openClient } from "./postgres.ts";
import { fillSmall } from "../companies/small_source.ts";
import { SOURCE_SQL } from "../platform.ts";

/** The database that a cluster is made with. */
export const DATABASE = "totesys";
const SETTINGS = {
  fsync: "off",
  shared_buffers: "32MB",
  wal_level: "replica",
  // A copy of the data folder needs no room for connections of its own.
  max_wal_senders: "4",
  hot_standby: "on",
};

/** A source in a cluster of its own, whose data folder can be copied. */
export class Cluster implements AsyncDisposable {
  private constructor(
    readonly dataDir: string,
    readonly server: PostgresServer,
    readonly client: Awaited<ReturnType<typeof openClient>>,
  ) {}

  static async start(
    dataDir: string,
    settings: Record<string, string> = {},
  ): Promise<Cluster> {
    const binDir = Deno.env.get("TEST_POSTGRES_BIN");
    const server = await startPostgresServer({
      dataDir,
      settings: { ...SETTINGS, ...settings },
      ...(binDir === undefined ? {} : { binDir }),
    });
    const admin = await openClient(server.url("postgres"));
    const found = await query(
      admin,
      `select datname from pg_database where datname = '${DATABASE}'`,
    );
    if (found.length === 0) await admin.query(`create database ${DATABASE}`);
    await admin.end();
    const client = await openClient(server.url(DATABASE));
    return new Cluster(dataDir, server, client);
  }

  /** Makes the contract's tables with a few rows. */
  async fill(): Promise<void> {
    await this.client.query(SOURCE_SQL);
    await fillSmall(this.client);
  }

  /** Copies the data folder of a server that runs, as a backup does. */
  async backUpTo(folder: string): Promise<void> {
    const { client, dataDir } = this;
    const begin = await this.#isOld() ? "pg_start_backup" : "pg_backup_start";
    const arguments_ = begin === "pg_start_backup"
      ? "'copy', true, false"
      : "'copy', true";
    await client.query(`select ${begin}(${arguments_})`);
    await copyLiveFolder(dataDir, folder);
    const stop = begin === "pg_start_backup"
      ? "pg_stop_backup(false)"
      : "pg_backup_stop(false)";
    const { rows } = await client.query(`select labelfile from ${stop}`);
    const label = join(folder, "backup_label");
    await copyFolder(join(dataDir, "PG_VERSION"), label);
    await Deno.writeTextFile(label, rows[0].labelfile);
    await Deno.remove(join(folder, "postmaster.pid"));
    // The copy is whole only with what was logged while it was made.
    await Deno.remove(join(folder, "pg_wal"), { recursive: true });
    await copyLiveFolder(join(dataDir, "pg_wal"), join(folder, "pg_wal"));
  }

  /** Ends the server as a crash does: what it has not flushed is lost. */
  async crash(): Promise<void> {
    const file = join(this.dataDir, "postmaster.pid");
    const [pid] = Deno.readTextFileSync(file).split("\n");
    // An immediate shutdown:
    // https://www.postgresql.org/docs/18/server-shutdown.html
    Deno.kill(Number(pid), "SIGQUIT");
    await this.server.stop();
  }

  async #isOld(): Promise<boolean> {
    const { rows } = await this.client.query("show server_version_num");
    return Number(rows[0].server_version_num) < 150_000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.end();
    await this.server.stop();
  }
}

/** `cp -a` keeps the owner, without whom the server would not start. */
export async function copyFolder(from: string, to: string): Promise<void> {
  const errors = await cp(from, to);
  if (errors.length > 0) throw new Error(errors.join("\n"));
}

/**
 * Copies a folder of a server that runs, less what it removes or renames
 * meanwhile: https://www.postgresql.org/docs/18/continuous-archiving.html
 * (25.3.4.2) lets a backup go on without these.
 */
async function copyLiveFolder(from: string, to: string): Promise<void> {
  const errors = (await cp(from, to))
    .filter((line) => !line.endsWith(": No such file or directory"));
  if (errors.length > 0) throw new Error(errors.join("\n"));
}

/** Copies all that can be copied; gives a line for each that could not. */
async function cp(from: string, to: string): Promise<string[]> {
  const { success, stderr } = await new Deno.Command("cp", {
    args: ["-a", from, to],
    env: { LC_ALL: "C" },
  }).output();
  return success ? [] : new TextDecoder().decode(stderr).trim().split("\n");
}

/** Lets a copy of a data folder start as a standby. */
export async function makeStandby(dataDir: string): Promise<void> {
  await signal(dataDir, "standby.signal");
}

/** Lets a copy of a data folder start by reading on in an archive of logs. */
export async function makeRestored(dataDir: string): Promise<void> {
  await signal(dataDir, "recovery.signal");
}

async function signal(dataDir: string, name: string): Promise<void> {
  await copyFolder(join(dataDir, "PG_VERSION"), join(dataDir, name));
  await Deno.writeTextFile(join(dataDir, name), "");
}

/** A folder that the server's user may enter. */
export async function inServerFolder(
  work: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "totesys-moves-" });
  await Deno.chmod(folder, 0o755);
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
