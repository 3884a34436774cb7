import assert from "node:assert/strict";
import { join } from "node:path";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { copyProject } from "../harness/copy_project.ts";
import { inFolder } from "../harness/in_folder.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { Task, taskEnv } from "../harness/task.ts";

/** Tools of who develops: servers, tests, benchmarks. */
const UNCONFINED = [
  "demo",
  "test",
  "test:s3",
  "test:trino",
  "simulate",
  "bench",
  "bench:functions",
  "bench:dashboard",
  "bench:guest",
  "bench:continuous",
  "bench:engines",
  "bench:joined",
  "bench:current",
  "bench:year",
  "package",
  "pictures",
  "lint:workflows",
  "infra:plan",
  "infra:apply",
  "deploy",
  "infra:try",
];
/** The demo, and what drives a browser: that looks into /proc. */
const ALL_PERMISSIONS = ["demo", "bench:dashboard", "pictures"];
/** Made of others, which are tested. */
const COMPOSED = ["ok"];
/** It waits for what others do: that it works has a test of its own. */
const WAITS = ["smoke"];
/** It would fetch from the internet: it has a test of its own. */
const FETCHES = ["httpfs"];
/** What a task is told, where it is told something. */
const VARIANTS: Record<string, string[][]> = {
  // A folder that is not there yet, each time.
  get init() {
    return [["--into", join(Deno.makeTempDirSync(), "company")]];
  },
  rebuild: [["processed"], ["warehouse"]],
  resync: [["payment"]],
  run: [["--every", "1h"]],
  smoke: [["--wait", "1s"]],
  sweep: [["processed"], ["ingestion"]],
};
/** For ever, until it is asked to stop: what it says when it works. */
const ENDLESS: Record<string, RegExp> = {
  run: /"stage":"load","message":"batch 1/,
  dashboard: /the dashboard is at/,
};
/** What it takes to need a permission: S3, or a zone on disk. */
const NEEDED_ON_S3 = ["net", "sys"];

/** They write nothing: what it takes is a server on a Unix socket. */
const WRITE_TO_SOCKETS = ["status", "smoke", "dashboard"];
const ON_SOCKET = "postgres://u:p@/db?host=/nowhere";

/** As a service has it, whose home the AWS SDK asks the system for. */
const HOMELESS = { HOME: "" };

interface ConfinedTask {
  name: string;
  /** `--allow-net`, `--allow-ffi=node_modules`, ... */
  permissions: string[];
  /** What follows `deno` without them. */
  words: string[];
}

const CONFIG = JSON.parse(
  await Deno.readTextFile(join(platformDirectory(), "deno.json")),
) as {
  tasks: Record<string, { description: string; command: string }>;
  permissions: { platform: Record<string, true | string[]> };
};
const COMMANDS = Object.entries(CONFIG.tasks);
/** The permission set that the tasks share, and its parts as flags. */
const PLATFORM = "-P=platform";
const PLATFORM_FLAGS = Object.entries(CONFIG.permissions.platform)
  .map(([kind, value]) =>
    value === true ? `--allow-${kind}` : `--allow-${kind}=${value}`
  );
const SETTINGS_FLAG = `--allow-env=${CONFIG.permissions.platform.env}`;
const CONFINED = COMMANDS
  .filter(([name]) => ![...UNCONFINED, ...COMPOSED].includes(name))
  .map(([name, { command }]): ConfinedTask => {
    const [, ...words] = command.split(" ");
    const isFlag = (word: string) => /^--(allow|deny)-/.test(word);
    const own = words.filter(isFlag);
    // A task's own flag takes the place of the set's permission of that kind.
    const shared = words.includes(PLATFORM)
      ? PLATFORM_FLAGS.filter((flag) =>
        !own.some((one) => kindOf(one) === kindOf(flag))
      )
      : [];
    return {
      name,
      permissions: [
        ...shared,
        ...own.filter((one) => !one.startsWith("--deny-")),
      ],
      words: words.filter((word) => !isFlag(word) && word !== PLATFORM),
    };
  });

/** A permission that a task is not given, or not whole. */
interface Lack {
  task: ConfinedTask;
  permission: string;
  /** What it is given of it. */
  left?: string;
  /** What it then asks for, as Deno says it. */
  asks: RegExp;
}

/** Each permission of a task, and each of the facts that `sys` names. */
function lacksOf(task: ConfinedTask): Lack[] {
  return task.permissions.flatMap((permission): Lack[] => {
    const kind = kindOf(permission);
    const asks = new RegExp(`Requires ${kind} access`);
    const facts = kind === "sys" ? permission.split("=")[1]?.split(",") : [];
    return [
      { task, permission, asks },
      ...(facts ?? []).map((fact): Lack => ({
        task,
        permission,
        left: `--allow-sys=${facts?.filter((one) => one !== fact)}`,
        asks: new RegExp(`Requires sys access to \\W+${fact}`),
      })),
    ];
  });
}

