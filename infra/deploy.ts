/**
 * `deno task deploy init`: from AWS credentials to a running platform. Each
 * step says what it does, and leaves what is done already as it is.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ask, askSecret } from "../lib/cli/ask.ts";
import { describeError } from "../lib/cli/command.ts";
import { ConfigError, EXIT, exitCode, StageError } from "../lib/errors.ts";
import { projectDirectory } from "../lib/project_directory.ts";
import { urlOf } from "../lib/settings/secrets.ts";
import { askAws, aws } from "./aws_cli.ts";
import { type Database, databasesOf, makeRoles } from "./database_roles.ts";
import { main as infra, readOutputs } from "./main.ts";

const USAGE = `deno task deploy init [ENVIRONMENT] [flags]

Sets up an environment (default: staging) on AWS: the bucket of Terraform's
state, the settings, the package, plan and apply, the databases' roles and their
secrets, the budget's tag. It says what it does, applies only what you agree to,
and can be run again after any failure: what is done stays as it is.

  --region R       the AWS region, such as eu-west-2
  --email A,B      where alarms go
  --budget USD     the monthly costs that set off an alarm
  --source FILE    a file with the URL of an administrator of the source, who
                   makes the role totesys_extract; or with that role's own URL
  --warehouse FILE the same for the warehouse and totesys_loader
  --yes            applies the plan and asks nothing
  --unlock         removes the lock that a killed run has left on the state`;

const OPTIONS = {
  region: { type: "string" },
  email: { type: "string" },
  budget: { type: "string" },
  source: { type: "string" },
  warehouse: { type: "string" },
  yes: { type: "boolean" },
  unlock: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

const STEPS = 8;
const TOKEN_BYTES = 24;
/** Where services are that have one region only, and all accounts. */
const GLOBAL_REGION = "us-east-1";

const project = projectDirectory();
const environments = join(project, "infra", "environments");

/** What was asked for on the command line. */
interface Options {
  environment: string;
  given: Partial<Record<"region" | "email" | "budget", string>>;
  files: Partial<Record<Database["name"], string>>;
  /** Whether nobody is there to ask. */
  yes: boolean;
  unlock: boolean;
}

/** A warehouse in Amazon RDS, as the output of this name has it. */
interface RdsInstance {
  host: string;
  port: number;
  database: string;
  /** Of the administrator's user and password. */
  secret_id: string;
}

/** Where Terraform keeps the state. */
interface Backend {
  bucket: string;
  key: string;
  region: string;
}

/** Runs `deno task deploy`; returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const options = readOptions(args);
    if (options === undefined) {
      console.log(USAGE);
      return EXIT.ok;
    }
    return await init(options);
  } catch (error) {
    console.error(
      describeError(error, { command: "deploy", json: false }).trimEnd(),
    );
    return exitCode(error);
  }
}

async function init(options: Options): Promise<number> {
  const { environment } = options;
  const account = await checkAccount();
  const region = await writeSettings(options, account);
  const backend = await readBackend(environment);
  await makeStateBucket(backend, account);
  await checkLock(backend, options);

  say(4, "Build the functions: deno task package");
  await succeed(Deno.execPath(), ["task", "package"]);
  say(5, `Plan: deno task infra:plan ${environment}`);
  if (await infra(["plan", environment]) !== EXIT.ok) return EXIT.failed;
  if (!options.yes && !/^y(es)?$/i.test(ask("Apply this plan? (yes or no)"))) {
    console.log("Nothing was applied. Run this again at any time.");
    return EXIT.ok;
  }
  say(6, `Apply: deno task infra:apply ${environment}`);
  if (await infra(["apply", environment]) !== EXIT.ok) return EXIT.failed;

  const outputs = await readOutputs();
  const missing = await fillSecrets(options, {
    region,
    rds: outputs.warehouse as RdsInstance | null | undefined,
  });
  const open = [
    ...missing,
    ...await activateTag(),
    ...await unconfirmed(String(outputs.alarm_topic), region),
  ];
  console.log(
    `\n${environment} is set up; its functions run by their schedule.`,
  );
  for (const [name, url] of Object.entries(outputs.zones ?? {})) {
    console.log(`  ${name}=${url}`);
  }
  if (typeof outputs.dashboard_url === "string") {
    console.log(`  dashboard: ${outputs.dashboard_url}`);
  }
  if (open.length > 0) {
    console.log(`\nStill to do, then run this again:`);
    for (const one of open) console.log(`  - ${one}`);
  }
  return missing.length > 0 ? EXIT.failed : EXIT.ok;
}

function say(step: number, text: string): void {
  console.log(`\n[${step}/${STEPS}] ${text}`);
}

/** Who pays for it, by the credentials at hand. */
async function checkAccount(): Promise<string> {
  say(1, "Look whose account this is: aws sts get-caller-identity");
  const { text, error } = await askAws([
    ...["sts", "get-caller-identity", "--region", GLOBAL_REGION],
  ]);
  if (error !== undefined) {
    throw new StageError(`Cannot use AWS: ${error}`, {
      subject: "AWS",
      hint:
        "Sign in with `aws sso login` or `aws configure`, or set AWS_PROFILE, as an administrator of the account",
    });
  }
  const { Account, Arn } = JSON.parse(text);
  console.log(`account ${Account}, as ${Arn}`);
  try {
    const command = new Deno.Command("terraform", { args: ["version"] });
    await command.output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new ConfigError([
      "There is no Terraform: https://developer.hashicorp.com/terraform/install",
    ]);
  }
  return String(Account);
}

