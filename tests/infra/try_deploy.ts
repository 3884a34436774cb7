import assert from "node:assert/strict";
import { join } from "node:path";
import { query } from "../../lib/postgres/postgres.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { Cluster } from "../harness/servers/cluster.ts";
import { copyProject } from "../harness/copy_project.ts";
import { openClient } from "../harness/servers/postgres.ts";
import { secretsOf } from "./applied.ts";
import type { Moto } from "./moto.ts";
import { tryRights } from "./try_rights.ts";
import { tryTeardown } from "./try_teardown.ts";

/** What `./totesys package` reads, and `deploy` itself. */
const NAMES = [
  ...["deno.json", "deno.lock", "extract", "infra", "init", "lib", "load"],
  ...["operate", "package", "sql", "sweep", "transform", "verify", "visualise"],
];
const SETTINGS = [
  ...["--region", "eu-west-2", "--email", "team@example.com"],
  ...["--budget", "50"],
];
/** A profile, as `aws login` writes it. */
const LOGIN = `[default]
login_session = arn:aws:iam::123456789012:user/somebody
`;
const DEADLINE_MS = 300_000;
const SHOWN_CHARACTERS_MAX = 4000;

/** A run of `deploy init` in the copy of the project. */
interface Run {
  /** Waits until it has said this. */
  says: (what: RegExp) => Promise<void>;
  kill: (signal: Deno.Signal) => void;
  /** Ends it and Terraform, as a machine does that fails. */
  crash: () => void;
  ended: Promise<{ code: number; text: string }>;
}

/** Begins a run with these arguments and further environment variables. */
type Begin = (args: string[], env?: Record<string, string>) => Run;

/** What is tried: where, and with which environment. */
interface DeployOptions {
  work: string;
  /** Of `infra/` and of its module. */
  overrides: readonly [string, string];
  env: Record<string, string>;
}

/**
 * Runs `./totesys deploy init` against moto: without credentials, without
 * settings, killed at three moments, and to the end; then everything works, and
 * one run more changes nothing. Then the stages run with the functions' rights, and
 * all but history is taken down.
 */
export async function tryDeploy(
  moto: Moto,
  options: DeployOptions,
): Promise<void> {
  const folder = await makeCheckout(options);
  await using cluster = await Cluster.start(join(options.work, "data"));
  await cluster.fill();
  await cluster.client.query("create database warehouse");
  const files: string[] = [];
  for (
    const [name, database] of [["source", "totesys"], ["warehouse"] as const]
  ) {
    const file = join(options.work, `${name}.secret`);
    await Deno.writeTextFile(file, cluster.server.url(database ?? name));
    files.push(`--${name}`, file);
  }
  const run: Begin = (args, env = {}) =>
    start(["init", "--yes", ...args], {
      folder,
      env: { ...options.env, ...env },
    });

  await tryRefused(run, options.work);
  await tryKilled(run);
  const without = await ended(run([]), 1);
  assertSays(without, /give totesys-staging\/source a value: with --so/);
  const whole = await ended(run(files), 0);
  // moto takes every address for confirmed.
  assertSays(whole, /staging is set up[^]*s3:\/\/[^]*activate the tag/);
  const secrets = await secretsOf(moto, "totesys-staging");
  assert.deepEqual(Object.keys(secrets).sort(), ["source", "warehouse"]);
  for (const url of Object.values(secrets)) {
    assert.ok(!whole.includes(new URL(url).password));
  }
  const source = await openClient(secrets.source ?? "");
  assert.notDeepEqual(await query(source, "table sales_order"), []);
  await source.end();

  const again = await ended(run(files), 0);
  assertSays(again, /No changes/);
  assert.deepEqual(await secretsOf(moto, "totesys-staging"), secrets);

  await tryRights(moto, { env: options.env, secrets });
  await moto.ignoreRights();
  await tryTeardown(moto, { folder, env: options.env });
}

