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

function job(text: string, name: string): string {
  const pattern = new RegExp(`\\n {2}${name}:\\n([^]*?)(?:\\n\\n|$)`);
  return pattern.exec(text)?.[1] ?? "";
}

Deno.test("a called workflow is given the secrets that it uses", async () => {
  const called = await workflow("deploy_to.yml");
  const caller = await workflow("deploy.yml");
  const used = secretsIn(called);

  assert.ok(used.includes("TFVARS") && used.includes("SMOKE_SOURCE_URL"));
  assert.deepEqual(secretsIn(job(caller, "staging")), used);
  // Only staging has the smoke test.
  assert.deepEqual(
    secretsIn(job(caller, "production")),
    secretsIn(job(called, "deploy")),
  );
});

Deno.test("a run that waits for approval holds back no other", async () => {
  const text = await workflow("deploy.yml");
  const groups = [...text.matchAll(/group: (\S+)/g)].map(([, name]) => name);

  assert.deepEqual(groups, ["deploy-staging", "deploy-production"]);
  assert.match(job(text, "staging"), /group: deploy-staging/);
  assert.match(job(text, "production"), /group: deploy-production/);
});

Deno.test("people's addresses are a secret of the workflows", async () => {
  for (const name of ["deploy_to.yml", "plan.yml"]) {
    assert.doesNotMatch(await workflow(name), /vars\.\w*TFVARS/, name);
  }
});
