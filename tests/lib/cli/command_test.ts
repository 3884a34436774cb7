import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Command,
  runCommand,
  SECOND_ASK_AFTER_MS,
} from "../../../lib/cli/command.ts";
import { ConfigError, StageError } from "../../../lib/errors.ts";
import { forStage } from "../../../lib/stage_context.ts";
import { testIo } from "../../harness/process_io.ts";

const SECRET = "postgres://me:hunter2@host/db";
const FAILURE = new StageError(`Cannot reach ${SECRET}`, {
  subject: "host:5432/db",
  hint: "Check the network",
  retryable: true,
});

Deno.test("runCommand() gives the command its flags, its settings and the writer", async () => {
  const io = testIo({ TEMP_DIRECTORY: "/temporary" }, { isTerminal: true });

  const code = await runCommand(
    command({
      options: { every: { type: "string" } },
      run: (context, { flags, write, json }) => {
        write(
          JSON.stringify([flags.every, context.config.tempDirectory, json]),
        );
        return Promise.resolve(4);
      },
    }),
    ["--every", "5s", "--json"],
    io,
  );

  assert.equal(code, 4);
  assert.equal(io.out, '["5s","/temporary",true]');
  assert.equal(io.listening, false);
});

Deno.test("runCommand() drops the permission to write for a command that writes nothing, unless a server is on a socket", async () => {
  const gaveUp = async (sourceUrl: string, writesNothing: boolean) => {
    let stopped = 0;
    const io = {
      ...testIo({ SOURCE_URL: sourceUrl }, { isTerminal: true }),
      stopWriting: () => void stopped++,
    };
    await runCommand(command({ writesNothing }), [], io);
    return stopped;
  };

  assert.equal(await gaveUp("postgres://host/db", true), 1);
  assert.equal(await gaveUp("postgres:///db?host=/run/postgresql", true), 0);
  assert.equal(await gaveUp("postgres://host/db", false), 0);
});

Deno.test("runCommand() returns 0 when a command returns no code", async () => {
  assert.equal(
    await runCommand(command({}), [], testIo({}, { isTerminal: true })),
    0,
  );
});

Deno.test("runCommand() shows the usage with --help, and runs nothing", async () => {
  for (const flag of ["--help", "-h"]) {
    const io = testIo({}, { isTerminal: true });

    const code = await runCommand(
      command({ needs: ["source"], run: () => assert.fail("ran") }),
      [flag],
      io,
    );

    assert.equal(code, 0);
    assert.equal(io.out, "how to use it\n");
    assert.equal(io.error, "");
  }
});

Deno.test("runCommand() refuses unknown flags with the usage and exit code 2", async () => {
  for (const args of [["--fast"], ["now"]]) {
    const io = testIo({}, { isTerminal: true });

    const code = await runCommand(command({}), args, io);

    assert.equal(code, 2);
    assert.match(io.error, new RegExp(args[0] ?? ""));
    assert.match(io.error, /how to use it/);
  }
});

Deno.test("runCommand() names every problem of the settings, and exits with 2", async () => {
  const io = testIo({ DUCKDB_THREADS: "many" }, { isTerminal: true });

  const code = await runCommand(
    command({ needs: ["source", "processed"] }),
    [],
    io,
  );

  assert.equal(code, 2);
  assert.match(io.error, /SOURCE_URL is missing/);
  assert.match(io.error, /PROCESSED_URL is missing/);
  assert.match(io.error, /DUCKDB_THREADS is "many"/);
  assert.match(io.error, /\n-> docs\/settings.md lists every setting/);
});

Deno.test("runCommand() prints a stage's error and hint without secrets, and returns 1", async () => {
  const io = testIo({}, { isTerminal: true });

  const code = await runCommand(command({ run: throwing(FAILURE) }), [], io);

  assert.equal(code, 1);
  assert.equal(
    io.error,
    "Cannot reach postgres://me:***@host/db\n-> Check the network\n",
  );
});

Deno.test("runCommand() returns 3 when a data check failed", async () => {
  const check = new StageError("wrong", { subject: "rule", dataCheck: true });
  const io = testIo({}, { isTerminal: true });

  const code = await runCommand(command({ run: throwing(check) }), [], io);

  assert.equal(code, 3);
  assert.equal(io.error, "wrong\n");
});

Deno.test("runCommand() writes an error as one line of JSON without a terminal", async () => {
  for (const isTerminal of [true, false]) {
    const io = testIo({}, { isTerminal });

    await runCommand(
      command({ run: throwing(FAILURE) }),
      isTerminal ? ["--json"] : [],
      io,
    );

    assert.equal(io.error.trimEnd().split("\n").length, 1);
    const { time, ...event } = JSON.parse(io.error);
    assert.match(time, /^\d{4}-.*Z$/);
    assert.deepEqual(event, {
      level: "fatal",
      stage: "stage",
      message: "Cannot reach postgres://me:***@host/db",
      hint: "Check the network",
      subject: "host:5432/db",
      retryable: true,
      exitCode: 1,
    });
  }
});

