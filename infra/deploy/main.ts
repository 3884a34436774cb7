/**
 * `./totesys deploy init`: from AWS credentials to a running platform. Each
 * step says what it does, and leaves what is done already as it is.
 */
import { join } from "node:path";
import { ask } from "../../lib/cli/ask.ts";
import { describeError } from "../../lib/describe_error.ts";
import { ConfigError, EXIT, exitCode, StageError } from "../../lib/errors.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { askAws, aws } from "./aws_cli.ts";
import { type Options, readOptions, say, USAGE } from "./options.ts";
import { fillSecrets, type RdsInstance } from "./fill_secrets.ts";
import { readBackend, writeSettings } from "./write_settings.ts";
import { checkLock, makeStateBucket } from "./state_bucket.ts";
import { main as infra, readOutputs } from "../main.ts";

/** Where services are that have one region only, and all accounts. */
const GLOBAL_REGION = "us-east-1";

/** Runs `./totesys deploy`; returns the exit code. */
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

  say(4, "Build the functions: ./totesys package");
  await succeed(Deno.execPath(), ["task", "package", ...builtFor()]);
  say(5, `Plan: ./totesys infra:plan ${environment}`);
  if (await infra(["plan", environment]) !== EXIT.ok) return EXIT.failed;
  if (!options.yes && !/^y(es)?$/i.test(ask("Apply this plan? (yes or no)"))) {
    console.log("Nothing was applied. Run this again at any time.");
    return EXIT.ok;
  }
  say(6, `Apply: ./totesys infra:apply ${environment}`);
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

/** The flag for the processors that the functions were built for before. */
function builtFor(): string[] {
  const built = join(platformDirectory(), "dist", "package.json");
  try {
    const { architecture } = JSON.parse(Deno.readTextFileSync(built));
    return ["--architecture", String(architecture)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** The account that pays, by the credentials at hand. */
async function checkAccount(): Promise<string> {
  say(1, "Look whose account this is: aws sts get-caller-identity");
  await refuseLogin();
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

/**
 * Terraform reads no sign-in of `aws login`:
 * https://github.com/hashicorp/terraform-provider-aws/issues/45316
 */
async function refuseLogin(): Promise<void> {
  if ((Deno.env.get("AWS_ACCESS_KEY_ID") ?? "") !== "") return;
  const { error } = await askAws(["configure", "get", "login_session"]);
  if (error !== undefined) return;
  throw new StageError("Terraform can't use a sign-in by `aws login`", {
    subject: "AWS",
    hint:
      "Set AWS_PROFILE to a profile whose credential_process asks the AWS CLI for it (docs/deploy.md)",
  });
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
  const { success } = await new Deno.Command(program, {
    args,
    cwd: platformDirectory(),
  })
    .spawn().status;
  if (!success) throw new Error(`${args.join(" ")} failed`);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
