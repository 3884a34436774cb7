import assert from "node:assert/strict";
import { join } from "node:path";
import { platformDirectory } from "../../lib/platform_directory.ts";

Deno.test("platformDirectory() is where sql/ lies", () => {
  assert.ok(Deno.statSync(join(platformDirectory(), "sql")).isDirectory);
});