/** Copies the project, with what fits infra/ to moto; gives its folder. */
async function makeCheckout(
  { work, overrides: [root, module] }: DeployOptions,
): Promise<string> {
  const folder = join(work, "project");
  await copyProject(folder, NAMES);
  for (const cache of [".package", ".duckdb"]) {
    // A checkout in which nothing was packaged yet has no such folder.
    await Deno.mkdir(join(platformDirectory(), cache), { recursive: true });
    await Deno.symlink(join(platformDirectory(), cache), join(folder, cache));
  }
  const override = "try_override.tf";
  await Deno.writeTextFile(join(folder, "infra", override), root);
  await Deno.writeTextFile(
    join(folder, "infra", "modules", "function", override),
    module,
  );
  return folder;
}

/** Begins without credentials, with those of `aws login`, without settings. */
async function tryRefused(run: Begin, work: string): Promise<void> {
  const stranger = await ended(
    run([], {
      AWS_ACCESS_KEY_ID: "",
      AWS_SECRET_ACCESS_KEY: "",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_CONFIG_FILE: "/dev/null",
    }),
    1,
  );
  assertSays(stranger, /Cannot use AWS: .*credentials[^]*aws sso login/);
  const config = join(work, "login_config");
  await Deno.writeTextFile(config, LOGIN);
  const login = { AWS_CONFIG_FILE: config, AWS_ACCESS_KEY_ID: "" };
  assertSays(await ended(run([], login), 1), /by `aws login`[^]*AWS_PROFILE/);
  const bare = await ended(run([]), 2);
  assertSays(bare, /--email is missing[^]*--budget is missing/);
}

/** Ends a run at three moments: while it packages, plans and applies. */
async function tryKilled(run: Begin): Promise<void> {
  const packing = run(SETTINGS);
  await packing.says(/\[4\/8\]/);
  packing.crash();
  await packing.ended;
  // From here on the settings are in their files.
  const planning = run([]);
  // It holds the lock when it begins to read.
  await planning.says(/\[5\/8\][^]*: Reading\.\.\./);
  planning.crash();
  await planning.ended;
  const locked = await ended(run([]), 1);
  assertSays(locked, /state is locked by \S+@[^]*--unlock/);
  const applying = run(["--unlock"]);
  await applying.says(/\[6\/8\][^]*Creation complete/);
  applying.kill("SIGTERM");
  // Terraform knows all that it has made.
  assertSays(await ended(applying, 1), /Apply complete![^]*Stopped as asked/);
}

function start(
  args: string[],
  { folder, env }: { folder: string; env: Record<string, string> },
): Run {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "--no-prompt",
      "-P=develop",
      "infra/deploy/main.ts",
      ...args,
    ],
    cwd: folder,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  let text = "";
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    const texts = stream.pipeThrough(new TextDecoderStream());
    for await (const more of texts) text += more;
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  const started = performance.now();
  const ended = child.status.then(async ({ code }) => {
    await reading;
    const seconds = Math.round((performance.now() - started) / 1000);
    console.log(`deploy ${args.join(" ")}: exit code ${code}, ${seconds} s`);
    return { code, text };
  });
  let isOver = false;
  ended.then(() => isOver = true);
  return {
    says: (what) =>
      until(() => {
        if (isOver) throw new Error(`it ended without ${what}: ${text}`);
        return Promise.resolve(what.test(text));
      }),
    kill: (signal) => child.kill(signal),
    crash: () => Deno.kill(-child.pid, "SIGKILL"),
    ended,
  };
}

/** Waits for the end of a run with this exit code; gives what it said. */
async function ended(run: Run, expected: number): Promise<string> {
  const { code, text } = await run.ended;
  assert.equal(code, expected, text.slice(-SHOWN_CHARACTERS_MAX));
  return text;
}

function assertSays(text: string, what: RegExp): void {
  assert.ok(what.test(text), `${what}: ${text.slice(-SHOWN_CHARACTERS_MAX)}`);
}

async function until(happens: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!await happens()) {
    if (performance.now() > deadline) throw new Error("it takes too long");
    await new Promise((wake) => setTimeout(wake, 50));
  }
}