/** Writes the settings that are not there yet; returns the region. */
async function writeSettings(
  options: Options,
  account: string,
): Promise<string> {
  const { environment } = options;
  const path = (kind: string) => join(environments, `${environment}.${kind}`);
  const there = ["tfvars", "tfbackend"].filter((kind) =>
    existsSync(path(kind))
  );
  say(
    2,
    there.length === 2
      ? `Keep the settings in ${path("tfvars")}`
      : `Write the settings: ${path("tfvars")} and .tfbackend`,
  );
  if (!there.includes("tfvars")) {
    const answers = readAnswers(options);
    const text = await Deno.readTextFile(
      join(environments, "staging.tfvars.example"),
    );
    await writeWhole(
      path("tfvars"),
      setValues(text, { ...answers, environment, phone_numbers: [] }),
    );
  }
  const region = valueOf(await Deno.readTextFile(path("tfvars")), "region");
  if (!there.includes("tfbackend")) {
    const bucket = `totesys-terraform-state-${account}`;
    const key = `${environment}.tfstate`;
    await writeWhole(path("tfbackend"), setValues("", { bucket, key, region }));
  }
  return region;
}

/** What the settings need, from flags or the terminal. */
function readAnswers(
  { given, yes }: Options,
): { region: string; emails: string[]; monthly_budget_usd: number } {
  const answer = (name: keyof typeof given, question: string, usual = "") => {
    const value = given[name] ?? (yes ? "" : ask(question, usual));
    if (value === "") problems.push(`--${name} is missing: ${question}`);
    return value;
  };
  const problems: string[] = [];
  const region = answer(
    "region",
    "AWS region",
    Deno.env.get("AWS_REGION") ?? "eu-west-2",
  );
  const emails = answer("email", "E-mail addresses that alarms go to (a,b)");
  const budget = answer(
    "budget",
    "Monthly costs, in US dollars, that set off an alarm",
    "60",
  );
  if (budget !== "" && !(Number(budget) > 0)) {
    problems.push(`--budget is "${budget}": a number above 0 is expected`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    region,
    emails: emails.split(",").map((email) => email.trim()),
    monthly_budget_usd: Number(budget),
  };
}

/** Sets variables in a file of Terraform's settings. */
function setValues(text: string, values: Record<string, unknown>): string {
  return Object.entries(values).reduce((text, [name, value]) => {
    const line = new RegExp(`^(${name} *= ).*$`, "m");
    return line.test(text)
      ? text.replace(line, (_, start) => start + JSON.stringify(value))
      : `${text}${name} = ${JSON.stringify(value)}\n`;
  }, text);
}

function valueOf(text: string, name: string): string {
  const found = new RegExp(`^${name} *= *"([^"]*)"`, "m").exec(text)?.[1];
  if (found !== undefined) return found;
  throw new ConfigError([`infra/environments sets no ${name}`]);
}

/** Writes a file whole or not at all. */
async function writeWhole(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(`${path}.new`, text);
  await Deno.rename(`${path}.new`, path);
}

async function readBackend(environment: string): Promise<Backend> {
  const text = await Deno.readTextFile(
    join(environments, `${environment}.tfbackend`),
  );
  return {
    bucket: valueOf(text, "bucket"),
    key: valueOf(text, "key"),
    region: valueOf(text, "region"),
  };
}

/** The bucket of Terraform's state, where old versions stay. */
async function makeStateBucket(
  { bucket, region }: Backend,
  account: string,
): Promise<void> {
  say(3, `Keep Terraform's state in s3://${bucket}, with its old versions`);
  const inRegion = ["--bucket", bucket, "--region", region];
  const own = [...inRegion, "--expected-bucket-owner", account];
  const { error } = await askAws(["s3api", "head-bucket", ...own]);
  if (error?.includes("404")) {
    console.log(`aws s3api create-bucket --bucket ${bucket}`);
    await aws([
      ...["s3api", "create-bucket", ...inRegion],
      // The only region that must not be named.
      ...(region === "us-east-1" ? [] : [
        "--create-bucket-configuration",
        `LocationConstraint=${region}`,
      ]),
    ]);
  } else if (error !== undefined) {
    throw new StageError(`Cannot use s3://${bucket}: ${error}`, {
      subject: bucket,
      hint:
        "It may be another account's: name another bucket in the .tfbackend",
    });
  }
  await aws([
    ...["s3api", "put-bucket-versioning", ...own],
    ...["--versioning-configuration", "Status=Enabled"],
  ]);
}

/** A run that was killed leaves its lock on the state. */
async function checkLock(
  { bucket, key, region }: Backend,
  { unlock }: Options,
): Promise<void> {
  const lock = `s3://${bucket}/${key}.tflock`;
  const inRegion = ["--region", region];
  const { text, error } = await askAws(["s3", "cp", ...inRegion, lock, "-"]);
  if (error !== undefined) return;
  const { Who, Created, Operation } = JSON.parse(text);
  const by = `${Who} since ${Created} (${Operation})`;
  if (!unlock) {
    throw new StageError(`Terraform's state is locked by ${by}`, {
      subject: lock,
      hint: "Wait for that run; if it was killed, add --unlock",
    });
  }
  console.log(`Remove the lock of ${by}: aws s3 rm ${lock}`);
  await aws(["s3", "rm", ...inRegion, lock]);
}

/** Gives each secret without a value one; returns what is left to do. */
async function fillSecrets(
  options: Options,
  { region, rds }: { region: string; rds: RdsInstance | null | undefined },
): Promise<string[]> {
  say(7, "Make the databases' roles, and give the functions their secrets");
  const idOf = (name: string) => `totesys-${options.environment}/${name}`;
  const put = async (name: string, value: string) => {
    const id = idOf(name);
    await aws([
      ...["secretsmanager", "put-secret-value", "--region", region],
      ...["--secret-id", id, "--secret-string", "file:///dev/stdin"],
    ], value);
    console.log(`${id} has a value now`);
  };
  const open: string[] = [];
  const sql = Deno.env.get("SQL_DIRECTORY")?.trim() || join(project, "sql");
  for (const database of databasesOf(sql, project)) {
    const { name, file, roles } = database;
    const secrets: string[] = [];
    for (const secret of Object.keys(roles)) {
      if (await isEmpty(idOf(secret), region)) secrets.push(secret);
    }
    if (secrets.length === 0) {
      console.log(`The ${name}'s secrets have values`);
      continue;
    }
    try {
      const url =
        rds && name === "warehouse" && options.files[name] === undefined
          ? await adminUrl(rds, region)
          : await readUrl(database, options);
      const values = url === "" ? new Map() : await makeRoles(database, {
        url,
        secrets,
      });
      for (const [secret, value] of values) await put(secret, value);
      if (values.has(secrets[0]) && values.size >= secrets.length) continue;
    } catch (error) {
      console.error(describeError(error, { command: "deploy", json: false }));
    }
    open.push(
      `give ${
        secrets.map(idOf).join(" and ")
      } a value: with --${name} FILE, or, where the database is out of reach from here, by ${file} and aws secretsmanager put-secret-value (docs/deploy.md)`,
    );
  }
  if (await isEmpty(idOf("dashboard"), region)) {
    const token = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)).toHex();
    await put("dashboard", token);
    console.log(
      `aws secretsmanager get-secret-value --secret-id ${
        idOf("dashboard")
      } --query SecretString shows the dashboard's token`,
    );
  }
  return open;
}

