import assert from "node:assert/strict";
import { join } from "node:path";
import { zipEntries } from "../../package/zip_entries.ts";
import { FUNCTIONS } from "../../package/functions.ts";
import { checkApplied, checkDestroyed } from "./applied.ts";
import { checkOptions, type Options } from "./applied_options.ts";
import type { Moto } from "./moto.ts";
import type { Terraform } from "./terraform.ts";
import { REGION } from "./tried_environment.ts";

const SETTINGS = {
  environment: "testing",
  region: REGION,
  package_dir: "dist",
  emails: ["team@example.com"],
  phone_numbers: ["+447700900000"],
  monthly_budget_usd: 50,
};

/** A value of each option, but for the network, which moto has. */
const dashboard = true;
const replica_region = "eu-west-1";
const github = {
  repository: "owner/name",
  owner_id: 1,
  repository_id: 2,
  state_bucket: "state",
  create_provider: true,
};
const warehouse = {
  instance_class: "db.t4g.micro",
  storage_gb: 20,
  storage_gb_max: 100,
  multi_az: false,
  reader_cidrs: ["172.31.0.0/20"],
  deletion_protection: false,
};
const athena = {
  batch_bytes_min: 10_000_000_000,
  query_bytes_max: 1_000_000_000_000,
};
const glue = true;
const rest_catalogue = {
  url: "https://catalogue.example.com",
  namespace: "totesys",
  cidrs: ["10.9.0.0/16"],
};
/**
 * Applies the settings from nothing, with new code and all options, without
 * them, compares what is there each time with what the code needs, and destroys
 * it. With `alone` each option is turned on by itself before, and turned off by
 * the apply that turns on the next.
 */
export async function tryOptions(
  terraform: Terraform,
  moto: Moto,
  { alone }: { alone: boolean },
): Promise<void> {
  const dist = join(terraform.folder, "dist");
  const vpc = {
    ...await moto.network(),
    cidrs: ["172.31.0.0/16"],
    database_cidrs: ["172.31.0.0/16"],
  };
  let said = "";
  const apply = async (options: Options) => {
    const names = Object.keys(options).join(", ") || "no option";
    console.log(`-- ${names}`);
    said = await terraform.apply({ ...SETTINGS, ...options });
    const hashes = await checkApplied(moto, options);
    await checkOptions(moto, options);
    return hashes;
  };

  await writePackage(dist, "one");
  const first = await apply({});
  await writePackage(dist, "two");
  if (alone) {
    await apply({ dashboard });
    await apply({ replica_region });
    await apply({ vpc });
    await apply({ vpc, warehouse });
    await apply({ github });
    await apply({ athena });
    await apply({ glue });
    await apply({ vpc, rest_catalogue });
  }
  const second = await apply({
    ...{ dashboard, replica_region, vpc, warehouse, github, athena, glue },
  });
  for (const [name, hash] of Object.entries(first)) {
    assert.notEqual(second[name], hash, `${name} has new code`);
  }
  assert.deepEqual(Object.keys(await apply({})), Object.keys(first));
  assertNetworkLeft(said);
  await terraform.run(["destroy", "-input=false", "-auto-approve"]);
  await checkDestroyed(moto);
}

/**
 * Checks the order in which functions leave a network: moto lets a group go that
 * they are in, and AWS does not.
 */
function assertNetworkLeft(said: string): void {
  const lines = said.split("\n");
  const last = (what: RegExp) => lines.findLastIndex((one) => what.test(one));
  const steps = [
    last(/\.aws_lambda_function\.this: Modifications complete/),
    last(/aws_security_group\.functions.*: Destroying/),
    last(/aws_security_group\.functions.*: Destruction complete/),
    lines.findIndex((one) =>
      /aws_iam_role_policy\.network.*: Destroying/.test(one)
    ),
  ];
  assert.ok(!steps.includes(-1), said);
  assert.deepEqual(steps, steps.toSorted((a, b) => a - b), said);
}

/** Writes a package whose functions are these words, as `./totesys package` would. */
export async function writePackage(
  folder: string,
  word: string,
): Promise<void> {
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
