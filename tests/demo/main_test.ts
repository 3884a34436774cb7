import assert from "node:assert/strict";
import { join } from "node:path";
import pg from "pg";
import { main } from "../../demo/main.ts";
import { findPostgres } from "../../embedded/postgres_binaries.ts";
import { findServerUser } from "../../embedded/server_user.ts";
import { testIo } from "../harness/process_io.ts";

const TIMEOUT_MS = 90_000;
const PORT_TRIES_MAX = 20;
/** What the demo says when it has loaded a batch. */
const LOADED = (batch: number | string) =>
  new RegExp(`"stage":"load","message":"batch ${batch}:`);
/** Matches nothing. */
const NEVER = /(?!)/;

Deno.test("the demo runs, stops on Ctrl-C, and continues from there", async () => {
  await withFolder(async (folder) => {
    const args = demoArgs(folder);

    const first = await run(args, { until: LOADED(2) });
    const second = await run(args, { until: LOADED("\\d+") });

    assert.equal(first.code, 0, first.error);
    assert.match(first.out, /filling the source: 60 sales orders/);
    assert.match(first.out, /fact_sales_order_as_of_batch/);
    assert.match(first.out, /stopping; everything made so far is kept/);
    assert.equal(second.code, 0, second.error);
    assert.doesNotMatch(second.out, /filling/);
    assert.doesNotMatch(second.out, /"stage":"extract","message":"batch 1:/);
  });
});

Deno.test("the demo with --s3 runs beside one that had its lake in a directory", async () => {
  await withFolder(async (folder) => {
    const args = demoArgs(folder);
    await run(args, { until: LOADED(1) });

    const onS3 = await run([...args, "--s3"], { until: /"warehouseUrl"/ });
    const again = await run(args, { until: LOADED("\\d+") });

    assert.equal(onS3.code, 0, onS3.error);
    assert.doesNotMatch(onS3.out, /"level":"error"/);
    assert.match(onS3.out, /\/warehouse_s3"/);
    assert.equal(again.code, 0, again.error);
    assert.doesNotMatch(
      again.out,
      /"level":"error"|"stage":"load","message":"batch 1:/,
    );
  });
});

Deno.test("the demo with --example runs another company beside the first one's state", async () => {
  await withFolder(async (folder) => {
    const args = demoArgs(folder);
    await run(args, { until: LOADED(1) });

    const first = await run([...args, "--example", "northwind"], {
      until: LOADED(3),
    });
    const again = await run(args, { until: LOADED("\\d+") });

    assert.equal(first.code, 0, first.error);
    // Traffic may cancel the newest order: extract makes sure, and says so.
    const unexpected = first.out.split("\n").filter((line) =>
      /"level":"(error|warning)"/.test(line) &&
      !/the newest row of .* is gone: deleted/.test(line)
    );
    assert.deepEqual(unexpected, []);
    assert.match(first.out, /filling the source: 60 sales orders/);
    assert.match(first.out, /the dashboard is at http:/);
    assert.match(first.out, /fact_order_line_as_of_batch/);
    assert.match(first.out, /:\d+\/northwind"/);
    assert.match(first.out, /"stage":"extract","message":"batch 1:/);
    assert.equal(again.code, 0, again.error);
    assert.doesNotMatch(
      again.out,
      /filling|"level":"error"|"stage":"load","message":"batch 1:/,
    );
  });
});

Deno.test("the demo lists its examples when asked for an unknown one, and ignores SQL_DIRECTORY", async () => {
  const unknown = await run(["--example", "southwind"], { until: NEVER });

  assert.equal(unknown.code, 2);
  assert.equal(
    JSON.parse(unknown.error).message,
    '--example is "southwind": one of totesys, northwind is expected',
  );
  await withFolder(async (folder) => {
    const { code, error } = await run(demoArgs(folder), {
      until: LOADED(1),
      env: { SQL_DIRECTORY: folder },
    });
    assert.equal(code, 0, error);
  });
});

Deno.test("the demo reports another demo in its folder, or a port in use", async () => {
  await withFolder(async (folder) => {
    const args = demoArgs(folder);
    const port = Number(args[args.indexOf("--port") + 1]);
    let sameFolder = { code: 0, out: "", error: "" };
    let samePort = sameFolder;

    const first = await run(args, {
      until: LOADED(1),
      meanwhile: async () => {
        // One process has one log: the first demo's events come here too, so
        // that the end alone is waited for.
        sameFolder = await run(demoArgs(folder), { until: NEVER });
        samePort = await run(demoArgs(join(folder, "other"), port), {
          until: NEVER,
        });
      },
    });

    assert.equal(first.code, 0, first.out + first.error);
    assert.equal(sameFolder.code, 1);
    assert.match(
      sameFolder.error,
      /Cannot start the demo in .*: another demo runs there/,
    );
    assert.equal(samePort.code, 1, samePort.out);
    assert.match(
      samePort.error,
      new RegExp(`port ${port}: the port is in use`),
    );
  });
});

Deno.test("the demo with --reset starts over, and removes only its own files", async () => {
  await withFolder(async (folder) => {
    const args = demoArgs(folder);
    const kept = join(folder, "kept.txt");
    await Deno.writeTextFile(kept, "not the demo's");
    await run(args, { until: LOADED(1) });

    const restarted = await run([...args, "--reset"], { until: LOADED(1) });

    assert.equal(restarted.code, 0, restarted.error);
    assert.match(restarted.out, /filling the source/);
    assert.match(restarted.out, /"stage":"extract","message":"batch 1:/);
    assert.equal(await Deno.readTextFile(kept), "not the demo's");
  });
});

Deno.test("the demo refuses a flag with an invalid number", async () => {
  for (
    const [flag, value, expected] of [
      ["--minutes", "soon", "a number above 0"],
      ["--minutes", "0", "a number above 0"],
      ["--orders", "1.5", "a whole number above 0, up to 100000000,"],
      ["--port", "99999", "a whole number above 0, up to 65533,"],
    ] as const
  ) {
    const { code, error } = await run([flag, value], { until: /batch/ });

    assert.equal(code, 2);
    const { message } = JSON.parse(error);
    assert.ok(message.startsWith(`${flag} is "${value}": ${expected}`), error);
  }
});

Deno.test("the demo writes one JSON object a line where there is no terminal", async () => {
  await withFolder(async (folder) => {
    const { code, out } = await run(demoArgs(folder), { until: LOADED(1) });

    assert.equal(code, 0);
    const events = out.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.ok(events.every(({ stage }) => stage !== ""), out);
    assert.deepEqual(
      [events[0], ...events.slice(-2)].map(({ message }) => message),
      [
        "starting Postgres",
        "stopping; everything made so far is kept",
        "stopped as asked",
      ],
    );
  });
});

Deno.test("the demo replaces a server that a killed demo left running", async () => {
  await withFolder(async (folder) => {
    const args = demoArgs(folder);
    await run(args, { until: LOADED(1) });
    const dataDir = join(folder, "postgres");
    const { postgres } = await findPostgres(undefined);
    const user = await findServerUser({ dataDir, program: postgres });
    const orphan = user.command([
      postgres,
      ...["-D", dataDir, "-c", "unix_socket_directories="],
      ...["-c", `port=${freePort()}`],
    ], { cwd: "/", stdout: "null", stderr: "piped" }).spawn();
    for await (
      const text of orphan.stderr.pipeThrough(new TextDecoderStream())
    ) {
      if (text.includes("ready to accept")) break;
    }

    const next = await run(args, { until: LOADED("\\d+") });

    assert.equal(next.code, 0, next.out + next.error);
    assert.equal((await orphan.status).code, 0);
  });
});

Deno.test("the demo's source and warehouse answer the queries that it shows", async () => {
  await withFolder(async (folder) => {
    const counts: number[] = [];
    let seen = "";

    await run(demoArgs(folder), {
      until: /"warehouseUrl"/,
      meanwhile: async (out) => {
        seen = out;
        for (
          const [name, table] of [
            ["source", "sales_order"],
            ["warehouse", "fact_sales_order_current"],
          ] as const
        ) {
          const url = new RegExp(`"${name}Url":"(.*?)"`).exec(out)?.[1];
          const client = new pg.Client(url);
          await client.connect();
          const { rows } = await client.query<{ rows: number }>(
            `select count(*)::integer as rows from ${table}`,
          );
          await client.end();
          counts.push(rows[0]?.rows ?? 0);
        }
        const dashboard = /"dashboardUrl":"(.*?)"/.exec(out)?.[1];
        const answer = await fetch(`${dashboard}api/overview/1`);
        const { figures: { sales } } = await answer.json();
        counts.push(sales.month.length);
      },
    });

    assert.equal(counts.length, 3, seen);
    assert.match(seen, /the dashboard is at http:/);
    assert.ok(counts.every((count) => count > 0), String(counts));
  });
});

interface Ran {
  code: number;
  out: string;
  error: string;
}

/** Runs the demo until its output matches, then asks it to stop. */
async function run(
  args: readonly string[],
  options: {
    until: RegExp;
    meanwhile?: (out: string) => Promise<void>;
    env?: Record<string, string>;
  },
): Promise<Ran> {
  const reached = Promise.withResolvers<void>();
  const io = testIo(options.env ?? {}, {
    onOut: () => {
      if (options.until.test(io.out)) reached.resolve();
    },
  });
  const timeout = setTimeout(reached.resolve, TIMEOUT_MS);
  const ended = main(args, io);
  await Promise.race([reached.promise, ended]);
  clearTimeout(timeout);
  try {
    await options.meanwhile?.(io.out);
  } finally {
    io.stop();
  }
  return { code: await ended, out: io.out, error: io.error };
}

function demoArgs(directory: string, port = freePort()): string[] {
  const flags = { directory, port, orders: 60, every: "1s" };
  return Object.entries(flags).flatMap(([name, value]) => [
    `--${name}`,
    String(value),
  ]);
}

/** A free port whose neighbour, for S3, is free as well. */
function freePort(): number {
  for (let tries = 0; tries < PORT_TRIES_MAX; tries++) {
    try {
      using first = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = first.addr;
      using _next = Deno.listen({ hostname: "127.0.0.1", port: port + 1 });
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error(`no two free ports in ${PORT_TRIES_MAX} tries`);
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
