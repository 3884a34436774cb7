import { existsSync } from "node:fs";
import { join } from "node:path";
import { ask } from "../../lib/cli/ask.ts";
import { ConfigError } from "../../lib/errors.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { type Options, say } from "./options.ts";

const environments = join(platformDirectory(), "infra", "environments");

/** Where Terraform keeps the state. */
export interface Backend {
  bucket: string;
  key: string;
  region: string;
}

/** Writes the settings that are not there yet; returns the region. */
export async function writeSettings(
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

/** Reads where Terraform keeps the state of an environment. */
export async function readBackend(environment: string): Promise<Backend> {
  const text = await Deno.readTextFile(
    join(environments, `${environment}.tfbackend`),
  );
  return {
    bucket: valueOf(text, "bucket"),
    key: valueOf(text, "key"),
    region: valueOf(text, "region"),
  };
}