Deno.test("runCommand() returns 0 when it was stopped", async () => {
  const io = testIo({}, { isTerminal: true });

  const code = await runCommand(
    command({
      run: ({ signal }) => {
        io.stop();
        signal.throwIfAborted();
        return Promise.resolve();
      },
    }),
    [],
    io,
  );

  assert.equal(code, 0);
  assert.match(io.error, /^Stopped as asked/);
});

Deno.test("runCommand() reports wrong settings even when it was stopped", async () => {
  const io = testIo({}, { isTerminal: true });

  const code = await runCommand(
    command({
      run: () => {
        io.stop();
        throw new ConfigError(["PORT is missing"]);
      },
    }),
    [],
    io,
  );

  assert.equal(code, 2);
  assert.match(io.error, /PORT is missing/);
});

Deno.test("runCommand() logs as lines for people, with colours unless NO_COLOR", async () => {
  const run: Command["run"] = (context) => {
    forStage(context, "load").log.warn("slow");
    return Promise.resolve();
  };
  const colored = testIo({}, { isTerminal: true });
  const plain = testIo({ NO_COLOR: "1" }, { isTerminal: true });

  await runCommand(command({ run }), [], colored);
  await runCommand(command({ run }), [], plain);

  assert.match(plain.out, /^\d\d:\d\d:\d\d load {6}warning: slow\n$/);
  // deno-lint-ignore no-control-regex
  assert.match(colored.out, /\x1b\[33mwarning: slow\x1b\[0m\n$/);
});

Deno.test("runCommand() shows progress in place, and clears it before a line", async () => {
  const io = testIo({ NO_COLOR: "1" }, { isTerminal: true });
  const { now } = performance;
  let tick = 0;
  performance.now = () => tick;
  try {
    await runCommand(
      command({
        run: ({ progress, log }) => {
          progress.begin("read");
          tick += 1000;
          progress.add({ rows: 3 });
          log.info("done");
          progress.end();
          return Promise.resolve();
        },
      }),
      [],
      io,
    );
  } finally {
    performance.now = now;
  }

  assert.match(
    io.out,
    // deno-lint-ignore no-control-regex
    /^\r\x1b\[Kread: 3 rows, 0 B\r\x1b\[K\d\d:\d\d:\d\d stage {5}done\n$/,
  );
});

Deno.test("runCommand() reports progress as events without a terminal", async () => {
  const io = testIo({});
  const { now } = performance;
  let tick = 0;
  performance.now = () => tick;
  try {
    await runCommand(
      command({
        run: ({ progress }) => {
          progress.begin("read");
          tick += 60_000;
          progress.add({ rows: 3 });
          return Promise.resolve();
        },
      }),
      [],
      io,
    );
  } finally {
    performance.now = now;
  }

  const { message, rows } = JSON.parse(io.out);
  assert.deepEqual([message, rows], ["read: 3 rows so far", 3]);
});

Deno.test("processIo() counts two simultaneous signals as one, and exits at once on a later one", async () => {
  const folder = await Deno.makeTempDir();
  const module = (name: string) =>
    new URL(`../../../lib/${name}`, import.meta.url);
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { runCommand } from "${module("cli/command.ts")}";
      import { openDuckDb } from "${module("duckdb/duckdb.ts")}";
      await runCommand({
        name: "stuck", usage: "", needs: [], options: {},
        run: async ({ config, signal }) => {
          await using duckdb = await openDuckDb(config, { zones: [] });
          signal.addEventListener("abort", () => console.log("asked"));
          console.log("working in " + duckdb.tempDirectory);
          await new Promise((done) => setTimeout(done, 60_000));
        },
      }, []);`,
    ],
    env: { TEMP_DIRECTORY: folder },
    stdout: "piped",
  }).spawn();
  let ended = false;
  const status = process.status.finally(() => ended = true);
  const said = process.stdout.pipeThrough(new TextDecoderStream())
    [Symbol.asyncIterator]();

  assert.match((await said.next()).value ?? "", /^working in/);
  process.kill("SIGINT");
  assert.equal((await said.next()).value, "asked\n");
  process.kill("SIGINT");
  await sleep(SECOND_ASK_AFTER_MS + 200);
  assert.equal(ended, false);
  process.kill("SIGINT");

  assert.equal((await status).code, 1);
  assert.deepEqual([...Deno.readDirSync(folder)], []);
  assert.equal((await said.next()).done, true);
  await Deno.remove(folder);
});

function command(parts: Partial<Command>): Command {
  return {
    name: "stage",
    usage: "how to use it",
    needs: [],
    options: {},
    run: () => Promise.resolve(),
    ...parts,
  };
}

function throwing(error: Error): Command["run"] {
  return () => Promise.reject(error);
}