/** Starts a task as deno.json has it, but for what it lacks. */
function startWithout(
  { task, permission, left }: Lack,
  options: { env: Record<string, string>; folder?: string },
): Task {
  const { name, words, permissions } = task;
  const [run = "", ...rest] = words;
  const [told = []] = VARIANTS[name] ?? [];
  const given = permissions.flatMap((one) =>
    one !== permission ? [one] : left === undefined ? [] : [left]
  );
  return new Task(told, options.env, {
    ...options,
    deno: [run, ...given, ...rest],
  });
}

/** `net` of `--allow-net=host`. */
function kindOf(permission: string): string {
  return permission.replace(/^--(allow|deny)-/, "").replace(/=.*/, "");
}

Deno.test("every task has a description, and few have all permissions", () => {
  for (const [name, { description, command }] of COMMANDS) {
    assert.ok(description.length > 0, name);
    assert.equal(/ -A\b/.test(command), ALL_PERMISSIONS.includes(name), name);
    if (UNCONFINED.includes(name)) continue;
    assert.doesNotMatch(command, /--allow-(run|all|import|hrtime)/, name);
    assert.doesNotMatch(command.replace(PLATFORM, ""), / -P/, name);
  }
  for (const { name, words } of CONFINED) {
    assert.ok(words.includes("--no-prompt"), name);
  }
});

/** Prints the permissions that a process has, of those that tasks differ in. */
const PROBE = `const asked = [
  ...["read", "write", "net", "env", "sys", "run", "ffi"]
    .map((name) => ({ name })),
  ...["osRelease", "homedir", "uid", "statfs", "loadavg"]
    .map((kind) => ({ name: "sys", kind })),
  { name: "env", variable: "SOURCE_URL" },
  { name: "env", variable: "PATH" },
  { name: "net", host: "files.pythonhosted.org" },
  { name: "write", path: ".duckdb" },
  { name: "ffi", path: "node_modules" },
];
for (const one of asked) {
  const { state } = Deno.permissions.querySync(one);
  if (state === "granted") console.log(JSON.stringify(one));
}`;

Deno.test("a task's own flags replace the shared permissions of their kind", () =>
  inFolder(async (folder) => {
    await copyProject(folder, ["deno.json"]);
    await Deno.writeTextFile(join(folder, "probe.js"), PROBE);
    const granted = async (words: string[]) => {
      const file = words.findIndex((word) => word.endsWith(".ts"));
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: [...words.slice(0, file), "probe.js"],
        cwd: folder,
      }).output();
      return new TextDecoder().decode(stdout);
    };
    for (const { name, words: [run = "", ...rest], permissions } of CONFINED) {
      const command = CONFIG.tasks[name]?.command.split(" ").slice(1) ?? [];

      assert.equal(
        await granted(command),
        await granted([run, ...permissions, ...rest]),
        name,
      );
    }
  }));

Deno.test("docs/security.md names the tasks that are not confined", async () => {
  const text = await Deno.readTextFile(
    join(platformDirectory(), "docs", "security.md"),
  );
  const [, said = ""] = /Tasks for developers([^]*?)\n\n/.exec(text) ?? [];

  const named = [...said.matchAll(/`([\w:]+)`/g)].map(([, name]) => name);

  assert.deepEqual(
    [...new Set(named)].sort(),
    [...UNCONFINED, ...COMPOSED].sort(),
  );
});

Deno.test("every task works with its permissions, on S3", async () => {
  await using platform = await openPlatform({
    zones: "S3",
    warehouse: "empty",
  });
  await fillSmall(platform.source.client);
  const env = taskEnv(platform);
  const runs = CONFINED
    .filter(({ name }) => ![...FETCHES, ...WAITS].includes(name))
    .flatMap(({ name }) =>
      (VARIANTS[name] ?? [[]]).map((told) => ({ name, told }))
    )
    // What is to be looked at must be there first.
    .sort((a, b) => Number(b.name === "run") - Number(a.name === "run"));

  for (const { name, told } of runs) {
    await using task = new Task([name, ...told], env);
    const says = ENDLESS[name];
    if (says !== undefined) {
      await task.says(says);
      task.kill("SIGTERM");
    }
    const code = await task.ended();

    assert.equal(code, 0, `${name} ${told}: ${task.out}${task.error}`);
    assert.doesNotMatch(task.out + task.error, /Requires .* access/);
  }
});

