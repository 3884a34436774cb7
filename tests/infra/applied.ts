import assert from "node:assert/strict";
import { manifestKey } from "../../lib/batches/batch_log.ts";
import { FUNCTIONS } from "../../package/functions.ts";
import { type Answer, type Moto, valuesOf } from "./moto.ts";

const NAME = "totesys-testing";
const ACCOUNT = "123456789012";
const ZONES = ["ingestion", "processed"] as const;
const [LAMBDA, SCHEDULER] = ["lambda", "scheduler"];

/** The settings that name a secret, by function: what its `needs` come to. */
const SECRETS: Record<string, string[]> = {
  extract: ["SOURCE_SECRET_ID"],
  transform: [],
  load: ["WAREHOUSE_SECRET_ID"],
  verify: ["SOURCE_SECRET_ID", "WAREHOUSE_SECRET_ID"],
  sweep: [],
  dashboard: ["ANALYST_SECRET_ID", "DASHBOARD_SECRET_ID"],
};

/** The calls that each function makes to the zones' objects. */
const CALLS: Record<string, Partial<Record<typeof ZONES[number], string[]>>> = {
  extract: { ingestion: ["GetObject", "PutObject", "AbortMultipartUpload"] },
  transform: {
    ingestion: ["GetObject"],
    processed: [
      ...["GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload"],
    ],
  },
  load: { processed: ["GetObject"] },
  sweep: { processed: ["GetObject", "DeleteObject", "AbortMultipartUpload"] },
};

/**
 * Compares what was applied with what the code needs; returns the hashes of the
 * functions' code.
 */
export async function checkApplied(
  moto: Moto,
  { options }: { options: boolean },
): Promise<Record<string, string>> {
  const names = Object.keys(FUNCTIONS)
    .filter((name) => options || name !== "dashboard");
  const hashes: Record<string, string> = {};
  for (const name of names) {
    hashes[name] = await checkFunction(moto, name, options);
  }
  await checkRights(moto);
  await checkTriggers(moto, names);
  await checkAlarms(moto);
  for (const zone of ZONES) {
    const versions = await moto.get("s3", `/${bucket(zone)}?versioning`);
    assert.match(versions, /<Status>Enabled/, zone);
    const policy = await moto.get("s3", `/${bucket(zone)}?policy`);
    assert.match(policy, /aws:SecureTransport/, zone);
  }
  const functions = await moto.getJson(LAMBDA, "/2015-03-31/functions/");
  assert.equal(listOf(functions.Functions).length, names.length);
  const roles = await rolesOf(moto);
  assert.equal(roles.includes(`${NAME}-github`), options);
  assert.equal(roles.includes(`${NAME}-replication`), options);
  if (options) {
    const trust = await moto.query("iam", "2010-05-08", {
      Action: "GetRole",
      RoleName: `${NAME}-github`,
    });
    assert.match(
      decodeURIComponent(trust),
      /"repo:owner@1\/name@2:environment:testing"/,
    );
  }
  return hashes;
}

/** Checks that nothing is left. */
export async function checkDestroyed(moto: Moto): Promise<void> {
  const functions = await moto.getJson(LAMBDA, "/2015-03-31/functions/");
  assert.deepEqual(functions.Functions, []);
  assert.deepEqual(valuesOf(await moto.get("s3", "/"), "Name"), []);
  assert.deepEqual(await rolesOf(moto), []);
  assert.deepEqual(await alarmsOf(moto), []);
}

/** The values of an environment's secrets, by their last names. */
export async function secretsOf(
  moto: Moto,
  prefix: string,
): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  const found = await moto.call(
    "secretsmanager",
    "secretsmanager.ListSecrets",
    {},
  );
  for (const { Name } of listOf(found.SecretList)) {
    const [first, last = ""] = String(Name).split("/");
    if (first !== prefix) continue;
    const { SecretString } = await moto.call(
      "secretsmanager",
      "secretsmanager.GetSecretValue",
      { SecretId: String(Name) },
    );
    values[last] = String(SecretString);
  }
  return values;
}

