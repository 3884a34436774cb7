/**
 * `deno task infra:try [PART...]`: tries `infra/` without an account, with the
 * real provider and moto, which stands in for AWS. Its parts:
 *
 * - `asserts`: Terraform's own tests of the plans;
 * - `whole`: applied from nothing, with new code and every option, without the
 *   options, and destroyed; a second plan is empty each time, and the result is
 *   read back and compared with what the code needs;
 * - `options`: the same with each option alone as well;
 * - `example`: the example of a configuration that has this as a module;
 * - `deploy`: `deploy init`, and the stages with the functions' rights.
 *
 * Without Terraform, its AWS provider, Python or openssl it is skipped.
 */
import { join } from "node:path";
import { missingForMoto, startMoto, succeeds } from "./moto_server.ts";
import {
  copyInfra,
  copyInfraForMoto,
  FUNCTION_OVERRIDES,
  OVERRIDES,
  Terraform,
  terraformEnv,
} from "./terraform.ts";
import { tryDeploy } from "./try_deploy.ts";
import { tryExample } from "./try_example.ts";
import { tryOptions } from "./try_options.ts";
import { REGION } from "./tried_environment.ts";

const PARTS = ["asserts", "whole", "options", "example", "deploy"];
/** All but the one that another includes. */
const USUAL = PARTS.filter((part) => part !== "whole");

async function main(parts: readonly string[]): Promise<number> {
  const why = await succeeds("terraform", ["version"])
    ? await missingForMoto({ awsCli: parts.includes("deploy") })
    : "there is no terraform";
  if (why !== undefined) {
    console.log(`infra:try is skipped: ${why}`);
    return 0;
  }
  const work = await Deno.makeTempDir({ prefix: "infra_try_" });
  try {
    return await tryIn(work, parts);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Tries these parts; returns how many passed. */
async function tryIn(work: string, parts: readonly string[]): Promise<number> {
  const folder = join(work, "infra");
  await copyInfraForMoto(folder);
  await using server = await startMoto(work, { region: REGION });
  const { moto, authority, programs } = server;
  const env = await terraformEnv(work, { url: moto.url, authority });
  const terraform = new Terraform(folder, env);
  try {
    await terraform.run(["init", "-input=false"]);
  } catch (error) {
    console.log(String(error));
    console.log(
      "infra:try is skipped: Terraform finds no AWS provider (TERRAFORM_MIRROR names a folder that holds registry.terraform.io/hashicorp/aws)",
    );
    return 0;
  }
  const attempts: Record<string, () => Promise<unknown>> = {
    asserts: async () => {
      const unchanged = new Terraform(join(work, "asserts"), env);
      await copyInfra(unchanged.folder);
      await unchanged.run(["init", "-input=false"]);
      await unchanged.run(["test"]);
    },
    whole: () => tryOptions(terraform, moto, { alone: false }),
    options: () => tryOptions(terraform, moto, { alone: true }),
    example: () => tryExample(terraform, moto),
    deploy: () =>
      tryDeploy(moto, {
        work,
        overrides: [OVERRIDES, FUNCTION_OVERRIDES],
        env: { ...env, PATH: `${programs}:${Deno.env.get("PATH")}` },
      }),
  };
  for (const part of parts) {
    console.log(`== ${part}`);
    await attempts[part]?.();
  }
  return parts.length;
}

if (import.meta.main) {
  const parts = Deno.args.length === 0 ? USUAL : Deno.args;
  const unknown = parts.filter((part) => !PARTS.includes(part));
  if (unknown.length > 0) {
    console.error(`infra:try has no part ${unknown}: ${PARTS.join(", ")}`);
    Deno.exit(2);
  }
  let passed: number | undefined;
  try {
    passed = await main(parts);
  } catch (error) {
    console.error(error);
  }
  console.log(
    passed === undefined ? "0 passed, 1 failed" : `${passed} passed, 0 failed`,
  );
  Deno.exit(passed === undefined ? 1 : 0);
}
