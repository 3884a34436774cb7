import assert from "node:assert/strict";
import { join } from "node:path";
import { fetchHttpfs } from "../../lib/duckdb/httpfs.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { type Moto, valuesOf } from "./moto.ts";

const NAME = "totesys-staging";
const ACCOUNT = "123456789012";
const ZONES = ["ingestion", "processed"] as const;

/** The tasks that do what the functions do, each with its role. */
const TASKS = [
  ["extract", "extract"],
  ["transform", "transform"],
  ["load", "load"],
  ["sweep", "sweep", "processed"],
] as const;

/**
 * Runs each stage with the rights of its function's role: moto then judges
 * every call by the role's policy, as AWS does. The stages must pass with their
 * own role, and fail with a role that may do less.
 */
export async function tryRights(
  moto: Moto,
  options: {
    env: Record<string, string>;
    secrets: Record<string, string>;
  },
): Promise<void> {
  const zones = ZONES.map((zone) => `${NAME}-${zone}-${ACCOUNT}`);
  // moto takes a condition that does not hold for a refusal.
  for (const zone of zones) await moto.remove("s3", `/${zone}?policy`);
  const roles = new Map<string, Record<string, string>>();
  for (const [role] of TASKS) {
    roles.set(role, await assume(moto, `${NAME}-${role}`));
  }
  const env = {
    ...options.env,
    SOURCE_URL: options.secrets.source ?? "",
    WAREHOUSE_URL: options.secrets.warehouse ?? "",
    INGESTION_URL: `s3://${zones[0]}`,
    PROCESSED_URL: `s3://${zones[1]}`,
    AWS_REGION: "eu-west-2",
    DUCKDB_EXTENSION_DIRECTORY: join(platformDirectory(), ".duckdb"),
  };
  const run = async (role: string, task: readonly string[]) => {
    const { success, stdout, stderr } = await new Deno.Command(
      Deno.execPath(),
      {
        args: ["task", "--quiet", ...task],
        cwd: platformDirectory(),
        env: { ...env, ...roles.get(role) },
      },
    ).output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const text = decode(stdout) + decode(stderr);
    console.log(
      `${task.join(" ")} as ${role}: ${success ? "passed" : "failed"}`,
    );
    return { success, text };
  };

  await fetchHttpfs(env.DUCKDB_EXTENSION_DIRECTORY);
  await moto.enforceRights();

  // A second round reads, replaces and merges what the first has made.
  for (const [role, ...task] of [...TASKS, ...TASKS]) {
    const { success, text } = await run(role, task);
    assert.ok(success, `${role}: ${text}`);
  }
  for (
    const [role, task] of [
      ["load", "transform"],
      ["transform", "extract"],
      ["extract", "load"],
    ] as const
  ) {
    const { success, text } = await run(role, [task]);
    assert.ok(!success, `${task} as ${role}: ${text}`);
    assert.match(text, /denied|403|Forbidden/i);
  }
}

/** Credentials of a role, as a function has them. */
async function assume(
  moto: Moto,
  role: string,
): Promise<Record<string, string>> {
  const answer = await moto.query("sts", "2011-06-15", {
    Action: "AssumeRole",
    RoleArn: `arn:aws:iam::${ACCOUNT}:role/${role}`,
    RoleSessionName: "trial",
  });
  const valueOf = (name: string) => valuesOf(answer, name)[0] ?? "";
  return {
    AWS_ACCESS_KEY_ID: valueOf("AccessKeyId"),
    AWS_SECRET_ACCESS_KEY: valueOf("SecretAccessKey"),
    AWS_SESSION_TOKEN: valueOf("SessionToken"),
  };
}
