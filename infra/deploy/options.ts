import { parseArgs } from "node:util";
import { ConfigError } from "../../lib/errors.ts";
import type { Database } from "./make_roles.ts";

/** What `./totesys deploy` takes. */
export const USAGE = `./totesys deploy init [ENVIRONMENT] [flags]

Sets up an environment (default: staging) on AWS: the bucket of Terraform's
state, the settings, the package, plan and apply, the databases' roles and their
secrets, the budget's tag. It says what it does, applies only what you agree to,
and can be run again after any failure: what is done stays as it is.

  --region R       the AWS region, such as eu-west-2
  --email A,B      where alarms go
  --budget USD     the monthly costs that set off an alarm
  --source FILE    a file with the URL of an administrator of the source, who
                   makes the role that grants.sql in the folder of SQL creates
                   (totesys_extract); or with that role's own URL
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

/** What was asked for on the command line. */
export interface Options {
  environment: string;
  given: Partial<Record<"region" | "email" | "budget", string>>;
  files: Partial<Record<Database["name"], string>>;
  /** Whether nobody is there to ask. */
  yes: boolean;
  unlock: boolean;
}

/** Reads the command line; undefined if help is asked for. Throws a `ConfigError`. */
export function readOptions(args: readonly string[]): Options | undefined {
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

/** Says which step of `deploy init` begins. */
export function say(step: number, text: string): void {
  console.log(`\n[${step}/${STEPS}] ${text}`);
}