Deno.test("smoke works with its permissions, while run does", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  const env = taskEnv(platform);
  await using run = new Task(["run", "--every", "1s"], env);
  await run.says(/"stage":"load","message":"batch 1/);

  await using task = new Task(["smoke", "--wait", "40s"], env);
  const code = await task.ended();

  assert.equal(code, 0, task.out + task.error);
  run.kill("SIGTERM");
  assert.equal(await run.ended(), 0);
});

/** Fails unless each task fails for want of what it lacks. */
async function assertNeeded(lacks: Lack[]): Promise<void> {
  await using onS3 = await openPlatform({ zones: "S3", warehouse: "empty" });
  await using onDisk = await openPlatform({ warehouse: "empty" });
  for (const platform of [onS3, onDisk]) {
    await fillSmall(platform.source.client);
    await platform.extract();
    await platform.transform();
  }
  for (const [index, lack] of lacks.entries()) {
    const { task, permission, left, asks } = lack;
    const kind = kindOf(permission);
    const platform = NEEDED_ON_S3.includes(kind) ? onS3 : onDisk;
    if (task.name === "transform") {
      // Where no batch waits it needs little.
      await execute(platform.source.client, insertOrder(100 + index));
      await platform.extract();
    }
    const env = {
      ...taskEnv(platform),
      ...(kind === "sys" ? HOMELESS : {}),
      ...(kind === "write" && WRITE_TO_SOCKETS.includes(task.name)
        ? {
          SOURCE_URL: ON_SOCKET,
          WAREHOUSE_URL: ON_SOCKET,
          ANALYST_URL: ON_SOCKET,
        }
        : {}),
    };
    await using started = startWithout(lack, { env });
    if (task.name in ENDLESS) {
      await started.says(/Requires/);
      started.kill("SIGKILL");
    }
    const code = await started.ended();

    const told = `${task.name}, ${left ?? "nothing"} of ${permission}: `;
    const text = started.out + started.error;
    assert.notEqual(code, 0, told + text);
    assert.match(text, asks, told + text);
  }
}

Deno.test("no task works without any one of its permissions", async () => {
  const lacks = CONFINED.filter(({ name }) => !FETCHES.includes(name))
    .flatMap(lacksOf);

  const lanes = [0, 1].map((lane) =>
    lacks.filter((_, index) => index % 2 === lane)
  );
  await Promise.all(lanes.map(assertNeeded));
});

/** Read on a terminal only. */
const READ_ON_TERMINALS = ["NO_COLOR"];

Deno.test("every variable that the tasks may read is read, on S3", async () => {
  await using platform = await openPlatform({
    zones: "S3",
    warehouse: "empty",
  });
  await fillSmall(platform.source.client);
  const { TEMP_DIRECTORY: _, ...settings } = taskEnv(platform);
  // Where one is set, the other names of the system's folder are not read.
  const env = { ...settings, TMPDIR: "" };
  const task = CONFINED.find(({ name }) => name === "pipeline");
  const permission = task?.permissions.find((one) => kindOf(one) === "env");
  assert(task !== undefined && permission !== undefined);
  const names = permission.replace("--allow-env=", "").split(",");
  for (const { permissions } of CONFINED) {
    for (const one of permissions) {
      if (kindOf(one) === "env") assert.equal(one, SETTINGS_FLAG);
    }
  }
  for (const name of names) {
    if (READ_ON_TERMINALS.includes(name)) continue;
    const others = names.filter((one) => one !== name);
    await using started = new Task([], env, {
      deno: [
        ...task.words.slice(0, 1),
        ...task.permissions.filter((one) => one !== permission),
        `--allow-env=${others}`,
        ...task.words.slice(1),
      ],
    });
    await started.ended();

    assert.match(
      started.out + started.error,
      new RegExp(`Requires env access to \\W+${name.replace("*", "")}`),
      name,
    );
  }
});

for (const { permissions, words, name } of CONFINED) {
  if (!FETCHES.includes(name)) continue;
  Deno.test(`${name} does not work without any one of its permissions`, () =>
    inFolder(async (folder) => {
      // In a copy of the project, where nothing has been fetched yet.
      await copyProject(folder, [
        "lib",
        "sql",
        "tools",
        "deno.json",
        "deno.lock",
      ]);
      for (const lack of lacksOf({ name, permissions, words })) {
        await using started = startWithout(lack, { env: {}, folder });
        const code = await started.ended();

        assert.notEqual(code, 0, lack.permission);
        assert.match(started.error, lack.asks);
      }
    }));
}