/** Whether there is such a secret, and it has no value yet. */
async function isEmpty(id: string, region: string): Promise<boolean> {
  const { text, error } = await askAws([
    ...["secretsmanager", "describe-secret", "--region", region],
    ...["--secret-id", id],
  ]);
  if (error?.includes("ResourceNotFound")) return false;
  if (error !== undefined) throw new Error(`${id}: ${error}`);
  const stages = Object.values(JSON.parse(text).VersionIdsToStages ?? {});
  return !stages.flat().includes("AWSCURRENT");
}

/** The URL of the administrator whose password RDS keeps in a secret. */
async function adminUrl(rds: RdsInstance, region: string): Promise<string> {
  console.log(`Read the administrator's password: ${rds.secret_id}`);
  const answer = await aws([
    ...["secretsmanager", "get-secret-value", "--region", region],
    ...["--secret-id", rds.secret_id],
  ]);
  const { SecretString } = JSON.parse(answer);
  const { host, port, database: dbname } = rds;
  const url = urlOf({ ...JSON.parse(SecretString), host, port, dbname });
  if (url !== undefined) return url;
  throw new Error(`${rds.secret_id} has no username and password`);
}

/** The URL of an administrator, or of the role itself; empty: not now. */
async function readUrl(
  { name, roles }: Database,
  { files, yes }: Options,
): Promise<string> {
  const file = files[name];
  if (file !== undefined) return (await Deno.readTextFile(file)).trim();
  if (yes) return "";
  return askSecret(
    `URL of the ${name}, as an administrator who makes ${
      Object.values(roles).join(" and ")
    } (Enter: later):`,
  );
}

