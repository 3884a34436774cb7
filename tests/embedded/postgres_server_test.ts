import assert from "node:assert/strict";
import { join } from "node:path";
import { Client } from "pg";
import {
  type PostgresServerOptions,
  startPostgresServer,
} from "../../embedded/postgres_server.ts";
import { StageError } from "../../lib/errors.ts";

Deno.test("startPostgresServer() reuses a data folder and its password", async () => {
  await withFolder(async (folder) => {
    const dataDir = join(folder, "data");
    const settings = { fsync: "off" };
    const first = await startPostgresServer({ dataDir, settings });
    await query(first.url("postgres"), "create table kept as select 42 as one");
    await first.stop();

    await using second = await startPostgresServer({ dataDir, settings });

    const rows = await query(second.url("postgres"), "table kept");
    assert.deepEqual(rows, [{ one: 42 }]);
    const password = new URL(first.url("postgres")).password;
    assert.equal(new URL(second.url("postgres")).password, password);
    const { mode } = await Deno.stat(join(dataDir, "password"));
    assert.equal((mode ?? 0) & 0o077, 0);
  });
});

Deno.test("startPostgresServer() gives a throwaway server its settings and removes it", async () => {
  await withFolder(async (folder) => {
    const dataDir = join(folder, "data");
    const server = await startPostgresServer({
      dataDir,
      persistent: false,
      settings: { max_connections: "17" },
    });

    const [row] = await query(
      server.url("postgres"),
      `select
           current_setting('fsync') as fsync,
           current_setting('max_connections') as max_connections,
           current_setting('max_prepared_transactions') as max_prepared,
           current_setting('timezone') as timezone,
           current_setting('server_encoding') as encoding`,
    );
    await server.stop();

    assert.deepEqual(row, {
      fsync: "off",
      max_connections: "17",
      max_prepared: "10",
      timezone: "UTC",
      encoding: "UTF8",
    });
    await assert.rejects(Deno.stat(dataDir), Deno.errors.NotFound);
  });
});

Deno.test("startPostgresServer() says which port is in use", async () => {
  await withFolder(async (folder) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;

    await rejects({ dataDir: join(folder, "data"), port }, {
      subject: String(port),
      message: `Cannot start PostgreSQL on port ${port}: the port is in use`,
    });
  });
});

Deno.test("startPostgresServer() names the server that is already running on the data folder", async () => {
  await withFolder(async (folder) => {
    const dataDir = join(folder, "data");
    await using server = await startPostgresServer({
      dataDir,
      persistent: false,
    });

    await rejects({ dataDir }, {
      subject: dataDir,
      message:
        /^Cannot start PostgreSQL on ".*": process \d+ already runs on this folder$/,
    });

    await query(server.url("postgres"), "select 1");
  });
});

Deno.test("startPostgresServer() refuses a folder that holds other files", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "letter.txt"), "Dear all");

    await rejects({ dataDir: folder }, {
      subject: folder,
      message: `Cannot make a PostgreSQL data folder in "${folder}": ` +
        `it holds "letter.txt"`,
    });
  });
});

Deno.test("startPostgresServer() says where it looked for PostgreSQL", async () => {
  await withFolder(async (folder) => {
    const binDir = join(folder, "bin");

    await rejects({ dataDir: join(folder, "data"), binDir }, {
      subject: binDir,
      message: `Cannot find PostgreSQL in "${binDir}": ` +
        `there is no "${join(binDir, "initdb")}"`,
    });
  });
});

Deno.test("startPostgresServer() says why a server didn't start", async () => {
  await withFolder(async (folder) => {
    const dataDir = join(folder, "data");

    await rejects({
      dataDir,
      persistent: false,
      settings: { max_connections: "many" },
    }, {
      subject: dataDir,
      message: /invalid value for parameter "max_connections": "many"/,
    });
  });
});

Deno.test("startPostgresServer() leaves no server behind when its process is killed", async () => {
  await withFolder(async (folder) => {
    const dataDir = join(folder, "data");
    const url = new URL("../../embedded/postgres_server.ts", import.meta.url);
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `import { startPostgresServer } from "${url}";
         await startPostgresServer({ dataDir: ${JSON.stringify(dataDir)} });
         console.log("started");`,
      ],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    for await (const _ of child.stdout) break;
    child.kill("SIGKILL");
    await child.status;

    await using _server = await eventually(() =>
      startPostgresServer({ dataDir })
    );
  });
});

const TRIES_MAX = 50;
const TRY_MS = 100;

async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1;; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === TRIES_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, TRY_MS));
    }
  }
}

async function rejects(
  options: PostgresServerOptions,
  { subject, message }: { subject: string; message: string | RegExp },
): Promise<void> {
  await assert.rejects(startPostgresServer(options), (error: unknown) => {
    assert(error instanceof StageError);
    assert.equal(error.subject, subject);
    if (message instanceof RegExp) assert.match(error.message, message);
    else assert.equal(error.message, message);
    return true;
  });
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function withFolder(use: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o755);
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
