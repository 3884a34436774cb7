/**
 * `./totesys infra:plan` and `infra:apply`: Terraform for one environment. A
 * plan is saved, and only a saved plan is applied.
 */
import { fileURLToPath } from "node:url";
import { ConfigError, EXIT, exitCode, messageOf } from "../lib/errors.ts";

const USAGE = `./totesys infra:plan ENVIRONMENT
./totesys infra:apply ENVIRONMENT

Plans or applies infra/ for an environment, whose settings are in
infra/environments/ENVIRONMENT.tfvars and ENVIRONMENT.tfbackend. An apply uses
the plan saved last, and no other.`;

/** Buckets that are never destroyed. */
const HISTORY = /^aws_s3_bucket\.(ingestion|replica\[.*\])$/;

/** What `./totesys package` has built last, with the hash of each file. */
const PACKAGE = "../dist/package.json";

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
    const packed = `${environment}.tfplan.package`;
    if (action === "apply") {
      await mustExist(plan, `./totesys infra:plan ${environment} makes it`);
      await checkPackage(packed, environment);
      await terraform("apply", "-input=false", plan);
      await Deno.remove(`${folder}${plan}`);
      await Deno.remove(`${folder}${packed}`);
      return EXIT.ok;
    }
    const settings = `environments/${environment}`;
    for (const file of [`${settings}.tfvars`, `${settings}.tfbackend`]) {
      await mustExist(file, `copy ${file}.example and fill it in`);
    }
    await mustExist(PACKAGE, "./totesys package makes it");
    await terraform(
      "init",
      "-input=false",
      "-reconfigure",
      `-backend-config=${settings}.tfbackend`,
    );
    await keepHistory();
    await terraform(
      "plan",
      "-input=false",
      `-var-file=${settings}.tfvars`,
      `-out=${plan}`,
    );
    await Deno.copyFile(`${folder}${PACKAGE}`, `${folder}${packed}`);
    console.log(`./totesys infra:apply ${environment} applies this plan`);
    return EXIT.ok;
  } catch (error) {
    console.error(messageOf(error));
    return exitCode(error);
  }
}

/**
 * A plan names the package's hashes, but an apply uploads the files that are
 * there by then: they must be the ones that were planned.
 */
async function checkPackage(
  planned: string,
  environment: string,
): Promise<void> {
  const again = `./totesys infra:plan ${environment} plans with the new one`;
  await mustExist(planned, again);
  await mustExist(PACKAGE, "./totesys package makes it");
  const text = await Deno.readTextFile(`${folder}${planned}`);
  const { parts } = JSON.parse(text) as {
    parts: Record<string, { file: string; sha256: string }>;
  };
  for (const { file, sha256 } of Object.values(parts)) {
    await mustExist(`../dist/${file}`, "./totesys package makes it");
    const bytes = await Deno.readFile(`${folder}../dist/${file}`);
    const hash = await crypto.subtle.digest("SHA-256", bytes);
    if (new Uint8Array(hash).toHex() === sha256) continue;
    throw new ConfigError([
      `dist/${file} is not the one that was planned with: ${again}`,
    ]);
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
async function keepHistory(): Promise<void> {
  const run = async (...args: string[]) => {
    const command = new Deno.Command("terraform", {
      args,
      cwd: folder,
      stderr: "null",
    });
    return new TextDecoder().decode((await command.output()).stdout);
  };
  // Without a state there is nothing to list.
  for (const address of (await run("state", "list")).split("\n")) {
    if (!HISTORY.test(address)) continue;
    await run("untaint", "-allow-missing", address);
  }
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
