/**
 * `deno task infra:try`: applies infra/ with the real provider to moto, which
 * stands in for AWS: from nothing, with new code and every option, without the
 * options, and destroyed at last; a second plan is empty each time. The result
 * is read back and compared with what the code needs. `infra:try deploy` and
 * `infra:try options` do one part. Without Terraform, its AWS provider, Python
 * or openssl it is skipped.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { zipEntries } from "../../package/zip_entries.ts";
import { FUNCTIONS } from "../../package/functions.ts";
import { CertificateAuthority } from "../harness/certificates.ts";
import { freePort } from "../harness/free_port.ts";
import { checkApplied, checkDestroyed } from "./applied.ts";
import { Moto } from "./moto.ts";
import { tryDeploy } from "./try_deploy.ts";

const PACKAGES = ["moto[server]==5.2.5", "awscli==1.46.3"];
/** Older than what is deployed with, where only that is at hand. */
const PROVIDER = ">= 5.100, < 7";
const COMMAND_SECONDS_MAX = 240;
const START_TRIES_MAX = 200;
const START_WAIT_MS = 100;

/**
 * What moto lacks or takes for something else: budgets; in a bucket's policy
 * the condition of a refusal, which would then hold for every upload; what it
 * takes but does not show, so that each plan would set it again.
 */
const OVERRIDES = `
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "${PROVIDER}"
    }
  }
  backend "local" {}
}
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
resource "aws_s3_bucket_notification" "this" {
  lifecycle {
    ignore_changes = [eventbridge]
  }
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
const MODULE_OVERRIDES = `
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "${PROVIDER}"
    }
  }
}
resource "aws_lambda_function" "this" {
  lifecycle {
    ignore_changes = [logging_config]
  }
}
`;

const SETTINGS = {
  environment: "testing",
  region: "eu-west-2",
  package_dir: "dist",
  emails: ["team@example.com"],
  phone_numbers: ["+447700900000"],
  monthly_budget_usd: 50,
};

const project = fileURLToPath(new URL("../..", import.meta.url));
const python = join(project, ".tools", "moto", "bin", "python");

/** Why this machine can't try it; undefined if it can. */
async function missing(): Promise<string | undefined> {
  for (
    const [program, argument] of [["terraform", "version"], [
      "openssl",
      "version",
    ]] as const
  ) {
    if (!await succeeds(program, [argument])) return `there is no ${program}`;
  }
  if (existsSync(join(dirname(python), "aws"))) return undefined;
  if (!await succeeds("python3", ["--version"])) return "there is no python3";
  console.log(`pip install ${PACKAGES.join(" ")}`);
  const folder = join(project, ".tools", "moto");
  if (
    !await succeeds("python3", ["-m", "venv", folder]) ||
    !await succeeds(python, ["-m", "pip", "install", "-q", ...PACKAGES])
  ) {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    return `pip can't install ${PACKAGES.join(" ")}`;
  }
  return undefined;
}

async function succeeds(program: string, args: string[]): Promise<boolean> {
  return await new Deno.Command(program, {
    args,
    stdout: "null",
    stderr: "null",
  })
    .output().then(({ success }) => success, () => false);
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

/** Terraform in a copy of infra/, with the variables that it needs. */
class Terraform {
  constructor(
    private readonly folder: string,
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
        `terraform ${args.join(" ")}: exit code ${code}\n${output}`,
      );
    }
    const seconds = Math.round((performance.now() - started) / 1000);
    console.log(`terraform ${args[0]}: ${seconds} s`);
    return output;
  }

  /** Applies these settings; a plan afterwards must change nothing. */
  async apply(settings: Record<string, unknown>): Promise<void> {
    await Deno.writeTextFile(
      join(this.folder, "terraform.tfvars.json"),
      JSON.stringify(settings),
    );
    await this.run(["apply", "-input=false", "-auto-approve"]);
    await this.run(["plan", "-input=false", "-detailed-exitcode"]);
  }
}

/** Writes a package whose functions are these words, as `deno task package` would. */
async function writePackage(folder: string, word: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const parts: Record<string, unknown> = {};
  for (const name of ["deno", "duckdb", ...Object.keys(FUNCTIONS)]) {
    const bytes = await zipEntries(
      new Map([["bootstrap", {
        from: new TextEncoder().encode(`${name} ${word}`),
      }]]),
    );
    const hash = await crypto.subtle.digest("SHA-256", new Uint8Array(bytes));
    await Deno.writeFile(join(folder, `${name}.zip`), bytes);
    parts[name] = {
      file: `${name}.zip`,
      sha256: new Uint8Array(hash).toHex(),
      bytes: bytes.length,
      unzippedBytes: bytes.length,
    };
  }
  await Deno.writeTextFile(
    join(folder, "package.json"),
    JSON.stringify({ architecture: "x86_64", parts }),
  );
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isFile, isDirectory } of Deno.readDir(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    if (isFile && name.endsWith(".tf")) await Deno.copyFile(source, target);
    if (isDirectory && ["modules", "function"].includes(name)) {
      await copyFolder(source, target);
    }
  }
}

