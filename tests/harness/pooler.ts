import { join } from "node:path";
import { findServerUser } from "../../demo/server_user.ts";

/** PgBouncer before a server, in transaction mode. */
export interface Pooler extends AsyncDisposable {
  readonly port: number;
}

const START_TRIES_MAX = 250;
const START_MS = 20;

/** The path of PgBouncer; undefined where there is none. */
export async function findPooler(): Promise<string | undefined> {
  for (const program of ["pgbouncer", "/usr/sbin/pgbouncer"]) {
    const found = await new Deno.Command("which", { args: [program] }).output();
    if (found.success) return new TextDecoder().decode(found.stdout).trim();
  }
  return undefined;
}

/**
 * Starts PgBouncer before the server of a URL, with so many connections that
 * its clients share. Each client gets one for a transaction only.
 */
export async function startPooler(
  program: string,
  options: { url: string; connections: number },
): Promise<Pooler> {
  const server = new URL(options.url);
  const folder = await Deno.makeTempDir({ prefix: "totesys-pooler-" });
  await Deno.chmod(folder, 0o755);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const settings = join(folder, "pgbouncer.ini");
  const users = join(folder, "users.txt");
  await Deno.writeTextFile(
    users,
    `"${decodeURIComponent(server.username)}" "${
      decodeURIComponent(server.password)
    }"\n`,
  );
  await Deno.writeTextFile(
    settings,
    `[databases]
* = host=127.0.0.1 port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = plain
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${options.connections}
max_client_conn = 100
`,
  );
  const user = await findServerUser({
    dataDir: join(folder, "pooler"),
    program,
  });
  const process = user.command([program, settings], {
    cwd: "/",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await accepts(port);
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      process.kill("SIGKILL");
      await process.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function accepts(port: number): Promise<void> {
  for (let tries = 0; tries < START_TRIES_MAX; tries++) {
    try {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      connection.close();
      return;
    } catch {
      await new Promise((wake) => setTimeout(wake, START_MS));
    }
  }
  throw new Error("PgBouncer takes no connections");
}
