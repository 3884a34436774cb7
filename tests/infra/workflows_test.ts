import assert from "node:assert/strict";
import { join } from "node:path";
import { projectDirectory } from "../../lib/project_directory.ts";

function workflow(name: string): Promise<string> {
  return Deno.readTextFile(
    join(projectDirectory(), ".github", "workflows", name),
  );
}

/** The secrets that a workflow's text names. */
function secretsIn(text: string): string[] {
  const names = [...text.matchAll(/\$\{\{ secrets\.(\w+) \}\}/g)];
  return [...new Set(names.map(([, name = ""]) => name))].sort();
}

Deno.test("staging's smoke test is given the secrets that it uses", async () => {
  const used = secretsIn(await workflow("deploy_to.yml"));
  const caller = await workflow("deploy.yml");
  const [, staging = ""] = /\n {2}staging:\n([^]*?)\n\n/.exec(caller) ?? [];

  assert.notDeepEqual(used, []);
  assert.deepEqual(secretsIn(staging), used);
  for (const name of used) {
    assert.match(staging, new RegExp(`\\b${name}: \\$`), name);
  }
});
