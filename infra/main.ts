/**
 * `deno task infra:plan` and `infra:apply`: Terraform for one environment. A
 * plan is saved, and only a saved plan is applied.
 */
import { fileURLToPath } from "node:url";
import { ConfigError, EXIT, exitCode, messageOf } from "../lib/errors.ts";

const USAGE = `deno task infra:plan ENVIRONMENT
deno task infra:apply ENVIRONMENT

Plans or applies infra/ for an environment, whose settings are in
infra/environments/ENVIRONMENT.tfvars and ENVIRONMENT.tfbackend. An apply uses
the plan saved last, and no other.`;

const folder = fileURLToPath(new URL(".", import.meta.url));

/** Runs Terraform; returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const [action, environment = "", ...others] = args;
    if (!/^[a-z][a-z0-9]*$/.test(environment) || others.length > 0) {
      throw new ConfigError([USAGE]);
    }
    const plan = `${environment}.tfplan`;
    if (action === "apply") {
      await mustExist(plan, `deno task infra:plan ${environment} makes it`);
      await terraform("apply", "-input=false", plan);
      await Deno.remove(`${folder}${plan}`);
      return EXIT.ok;
    }
    const settings = `environments/${environment}`;
    for (const file of [`${settings}.tfvars`, `${settings}.tfbackend`]) {
      await mustExist(file, `copy ${file}.example and fill it in`);
    }
    await mustExist("../dist/package.json", "deno task package makes it");
    await terraform(
      "init",
      "-input=false",
      "-reconfigure",
      `-backend-config=${settings}.tfbackend`,
    );
    await terraform(
      "plan",
      "-input=false",
      `-var-file=${settings}.tfvars`,
      `-out=${plan}`,
    );
    console.log(`deno task infra:apply ${environment} applies this plan`);
    return EXIT.ok;
  } catch (error) {
    console.error(messageOf(error));
    return exitCode(error);
  }
}

async function mustExist(file: string, hint: string): Promise<void> {
  try {
    await Deno.stat(`${folder}${file}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new ConfigError([`infra/${file} is missing: ${hint}`]);
  }
}

async function terraform(...args: string[]): Promise<void> {
  const { code } = await new Deno.Command("terraform", { args, cwd: folder })
    .spawn().status;
  if (code === 0) return;
  throw new Error(`terraform ${args[0]} failed with exit code ${code}`);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
