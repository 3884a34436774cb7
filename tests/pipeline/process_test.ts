import assert from "node:assert/strict";
import { freePort } from "../../embedded/free_port.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { Task, taskEnv } from "../harness/task.ts";

function eventsOf(task: Task): Record<string, unknown>[] {
  return task.out.trimEnd().split("\n").map((line) => JSON.parse(line));
}

Deno.test("the tasks run one after another with the permissions of deno.json", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  const env = taskEnv(platform);

  for (const name of ["extract", "transform", "load"]) {
    await using task = new Task([name], env);
    assert.equal(await task.ended(), 0, task.out + task.error);
    assert.equal(eventsOf(task).at(-1)?.stage, name);
    assert.equal(eventsOf(task).at(-1)?.batch, 1);
  }
  await assertMirrored(platform);

  for (
    const args of [
      ["resync", "payment"],
      ["rebuild", "processed"],
      ["rebuild", "warehouse"],
    ]
  ) {
    await using task = new Task(args, env);
    assert.equal(await task.ended(), 0, task.out + task.error);
  }
  await assertMirrored(platform);

  await using verify = new Task(["verify"], env);
  assert.equal(await verify.ended(), 0, verify.out + verify.error);
  assert.equal(eventsOf(verify).at(-1)?.same, true);

  await using status = new Task(["status", "--json"], env);
  assert.equal(await status.ended(), 0, status.out + status.error);
  assert.equal(JSON.parse(status.out).fresh, true);
});

for (const name of ["run", "httpfs", "lint:sql"]) {
  Deno.test(`./totesys ${name} reports how it is used`, async () => {
    await using task = new Task([name, "--help"], {});

    assert.equal(await task.ended(), 0, task.out + task.error);
    assert.ok(task.out.startsWith(`./totesys ${name}`), task.out);
  });
}

Deno.test("./totesys pipeline runs the three stages, and exits with the code of a failure", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  const env = taskEnv(platform);

  await using task = new Task(["pipeline"], env);
  assert.equal(await task.ended(), 0, task.out + task.error);
  assert.deepEqual(
    eventsOf(task).filter((event) => event.batch === 1)
      .map((event) => event.stage),
    ["extract", "transform", "load"],
  );
  await assertMirrored(platform);

  const url = new URL(platform.source.url);
  url.password = "hunter2";
  await using refused = new Task(["pipeline"], {
    ...env,
    SOURCE_URL: url.href,
  });
  assert.equal(await refused.ended(), 1, refused.out + refused.error);
  assert.match(refused.error, /password authentication failed/);
  assert.doesNotMatch(refused.out + refused.error, /hunter2/);

  await using unset = new Task(["pipeline"], { ...env, SOURCE_URL: "" });
  assert.equal(await unset.ended(), 2, unset.out + unset.error);
  assert.match(unset.error, /SOURCE_URL is missing/);
});

Deno.test("./totesys run follows the source, and ends cleanly on SIGTERM", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { client } = platform.source;
  await fillSmall(client);
  await using task = new Task(["run", "--every", "1s"], taskEnv(platform));
  await task.says(/"stage":"load","message":"batch 1/);
  await execute(client, insertOrder(70));
  const before = task.out.match(/"stage":"load","message":"batch/g)?.length;
  await task.says(
    new RegExp(`(?:"stage":"load","message":"batch[^]*){${(before ?? 1) + 2}}`),
  );

  task.kill("SIGTERM");

  assert.equal(await task.ended(), 0, task.out + task.error);
  assert.match(task.out + task.error, /stopped as asked/i);
  assert.doesNotMatch(task.out + task.error, /"level":"(error|fatal)"/);
  await assertMirrored(platform);
  const { rows } = await client.query(
    `select application_name from pg_stat_activity
    where datname = current_database() and application_name ~ '^totesys '`,
  );
  assert.deepEqual(rows, []);
});

Deno.test("one Ctrl-C, which sends two signals, ends ./totesys run cleanly", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await using task = new Task(["run", "--every", "1s"], taskEnv(platform));
  await task.says(/"stage":"load","message":"batch 1/);

  task.pressControlC();

  assert.equal(await task.ended(), 0, task.out + task.error);
  assert.match(task.out + task.error, /stopped as asked/i);
  assert.deepEqual(await leftIn(platform.config.tempDirectory), []);
});

Deno.test("one Ctrl-C, which sends two signals, ends ./totesys demo cleanly", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o755);
  try {
    const flags = ["--directory", folder, "--orders", "60", "--every", "1s"];
    await using task = new Task(
      ["demo", ...flags, "--port", String(freePort())],
      {},
    );
    await task.says(/load\b.*batch 1\b/);

    task.pressControlC();

    assert.equal(await task.ended(), 0, task.out + task.error);
    assert.match(task.out, /everything made so far is kept/);
    assert.match(task.out, /stopped as asked/i);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function leftIn(folder: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  return entries.map(({ name }) => name);
}