/** The budget counts by a tag, which the account must know as one of costs. */
async function activateTag(): Promise<string[]> {
  say(8, "Let the budget count: activate the cost allocation tag Environment");
  const { text, error } = await askAws([
    ...["ce", "update-cost-allocation-tags-status"],
    ...["--region", GLOBAL_REGION, "--cost-allocation-tags-status"],
    "TagKey=Environment,Status=Active",
  ]);
  const [refusal] = error === undefined
    ? JSON.parse(text || "{}").Errors ?? []
    : [{ Message: error }];
  if (refusal === undefined) return [];
  return [
    `activate the tag Environment (Billing, Cost allocation tags), which AWS offers a day after it was first used, and to the organisation's payer only: ${
      firstLine(refusal.Message)
    }`,
  ];
}

function firstLine(text: unknown): string {
  return String(text).split("\n")[0] ?? "";
}

/** Addresses that get no alarms yet. */
async function unconfirmed(topic: string, region: string): Promise<string[]> {
  const answer = await aws([
    ...["sns", "list-subscriptions-by-topic", "--region", region],
    ...["--topic-arn", topic],
  ]);
  const { Subscriptions } = JSON.parse(answer) as {
    Subscriptions: { SubscriptionArn: string; Endpoint: string }[];
  };
  return Subscriptions
    .filter(({ SubscriptionArn }) => SubscriptionArn === "PendingConfirmation")
    .map(({ Endpoint }) =>
      `follow the link in the mail that AWS has sent to ${Endpoint}`
    );
}

async function succeed(program: string, args: string[]): Promise<void> {
  const { success } = await new Deno.Command(program, { args, cwd: project })
    .spawn().status;
  if (!success) throw new Error(`${args.join(" ")} failed`);
}

function readOptions(args: readonly string[]): Options | undefined {
  const { values, positionals } = parse(args);
  if (values.help === true) return undefined;
  const [action, environment = "staging", ...others] = positionals;
  if (
    action !== "init" || others.length > 0 ||
    !/^[a-z][a-z0-9]{1,15}$/.test(environment)
  ) {
    throw new ConfigError([USAGE]);
  }
  const { region, email, budget, source, warehouse, yes, unlock } = values;
  if (yes !== true && !Deno.stdin.isTerminal()) {
    throw new ConfigError(["Without a terminal to ask on, add --yes"]);
  }
  return {
    environment,
    given: present({ region, email, budget }),
    files: present({ source, warehouse }),
    yes: yes === true,
    unlock: unlock === true,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: OPTIONS,
      strict: true,
      allowPositionals: true,
    });
  } catch (error) {
    throw new ConfigError([(error as Error).message, USAGE]);
  }
}

/** Without what is undefined. */
function present<Name extends string>(
  values: Record<Name, string | undefined>,
): Partial<Record<Name, string>> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Partial<Record<Name, string>>;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