async function checkFunction(
  moto: Moto,
  name: string,
  options: boolean,
): Promise<string> {
  const { Configuration } = await moto.getJson(
    LAMBDA,
    `/2015-03-31/functions/${NAME}-${name}`,
  );
  const configuration = objectOf(Configuration);
  const layers = listOf(configuration.Layers)
    .map(({ Arn }) => String(Arn).split(":").at(-2));
  const variables = objectOf(objectOf(configuration.Environment).Variables);

  assert.equal(configuration.Handler, name);
  assert.equal(configuration.Runtime, "provided.al2023");
  assert.deepEqual(
    layers,
    FUNCTIONS[name]?.usesDuckDb === true
      ? [`${NAME}-deno`, `${NAME}-duckdb`]
      : [`${NAME}-deno`],
    name,
  );
  assert.deepEqual(
    Object.keys(variables).sort(),
    [
      ...["INGESTION_URL", "METRICS_NAMESPACE", "PROCESSED_URL"],
      ...SECRETS[name] ?? [],
    ].sort(),
  );
  assert.equal(variables.INGESTION_URL, `s3://${bucket("ingestion")}`);
  const subnets = listOf(objectOf(configuration.VpcConfig ?? {}).SubnetIds);
  assert.equal(subnets.length > 0, options, `${name} is in the network`);
  return String(configuration.CodeSha256);
}

/** The functions' rights are the calls that they make, and no others. */
async function checkRights(moto: Moto): Promise<void> {
  for (const [name, zones] of Object.entries(CALLS)) {
    const answer = await moto.query("iam", "2010-05-08", {
      Action: "GetRolePolicy",
      RoleName: `${NAME}-${name}`,
      PolicyName: "this",
    });
    const [text = ""] = valuesOf(answer, "PolicyDocument");
    const { Statement } = JSON.parse(decodeURIComponent(text)) as Answer;
    for (const zone of ZONES) {
      const granted = listOf(Statement)
        .filter(({ Resource }) => Resource === `arn:aws:s3:::${bucket(zone)}/*`)
        .flatMap(({ Action }) => [Action].flat().map(String)).sort();
      const needed = (zones[zone] ?? []).map((call) => `s3:${call}`).sort();
      assert.deepEqual(granted, needed, `${name} in ${zone}`);
    }
  }
}

async function checkTriggers(moto: Moto, names: string[]): Promise<void> {
  for (const name of names.filter((one) => one !== "dashboard")) {
    const schedule = await moto.getJson(
      SCHEDULER,
      `/schedules/${NAME}-${name}?groupName=${NAME}`,
    );
    assert.equal(schedule.State, "ENABLED");
    assert.match(String(objectOf(schedule.Target).Arn), arnOf(name));
  }
  for (const [name, zone] of [["transform", 0], ["load", 1]] as const) {
    const rule = await moto.call("events", "AWSEvents.DescribeRule", {
      Name: `${NAME}-${name}`,
    });
    const { detail } = JSON.parse(String(rule.EventPattern));
    assert.deepEqual(detail.bucket.name, [bucket(ZONES[zone])]);
    const [{ wildcard }] = detail.object.key;
    const pattern = new RegExp(
      `^${wildcard.replaceAll(".", "\\.").replaceAll("*", ".*")}$`,
    );
    assert.match(manifestKey(1), pattern);
    assert.doesNotMatch("_batches/latest", pattern);
    const targets = await moto.call("events", "AWSEvents.ListTargetsByRule", {
      Rule: `${NAME}-${name}`,
    });
    const [target] = listOf(targets.Targets);
    assert.match(String(target?.Arn), arnOf(name));
    const { Policy } = await moto.getJson(
      LAMBDA,
      `/2015-03-31/functions/${NAME}-${name}/policy`,
    );
    assert.match(String(Policy), new RegExp(`rule/${NAME}-${name}`));
  }
}

async function checkAlarms(moto: Moto): Promise<void> {
  const alarms = await alarmsOf(moto);
  assert.notDeepEqual(alarms, []);
  for (const alarm of alarms) {
    assert.match(
      alarm,
      /arn:aws:sns:[^<]*-alarms/,
      "an alarm notifies the topic",
    );
  }
}

async function alarmsOf(moto: Moto): Promise<string[]> {
  const answer = await moto.query("monitoring", "2010-08-01", {
    Action: "DescribeAlarms",
  });
  return answer.split("<AlarmName>").slice(1);
}

async function rolesOf(moto: Moto): Promise<string[]> {
  const answer = await moto.query("iam", "2010-05-08", { Action: "ListRoles" });
  return valuesOf(answer, "RoleName").filter((name) => name.startsWith(NAME));
}

function bucket(name: string): string {
  return `${NAME}-${name}-${ACCOUNT}`;
}

function arnOf(name: string): RegExp {
  return new RegExp(`:function:${NAME}-${name}$`);
}

function objectOf(value: Answer[string]): Answer {
  assert(typeof value === "object" && !Array.isArray(value));
  return value;
}

function listOf(value: Answer[string]): Answer[] {
  return Array.isArray(value) ? value : [];
}
