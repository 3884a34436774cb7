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

/** Buckets that are never destroyed. */
const HISTORY = ["aws_s3_bucket.ingestion", "aws_s3_bucket.replica[0]"];

/** At Ctrl-C, `deno task` passes on what the terminal has sent already. */
const SECOND_ASK_AFTER_MS = 1000;

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
    for (const bucket of HISTORY) await keep(bucket);
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

/**
 * An apply that is stopped while it makes a bucket leaves it tainted. Terraform
 * would replace it, and refuses to, as it must not be destroyed: the next apply
 * completes it. For all others this does nothing.
 */
async function keep(bucket: string): Promise<void> {
  await new Deno.Command("terraform", {
    args: ["untaint", "-allow-missing", bucket],
    cwd: folder,
    stdout: "null",
    stderr: "null",
  }).output();
}

/**
 * Runs Terraform. An apply is finished even if it is asked to stop, unless it
 * is asked again: cut off, it would not know what it had just begun to make,
 * and the next one would find it in its way.
 */
async function terraform(...args: string[]): Promise<void> {
  const isApply = args[0] === "apply";
  const child = new Deno.Command("terraform", {
    args,
    cwd: folder,
    // Out of the terminal's reach, which would ask it itself.
    detached: isApply,
  }).spawn();
  let askedMs: number | undefined;
  const ask = (signal: Deno.Signal) => {
    const isFirst = askedMs === undefined;
    askedMs ??= performance.now();
    if (!isApply) {
      // The terminal's own signal has reached it.
      if (signal !== "SIGINT") child.kill(signal);
    } else if (isFirst) {
      console.error("Terraform finishes this first; ask again to stop at once");
    } else if (performance.now() - askedMs > SECOND_ASK_AFTER_MS) {
      child.kill("SIGTERM");
    }
  };
  const [onInterrupt, onTerminate] = [
    () => ask("SIGINT"),
    () => ask("SIGTERM"),
  ];
  Deno.addSignalListener("SIGINT", onInterrupt);
  Deno.addSignalListener("SIGTERM", onTerminate);
  try {
    const { code } = await child.status;
    if (code !== 0) {
      throw new Error(`terraform ${args[0]} failed with exit code ${code}`);
    }
    if (askedMs !== undefined) throw new Error("Stopped as asked");
  } finally {
    Deno.removeSignalListener("SIGINT", onInterrupt);
    Deno.removeSignalListener("SIGTERM", onTerminate);
  }
}

/** The outputs of what was applied last. */
export async function readOutputs(): Promise<Record<string, unknown>> {
  const { success, stdout, stderr } = await new Deno.Command("terraform", {
    args: ["output", "-json"],
    cwd: folder,
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const outputs = JSON.parse(new TextDecoder().decode(stdout)) as Record<
    string,
    { value: unknown }
  >;
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { value }]) => [name, value]),
  );
}

if (import.meta.main) Deno.exit(await main(Deno.args));
