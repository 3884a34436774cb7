import assert from "node:assert/strict";
import { join } from "node:path";
import { openDuckDb } from "../../lib/duckdb/duckdb.ts";
import { quoteText } from "../../lib/sql/quote.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { openZone } from "../../lib/zone/zone.ts";
import { inFolder } from "../harness/in_folder.ts";
import { openPlatform, type Platform } from "../harness/platform.ts";
import { fillSmall } from "../harness/companies/small_source.ts";
import { Task } from "../harness/task.ts";
import {
  assertNoLeak,
  CANARIES,
  CORES,
  openKeylessPlatform,
  openSecretRoles,
  secretEnv,
} from "./canary_secrets.ts";

const LIVELY_MS = 100;

/** Looks for a canary in every file below a folder, and in their names. */
async function assertNoLeakBelow(folder: string): Promise<number> {
  let files = 0;
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    assertNoLeak(entry.name, folder);
    if (entry.isDirectory) files += await assertNoLeakBelow(path);
    if (!entry.isFile) continue;
    files++;
    assertNoLeak(latin1(await Deno.readFile(path)), path);
  }
  return files;
}

/** The same in every file of a zone. */
async function assertNoLeakIn(
  url: string,
  platform: Platform,
): Promise<number> {
  const zone = openZone(url, { s3: platform.config.s3 });
  let files = 0;
  for await (const { key } of zone.list("")) {
    files++;
    const bytes = (await zone.read(key))?.bytes ?? new Uint8Array();
    assertNoLeak(latin1(bytes), `${url}/${key}`);
  }
  zone.close();
  return files;
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

/** What everyone on the machine sees of every process. */
async function processTitles(): Promise<string> {
  const { stdout } = await new Deno.Command("ps", {
    args: ["-A", "-ww", "-o", "args="],
  }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test("the search for secrets finds every form of them", () => {
  const { source, secretKey } = CANARIES;
  for (
    const text of [
      source,
      encodeURIComponent(source),
      JSON.stringify(source),
      quoteText(source),
      btoa(`user:${secretKey}`),
      btoa(`a:${secretKey}`),
      btoa(secretKey),
      [...new TextEncoder().encode(source)].map((byte) => byte.toString(16))
        .join(""),
    ]
  ) assert.throws(() => assertNoLeak(`x ${text} y`, "here"), text);
});

for (const zones of ["directory", "S3"] as const) {
  Deno.test(`a run leaves no secret in output, zones, temporary files or process titles (${zones})`, async () => {
    await using opened = await openKeylessPlatform(zones);
    const { platform } = opened;
    await fillSmall(platform.source.client);
    await using roles = await openSecretRoles(platform);
    const { config, source, warehouse } = platform;
    const seen = new Set<string>();
    // Not by `deno task`, which could not end it with itself when killed.
    await using task = new Task(
      ["operate/run.ts", "--forever", "--every", "1s"],
      secretEnv(platform, roles),
      { deno: ["run", "-A"] },
    );
    const told = task.says(/"stage":"load","message":"batch [2-9]/);
    let running = true;
    const watching = (async () => {
      while (running) {
        seen.add(await processTitles());
        const { rows } = await source.client.query(
          "select application_name, query from pg_stat_activity",
        );
        seen.add(JSON.stringify(rows));
        await new Promise((wake) => setTimeout(wake, LIVELY_MS));
      }
    })();

    await told.finally(() => running = false);
    await watching;
    // As the system does it that runs out of memory.
    task.kill("SIGKILL");
    await task.ended();

    assertNoLeak(task.out + task.error, "output");
    for (const text of seen) assertNoLeak(text, "titles and sessions");
    assert.ok([...seen].some((text) => text.includes("totesys extract")));
    assert.ok(await assertNoLeakIn(config.ingestionUrl, platform) > 10);
    assert.ok(await assertNoLeakIn(config.processedUrl, platform) > 10);
    await assertNoLeakBelow(config.tempDirectory);
    const { rows } = await warehouse.client.query(
      `select (select json_agg(one) from pipeline.batch as one)::text
        || coalesce((select json_agg(one) from pipeline.finding as one)::text, '')
        as text`,
    );
    assertNoLeak(rows[0].text, "ledger");
  });
}

Deno.test("openDuckDb() hides the keys that DuckDB refuses", async () => {
  await using platform = await openPlatform({
    zones: "S3",
    warehouse: "empty",
  });
  const { config } = platform;
  assert.ok(config.s3 !== undefined);
  const s3 = { ...config.s3, secretAccessKey: `${CORES[4]}\0` };

  await assert.rejects(
    openDuckDb({ ...config, s3 }, { zones: [] }),
    (error: Error) => {
      assert.match(error.message, /^Cannot give DuckDB its keys for S3/);
      assertNoLeak(Deno.inspect(error), "error");
      return true;
    },
  );
});

Deno.test(".env is read by the tasks, kept out of git, and .env.example has no secret", () =>
  inFolder(async () => {
    const project = platformDirectory();
    const ignored = await Deno.readTextFile(join(project, ".gitignore"));
    const example = await Deno.readTextFile(join(project, ".env.example"));

    assert.match(ignored, /^\.env$/m);
    assert.doesNotMatch(example, /^[^#]*(SECRET|TOKEN|KEY_ID)[A-Z_]*=./m);
    assert.deepEqual(
      [...example.matchAll(/^\w+=\w+:\/\/\w+:(\w+)@/gm)].map(([, one]) => one),
      ["password", "password"],
    );
  }));
