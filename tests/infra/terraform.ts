import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { platformDirectory } from "../../lib/platform_directory.ts";

/** The version that moto is known to take: older than what is deployed with. */
const PROVIDER = "5.100.0";
const COMMAND_SECONDS_MAX = 1200;
const SHOWN_CHARACTERS_MAX = 8000;

const ANY_PROVIDER = `
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "${PROVIDER}"
    }
  }
}
`;
/**
 * What moto lacks or takes for something else: budgets; in a bucket's policy
 * the condition of a refusal, which would then hold for every upload; what it
 * takes but does not show, so that each plan would set it again.
 */
export const OVERRIDES = `${ANY_PROVIDER}
resource "aws_budgets_budget" "monthly" {
  count = 0
}
resource "aws_s3_bucket_policy" "this" {
  for_each = { for name, bucket in local.buckets : name => bucket if name != "artefacts" }
}
resource "aws_vpc_security_group_egress_rule" "s3" {
  lifecycle {
    ignore_changes = [description]
  }
}
resource "aws_vpc_security_group_egress_rule" "warehouse" {
  lifecycle {
    ignore_changes = [description]
  }
}
resource "aws_vpc_security_group_ingress_rule" "warehouse_functions" {
  lifecycle {
    ignore_changes = [description]
  }
}
resource "aws_vpc_security_group_ingress_rule" "databases" {
  lifecycle {
    ignore_changes = [description]
  }
}
resource "aws_db_parameter_group" "warehouse" {
  lifecycle {
    ignore_changes = [parameter]
  }
}
resource "aws_s3_bucket_notification" "this" {
  lifecycle {
    ignore_changes = [eventbridge]
  }
}
`;
const LOCAL_STATE = `
terraform {
  backend "local" {}
}
`;
/** What lets everything be destroyed at last. */
const DESTROYABLE = `
resource "aws_s3_bucket" "ingestion" {
  lifecycle {
    prevent_destroy = false
  }
}
resource "aws_s3_bucket" "replica" {
  lifecycle {
    prevent_destroy = false
  }
}
`;
export const FUNCTION_OVERRIDES = `${ANY_PROVIDER}
resource "aws_lambda_function" "this" {
  lifecycle {
    ignore_changes = [logging_config]
  }
}
`;

const EXAMPLE_OVERRIDES = `${ANY_PROVIDER}
resource "aws_vpc_security_group_ingress_rule" "tasks" {
  lifecycle {
    ignore_changes = [description]
  }
}
resource "aws_vpc_security_group_ingress_rule" "viewers" {
  lifecycle {
    ignore_changes = [description]
  }
}
resource "aws_vpc_security_group_ingress_rule" "dashboard" {
  lifecycle {
    ignore_changes = [description]
  }
}
resource "aws_vpc_security_group_egress_rule" "balancer" {
  lifecycle {
    ignore_changes = [description]
  }
}
resource "aws_ecs_service" "dashboard" {
  lifecycle {
    ignore_changes = [availability_zone_rebalancing, health_check_grace_period_seconds]
  }
}
`;

/** Terraform in a folder, with the variables of the environment that it needs. */
export class Terraform {
  constructor(
    readonly folder: string,
    readonly env: Record<string, string>,
  ) {}

  /** Runs a command; throws with its output unless the exit code is expected. */
  async run(args: string[], expected = 0): Promise<string> {
    const started = performance.now();
    const command = new Deno.Command("terraform", {
      args,
      cwd: this.folder,
      env: this.env,
      signal: AbortSignal.timeout(COMMAND_SECONDS_MAX * 1000),
    });
    const { code, stdout, stderr } = await command.output();
    const output = new TextDecoder().decode(stdout) +
      new TextDecoder().decode(stderr);
    if (code !== expected) {
      throw new Error(
        `terraform ${args.join(" ")}: exit code ${code}\n${
          output.slice(-SHOWN_CHARACTERS_MAX)
        }`,
      );
    }
    const seconds = Math.round((performance.now() - started) / 1000);
    console.log(`terraform ${args[0]}: ${seconds} s`);
    return output;
  }