async function main(): Promise<void> {
  const why = await missing();
  if (why !== undefined) return console.log(`infra:try is skipped: ${why}`);
  const work = await Deno.makeTempDir({ prefix: "infra_try_" });
  try {
    await tryIn(work);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function tryIn(work: string): Promise<void> {
  const folder = join(work, "infra");
  await copyFolder(join(project, "infra"), folder);
  await Deno.writeTextFile(
    join(folder, "try_override.tf"),
    OVERRIDES + DESTROYABLE,
  );
  await Deno.writeTextFile(
    join(folder, "modules", "function", "try_override.tf"),
    MODULE_OVERRIDES,
  );
  const mirror = await findMirror();
  const env: Record<string, string> = { CHECKPOINT_DISABLE: "1" };
  if (mirror !== undefined) {
    env.TF_CLI_CONFIG_FILE = join(work, "terraformrc");
    await Deno.writeTextFile(
      env.TF_CLI_CONFIG_FILE,
      `provider_installation {\n  filesystem_mirror {\n    path = "${mirror}"\n  }\n}\n`,
    );
  }
  const authority = await CertificateAuthority.create(join(work, "authority"));
  const { cert, key } = await authority.issue({ names: "IP:127.0.0.1" });
  await Deno.writeTextFile(join(work, "cert.pem"), cert);
  await Deno.writeTextFile(join(work, "key.pem"), key);
  const port = freePort();
  const server = new Deno.Command(python, {
    args: [
      ...["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)],
      ...["-c", join(work, "cert.pem"), "-k", join(work, "key.pem")],
    ],
    // GitHub's roles have policies of AWS's own.
    env: { MOTO_IAM_LOAD_MANAGED_POLICIES: "true" },
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const moto = new Moto({
      port,
      region: SETTINGS.region,
      ca: await Deno.readTextFile(authority.file),
    });
    await untilReady(moto);
    const terraform = new Terraform(folder, {
      ...env,
      AWS_ENDPOINT_URL: moto.url,
      AWS_CA_BUNDLE: authority.file,
      AWS_ACCESS_KEY_ID: "testing",
      AWS_SECRET_ACCESS_KEY: "testing",
      AWS_EC2_METADATA_DISABLED: "true",
      TF_CLI_ARGS: "-no-color",
    });
    const initialized = await terraform.run(["init", "-input=false"])
      .then(() => true, (error: Error) => {
        console.log(error.message);
        return false;
      });
    if (!initialized) {
      return console.log(
        "infra:try is skipped: Terraform finds no AWS provider (TERRAFORM_MIRROR names a folder that holds registry.terraform.io/hashicorp/aws)",
      );
    }
    if (isAsked("options")) {
      await tryOptions(terraform, moto, join(folder, "dist"));
    }
    if (isAsked("deploy")) {
      await tryDeploy(moto, {
        work,
        overrides: [
          OVERRIDES.replace('backend "local" {}', ""),
          MODULE_OVERRIDES,
        ],
        env: {
          ...terraform.env,
          PATH: `${dirname(python)}:${Deno.env.get("PATH")}`,
        },
      });
    }
  } finally {
    server.kill("SIGTERM");
    await server.status;
  }
}

async function tryOptions(
  terraform: Terraform,
  moto: Moto,
  dist: string,
): Promise<void> {
  await writePackage(dist, "one");
  await terraform.apply(SETTINGS);
  const first = await checkApplied(moto, { options: false });

  await writePackage(dist, "two");
  await terraform.apply({
    ...SETTINGS,
    dashboard: true,
    replica_region: "eu-west-1",
    vpc: {
      ...await moto.network(),
      cidrs: ["172.31.0.0/16"],
      database_cidrs: ["172.31.0.0/16"],
    },
    github: {
      repository: "owner/name",
      owner_id: 1,
      repository_id: 2,
      state_bucket: "state",
      create_provider: true,
    },
  });
  const second = await checkApplied(moto, { options: true });
  for (const [name, hash] of Object.entries(first)) {
    assert.notEqual(second[name], hash, `${name} has new code`);
  }

  await terraform.apply(SETTINGS);
  assert.deepEqual(
    Object.keys(await checkApplied(moto, { options: false })),
    Object.keys(first),
  );

  await terraform.run(["destroy", "-input=false", "-auto-approve"]);
  await checkDestroyed(moto);
}

/** Whether this part is to be tried: all are if none is named. */
function isAsked(part: string): boolean {
  return Deno.args.length === 0 || Deno.args.includes(part);
}

async function untilReady(moto: Moto): Promise<void> {
  for (let tries = 0; tries < START_TRIES_MAX; tries++) {
    if (await moto.isReady()) return;
    await new Promise((done) => setTimeout(done, START_WAIT_MS));
  }
  throw new Error("moto does not start");
}

if (import.meta.main) {
  let passed = false;
  try {
    await main();
    passed = true;
  } catch (error) {
    console.error(error);
  }
  console.log(passed ? "1 passed, 0 failed" : "0 passed, 1 failed");
  Deno.exit(passed ? 0 : 1);
}
