import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { runForever } from "../../operate/run_stages.ts";
import { smoke } from "../../operate/smoke.ts";
import { inFolder } from "../harness/in_folder.ts";
import { openPlatform } from "../harness/platform.ts";
import { fillSmall } from "../harness/companies/small_source.ts";

const SMOKE_ROWS = "select design_id from design where design_id < 0";

Deno.test("smoke() sees a row of the source in the warehouse, and removes it", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await platform.run();
  const stopping = new AbortController();
  const running = runForever(
    { ...platform.context, signal: stopping.signal },
    { everyMs: 300 },
  );

  const seconds = await smoke(platform.context, {
    waitMs: 30_000,
    pollMs: 100,
  });

  stopping.abort();
  await running;
  assert.ok(seconds < 30);
  assert.deepEqual(await query(client, SMOKE_ROWS), []);
});

Deno.test("smoke() removes the row of a killed run, not that of a running one", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await platform.run();
  const now = Math.floor(Date.now() / 1000);
  const row = (key: number, name: string) =>
    `(${key}, now(), '${name}', '/smoke', 'smoke.json', now())`;
  await client.query(
    `insert into design values ${row(-now + 90_000, "Smoke test")},
    ${row(-now + 60, "Smoke test")}, ${row(-7, "Of a person")}`,
  );

  await assert.rejects(
    smoke(platform.context, { waitMs: 300, pollMs: 100 }),
    /did not arrive/,
  );

  const left = await query(client, `${SMOKE_ROWS} order by design_id`);
  assert.deepEqual(
    left.map(({ design_id }) => Number(design_id)),
    [-now + 60, -7],
  );
  assert.match(platform.logged.join("\n"), /test that was killed is removed/);
});

Deno.test("smoke() names each file that the company's folder lacks, and writes nothing", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform();
    platform.set({ sqlDirectory: folder });
    await Deno.mkdir(join(folder, "smoke"));
    await Deno.writeTextFile(
      join(folder, "smoke", "write.sql"),
      "create table written (key integer)",
    );

    await assert.rejects(smoke(platform.context, { waitMs: 300 }), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map((problem) => /sql\/smoke\/\w+/.exec(problem)?.[0]),
        ["seen", "remove", "remove_left"].map((name) => `sql/smoke/${name}`),
      );
      return true;
    });

    const written = await query(
      platform.source.client,
      "select to_regclass('written') as name",
    );
    assert.equal(written[0]?.name, null);
  }));

Deno.test("smoke() reports a row that doesn't arrive, and removes it", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await platform.run();

  await assert.rejects(
    smoke(platform.context, { waitMs: 300, pollMs: 100 }),
    {
      name: "StageError",
      message:
        /^Cannot see row -\d+ in the warehouse: it did not arrive within 0 s$/,
    },
  );
  assert.deepEqual(await query(client, SMOKE_ROWS), []);
});
