import assert from "node:assert/strict";
import { join } from "node:path";
import { platformDirectory } from "../../lib/platform_directory.ts";

function workflow(name: string): Promise<string> {
  return Deno.readTextFile(
    join(platformDirectory(), ".github", "workflows", name),
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

Deno.test("a workflow run that waits for approval blocks no other", async () => {
  const text = await workflow("deploy.yml");
  const groups = [...text.matchAll(/group: (\S+)/g)].map(([, name]) => name);

  assert.deepEqual(groups, ["deploy-staging", "deploy-production"]);
  assert.match(job(text, "staging"), /group: deploy-staging/);
  assert.match(job(text, "production"), /group: deploy-production/);
});

// A clone has neither environment, and a private repository of most plans no
// approvals.
Deno.test("only environments that are set up are deployed to", async () => {
  const text = await workflow("deploy.yml");

  for (const name of ["staging", "production"]) {
    const condition = `if: contains(vars.DEPLOY_TO, '${name}')`;
    assert.ok(job(text, name).includes(condition), name);
  }
});

Deno.test("e-mail addresses reach workflows only as a secret", async () => {
  for (const name of ["deploy_to.yml", "plan.yml"]) {
    assert.doesNotMatch(await workflow(name), /vars\.\w*TFVARS/, name);
  }
});

/**
 * The first release of each action that runs on Node 24, by its action.yml: in
 * September 2026 Node 20 was removed from GitHub's runners,
 * https://github.blog/changelog/2025-09-19-deprecation-of-node-20-on-github-actions-runners/
 */
const ON_NODE_24: Record<string, string> = {
  "actions/checkout": "5.0.0",
  "actions/download-artifact": "7.0.0",
  "actions/upload-artifact": "6.0.0",
  "aws-actions/configure-aws-credentials": "6.0.0",
  "denoland/setup-deno": "2.0.4",
  "hashicorp/setup-terraform": "4.0.0",
};

Deno.test("actions are pinned by commit, and use a supported Node", async () => {
  const names = Deno.readDirSync(
    join(platformDirectory(), ".github", "workflows"),
  );
  const used = new Set<string>();
  for (const { name } of names) {
    for (const [, use = ""] of (await workflow(name)).matchAll(/uses: (.*)/g)) {
      if (use.startsWith("./")) continue;
      const [, action = "", version = ""] =
        /^([\w./-]+)@[0-9a-f]{40} # v(\d+\.\d+\.\d+)$/.exec(use) ?? [];
      const order = version.localeCompare(ON_NODE_24[action] ?? "none", "en", {
        numeric: true,
      });

      assert.ok(order >= 0, `${name}: ${use}`);
      used.add(action);
    }
  }
  assert.deepEqual([...used].sort(), Object.keys(ON_NODE_24));
});

Deno.test("a change is applied to a stand-in for AWS, and not skipped", async () => {
  const text = job(await workflow("check.yml"), "infrastructure");

  assert.match(text, /setup-terraform@.*terraform_version/s);
  assert.match(text, /deno task infra:try whole \| tee tried.txt/);
  assert.match(text, /grep -x '1 passed, 0 failed' tried.txt/);
});

// A repository has its own folder of SQL, and the processor of its functions.
Deno.test("every job that packages or runs the platform takes the repository's variables", async () => {
  const sql = "SQL_DIRECTORY: ${{ vars.SQL_DIRECTORY || 'sql' }}";
  const architecture = "ARCHITECTURE: ${{ vars.ARCHITECTURE || 'x86_64' }}";
  const text = await workflow("check.yml");
  const plan = await workflow("plan.yml");
  for (const packaging of [job(text, "package"), plan]) {
    assert.ok(packaging.includes(sql), packaging);
    assert.ok(packaging.includes(architecture), packaging);
    assert.doesNotMatch(packaging, /deno task package(?! --architecture)/);
  }
  assert.ok(job(await workflow("deploy_to.yml"), "smoke").includes(sql));
});
