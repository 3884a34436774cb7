import { dirname, join } from "node:path";
import { Client } from "pg";
import { findServerUser } from "../../../embedded/server_user.ts";
import type { PostgresSettings } from "../../../lib/settings/config.ts";
import { freePort } from "../../../embedded/free_port.ts";

const PROGRAM = "/usr/sbin/pgbouncer";
const START_MS_MAX = 20_000;
const hasProgram = await Deno.stat(PROGRAM).then(() => true, () => false);
if (!hasProgram) {
  const message = "no PgBouncer is installed: poolers are not tested";
  if (Deno.env.get("CI") !== undefined) throw new Error(message);
  console.log(message);
}

/** When a pooler takes a session of the server away from a client. */
export type PoolMode = "session" | "transaction" | "statement";

/** A pooler before a server. */
export interface Pooler extends AsyncDisposable {
  /** The same database by way of the pooler. */
  settings: PostgresSettings;
}

/** Tests with a pooler, where one is installed. */
export function testPooler(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !hasProgram, fn });
}

/**
 * Starts a PgBouncer of a test's own before a database, with few sessions for
 * all of its clients.
 */
export async function openPooler(
  database: PostgresSettings,
  options: {
    mode: PoolMode;
    sessions?: number;
    /** Further lines of its settings. */
    settings?: readonly string[];
  },
): Promise<Pooler> {
  const { mode, sessions = 4, settings: more = [] } = options;
  const folder = await Deno.makeTempDir({ prefix: "totesys-pooler-" });
  await Deno.chmod(folder, 0o755);
  const own = join(folder, "own");
  await Deno.mkdir(own);
  const port = freePort();
  const user = await findServerUser({
    dataDir: join(own, "data"),
    program: PROGRAM,
  });
  const users = join(own, "users.txt");
  const config = join(own, "pgbouncer.ini");
  await Deno.writeTextFile(
    users,
    `"${database.user}" "${database.password ?? ""}"\n`,
  );
  await Deno.writeTextFile(
    config,
    `[databases]
* = host=${database.host} port=${database.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = plain
auth_file = ${users}
pool_mode = ${mode}
default_pool_size = ${sessions}
server_round_robin = 1
${more.join("\n")}
`,
  );
  for (const path of [own, users, config]) await user.own(path);
  const child = user.command([PROGRAM, "-q", config], {
    cwd: dirname(own),
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const settings = { ...database, host: "127.0.0.1", port };
  await untilItAnswers(settings);
  return {
    settings,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function untilItAnswers(settings: PostgresSettings): Promise<void> {
  const { host, port, database, user, password } = settings;
  const since = performance.now();
  for (;;) {
    const client = new Client({ host, port, database, user, password });
    client.on("error", () => {});
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (performance.now() - since > START_MS_MAX) throw error;
      await new Promise((wake) => setTimeout(wake, 50));
    }
  }
}
