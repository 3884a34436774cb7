import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { testPostgresUrl } from "../harness/servers/postgres.ts";

/** What the stages make in a process of that time zone. */
async function contentIn(zone: string): Promise<unknown> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      fileURLToPath(new URL("time_zone_content.ts", import.meta.url)),
    ],
    cwd: platformDirectory(),
    env: {
      TZ: zone,
      NO_COLOR: "1",
      TEST_POSTGRES_URL: await testPostgresUrl(),
    },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("the stages' results don't depend on their time zone", async () => {
  const inUtc = await contentIn("UTC");

  assert.match(JSON.stringify(inUtc), /2023-03-12 07:00:00\+00/);
  for (const zone of ["America/New_York", "Asia/Tokyo"]) {
    assert.deepEqual(await contentIn(zone), inUtc, zone);
  }
});