  /**
   * Applies these settings, and returns what it said; a plan afterwards must
   * change nothing.
   */
  async apply(settings: Record<string, unknown>): Promise<string> {
    await Deno.writeTextFile(
      join(this.folder, "terraform.tfvars.json"),
      JSON.stringify(settings),
    );
    const said = await this.run(["apply", "-input=false", "-auto-approve"]);
    await this.run(["plan", "-input=false", "-detailed-exitcode"]);
    return said;
  }
}

/** Copies `infra/` into a folder, for any version of the provider. */
export async function copyInfra(folder: string): Promise<void> {
  await copyConfiguration(join(platformDirectory(), "infra"), folder);
  await override(folder, {
    "": ANY_PROVIDER + LOCAL_STATE,
    "modules/function": ANY_PROVIDER,
    "modules/network": ANY_PROVIDER,
    "modules/task": ANY_PROVIDER,
    "examples/private_network": ANY_PROVIDER,
  });
}

/** The same, changed so that moto can stand in for AWS. */
export async function copyInfraForMoto(folder: string): Promise<void> {
  await copyInfra(folder);
  await override(folder, {
    "": OVERRIDES + LOCAL_STATE + DESTROYABLE,
    "modules/function": FUNCTION_OVERRIDES,
    "examples/private_network": EXAMPLE_OVERRIDES,
  });
}

async function override(
  folder: string,
  texts: Record<string, string>,
): Promise<void> {
  for (const [path, text] of Object.entries(texts)) {
    await Deno.writeTextFile(join(folder, path, "try_override.tf"), text);
  }
}

/** What Terraform needs to find the provider, and to call moto. */
export async function terraformEnv(
  work: string,
  moto: { url: string; authority: string },
): Promise<Record<string, string>> {
  const env: Record<string, string> = {
    CHECKPOINT_DISABLE: "1",
    AWS_ENDPOINT_URL: moto.url,
    AWS_CA_BUNDLE: moto.authority,
    AWS_ACCESS_KEY_ID: "testing",
    AWS_SECRET_ACCESS_KEY: "testing",
    AWS_EC2_METADATA_DISABLED: "true",
    TF_CLI_ARGS: "-no-color",
  };
  const mirror = await findMirror();
  if (mirror === undefined) return env;
  const file = join(work, "terraformrc");
  await Deno.writeTextFile(
    file,
    `provider_installation {\n  filesystem_mirror {\n    path = "${mirror}"\n  }\n}\n`,
  );
  return { ...env, TF_CLI_CONFIG_FILE: file };
}

async function copyConfiguration(from: string, to: string): Promise<void> {
  for await (const { name, isFile, isDirectory } of Deno.readDir(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    if (isDirectory && !name.startsWith(".") && name !== "environments") {
      await copyConfiguration(source, target);
    }
    if (!isFile || !/\.(tf|hcl|json)$/.test(name)) continue;
    await Deno.mkdir(dirname(target), { recursive: true });
    await Deno.copyFile(source, target);
  }
}

/**
 * Where the provider lies unpacked: below the folder that TERRAFORM_MIRROR
 * names, or one that software is usually installed in. Undefined: Terraform's
 * own configuration decides.
 */
async function findMirror(): Promise<string | undefined> {
  const candidates = [
    Deno.env.get("TERRAFORM_MIRROR") ?? "",
    ...["/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins"],
    ...await foldersIn("/opt"),
  ];
  return candidates.find((folder) =>
    folder !== "" &&
    existsSync(join(folder, "registry.terraform.io", "hashicorp", "aws"))
  );
}

async function foldersIn(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const entries = await Array.fromAsync(Deno.readDir(folder));
  return entries.map(({ name }) => join(folder, name)).sort();
}
