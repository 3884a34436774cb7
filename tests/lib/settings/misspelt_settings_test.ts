import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError } from "../../../lib/errors.ts";
import { platformDirectory } from "../../../lib/platform_directory.ts";
import { readConfig } from "../../../lib/settings/config.ts";

Deno.test("readConfig() names misspelt settings of .env", () => {
  const misspelt = (names: string[]) => {
    try {
      readConfig(() => undefined, [], { names });
      return [];
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.problems;
    }
  };

  assert.deepEqual(
    misspelt([
      "FRESHNESS_MINUTE_MAX",
      "WAREHOUSE_URI",
      "source_url",
      "DASHBOARD_PORT",
      "TEMP_DIR",
    ]),
    [
      "FRESHNESS_MINUTE_MAX in .env is not a setting: did you mean FRESHNESS_MINUTES_MAX?",
      "WAREHOUSE_URI in .env is not a setting: did you mean WAREHOUSE_URL?",
      "source_url in .env is not a setting: did you mean SOURCE_URL?",
      "DASHBOARD_PORT in .env is not a setting: leave it out",
    ],
  );
  const example = Deno.readTextFileSync(
    join(platformDirectory(), ".env.example"),
  );
  const named = [...example.matchAll(/^(?:# )?([A-Z_]+)=/gm)]
    .map(([, name = ""]) => name);
  assert.ok(named.length > 20);
  assert.deepEqual(
    misspelt([...named, "COMPOSE_PROJECT_NAME", "PGDATA", "AWS_PROFILE"]),
    [],
  );
});
