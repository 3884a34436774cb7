import assert from "node:assert/strict";
import { join } from "node:path";
import { startPostgresServer } from "../../embedded/postgres_server.ts";
import { queryRow } from "../../lib/postgres/postgres.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { inFolder } from "../harness/in_folder.ts";
import { openClient } from "../harness/servers/postgres.ts";

const project = platformDirectory();

function read(file: string): Promise<string> {
  return Deno.readTextFile(join(project, file));
}

const hasPsql = await new Deno.Command("psql", {
  args: ["--version"],
  stdout: "null",
  stderr: "null",
}).output().then(() => true, () => false);

Deno.test("the image contains what its commands start, with the Deno that CI uses", async () => {
  const kept = (await read(".dockerignore")).split("\n")
    .filter((line) => line.startsWith("!")).map((line) => line.slice(1));
  const { tasks } = JSON.parse(await read("deno.json")) as {
    tasks: Record<string, { command: string }>;
  };
  const started = Object.values(tasks)
    .map(({ command }) => command)
    .filter((command) => command.includes("-P=platform"))
    .map((command) => / ([\w/]+\.ts)/.exec(command)?.[1] ?? "");
  const versions = [...(await read("Dockerfile")).matchAll(/deno:\w+-(\S+)/g)]
    .map(([, version]) => version);
  const [, checked] = /deno-version: (\S+)/.exec(
    await read(".github/workflows/check.yml"),
  ) ?? [];

  assert.ok(started.length > 10);
  for (const file of started) {
    assert.ok(
      kept.some((one) => file === one || file.startsWith(`${one}/`)),
      file,
    );
  }
  assert.deepEqual(versions, [checked, checked]);
});

Deno.test({
  name: "the try-out's server is filled, and lets its roles in",
  ignore: !hasPsql,
  fn: () =>
    inFolder(async (folder) => {
      const binDir = Deno.env.get("TEST_POSTGRES_BIN");
      await using server = await startPostgresServer({
        dataDir: join(folder, "data"),
        ...binDir === undefined ? {} : { binDir },
      });
      const { port, username, password } = new URL(server.url("postgres"));

      const { success, stderr } = await new Deno.Command("sh", {
        args: [join(project, "container", "fill.sh")],
        env: {
          PLATFORM: project,
          PGHOST: "127.0.0.1",
          PGPORT: port,
          PGUSER: username,
          PGPASSWORD: decodeURIComponent(password),
        },
      }).output();

      assert.ok(success, new TextDecoder().decode(stderr));
      const urls = [
        ...(await read("compose.yaml")).matchAll(/postgres:\/\/\S+/g),
      ]
        .map(([url]) => url.replace("@postgres:5432", `@127.0.0.1:${port}`));
      assert.equal(urls.length, 3);
      const counts: unknown[] = [];
      for (const url of urls) {
        const client = await openClient(url);
        const { count } = await queryRow(
          client,
          url.includes("extract")
            ? "select count(*)::text as count from sales_order"
            : "select current_user::text as count",
        );
        counts.push(count);
        await client.end();
      }
      assert.deepEqual(counts, ["11000", "totesys_loader", "totesys_analyst"]);
    }),
});
