import assert from "node:assert/strict";
import { manifestKey } from "../../lib/batches/batch_log.ts";
import { stageMetrics } from "../../lib/lambda/stage_metrics.ts";
import { FUNCTIONS } from "../../package/functions.ts";
import type { Options } from "./applied_options.ts";
import {
  checkRights,
  registersTables,
  secretSettings,
  showsInGlue,
  usesAthena,
} from "./applied_rights.ts";
import { ZONES } from "./called_rights.ts";
import { bucket, LAKE_DATABASE, NAME } from "./tried_environment.ts";
import { listOf, type Moto, objectOf, valuesOf } from "./moto.ts";

const [LAMBDA, SCHEDULER] = ["lambda", "scheduler"];
/** Of Lambda, of verify, and of S3's replication. */
const OTHER_METRICS = [
  ...["Errors", "Throttles", "Duration"],
  "Differences",
  "OperationsFailedReplication",
];

/** The settings that let transform use Athena. */
const ATHENA_SETTINGS = [
  ...["ATHENA_DATABASE", "ATHENA_WORKGROUP"],
  ...["TRANSFORM_ENGINE", "TRANSFORM_ENGINE_BYTES_MIN"],
];

/** The settings that let transform show the lake's tables in Glue. */
const GLUE_SETTINGS = ["ICEBERG_CATALOGUE", "ICEBERG_DATABASE"];

/** The settings that let transform register them in a REST catalogue. */
const REST_SETTINGS = [...GLUE_SETTINGS, "ICEBERG_REST_URL"];

/**
 * Compares what was applied with what the code needs; returns the hashes of the
 * functions' code.
 */
export async function checkApplied(
  moto: Moto,
  options: Options,
): Promise<Record<string, string>> {
  const names = Object.keys(FUNCTIONS)
    .filter((name) => options.dashboard === true || name !== "dashboard");
  const hashes: Record<string, string> = {};
  for (const name of names) {
    hashes[name] = await checkFunction(moto, name, options);
  }
  await checkRights(moto, names, options);
  await checkTriggers(moto, names);
  await checkAlarms(moto);
  for (const zone of ZONES) await checkBucket(moto, zone);
  const functions = await moto.getJson(LAMBDA, "/2015-03-31/functions/");
  assert.equal(listOf(functions.Functions).length, names.length);
  return hashes;
}

/** Checks that nothing is left. */
export async function checkDestroyed(moto: Moto): Promise<void> {
  const functions = await moto.getJson(LAMBDA, "/2015-03-31/functions/");
  assert.deepEqual(functions.Functions, []);
  assert.deepEqual(valuesOf(await moto.get("s3", "/"), "Name"), []);
  assert.deepEqual(await rolesOf(moto), []);
  const instances = await moto.query("rds", "2014-10-31", {
    Action: "DescribeDBInstances",
  });
  assert.deepEqual(valuesOf(instances, "DBInstanceIdentifier"), []);
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
  options: Options,
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
      ...secretSettings(name, options),
      ...usesAthena(name, options) ? ATHENA_SETTINGS : [],
      ...showsInGlue(name, options) ? GLUE_SETTINGS : [],
      ...registersTables(name, options) ? REST_SETTINGS : [],
    ].sort(),
  );
  const namespace = registersTables(name, options)
    ? options.rest_catalogue?.namespace
    : undefined;
  assert.equal(
    variables.ICEBERG_DATABASE,
    showsInGlue(name, options) ? LAKE_DATABASE : namespace,
  );
  assert.equal(variables.INGESTION_URL, `s3://${bucket("ingestion")}`);
  assert.match(String(configuration.Role), new RegExp(`role/${NAME}-${name}$`));
  assert.deepEqual(configuration.Architectures, ["x86_64"]);
  const subnets = listOf(objectOf(configuration.VpcConfig ?? {}).SubnetIds);
  assert.equal(
    subnets.length > 0,
    options.vpc !== undefined,
    `${name} is in the network`,
  );
  return String(configuration.CodeSha256);
}

/** A bucket is private, keeps versions, and lets nothing current expire. */
async function checkBucket(
  moto: Moto,
  zone: typeof ZONES[number],
): Promise<void> {
  const read = (what: string) => moto.get("s3", `/${bucket(zone)}?${what}`);
  assert.match(await read("versioning"), /<Status>Enabled/, zone);
  assert.match(await read("policy"), /aws:SecureTransport/, zone);
  const blocks = await read("publicAccessBlock");
  assert.equal(blocks.match(/>true</g)?.length, 4, zone);
  const lifecycle = await read("lifecycle");
  assert.doesNotMatch(lifecycle, /<Expiration><Days>/, zone);
  assert.match(lifecycle, /<NoncurrentDays>/, zone);
  assert.match(lifecycle, /<DaysAfterInitiation>/, zone);
  if (zone !== "ingestion") return;
  assert.match(await read("object-lock"), /<Mode>GOVERNANCE<[^]*<Days>30</);
  assert.match(await read("policy"), /NothingIsRemoved/);
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

/** Each alarm notifies the topic, and is about a metric that exists. */
async function checkAlarms(moto: Moto): Promise<void> {
  const alarms = await alarmsOf(moto);
  assert.notDeepEqual(alarms, []);
  for (const alarm of alarms) {
    assert.match(alarm, /arn:aws:sns:[^<]*-alarms/);
    const metrics = valuesOf(alarm, "MetricName");
    assert.ok(metrics.length > 0 && metrics.every(isKnown), `${metrics}`);
  }
  const people = await moto.query("sns", "2010-03-31", {
    Action: "ListSubscriptions",
  });
  assert.deepEqual(valuesOf(people, "Endpoint").sort(), [
    "+447700900000",
    "team@example.com",
  ]);
}

/** Whether the code or AWS reports a metric of this name. */
function isKnown(metric: string): boolean {
  const now = new Date();
  const reported = ["transform", "load"].flatMap((stage) =>
    stageMetrics(
      {
        stage,
        batches: [],
        rows: 0,
        bytes: 0,
        snapshotTime: now.toISOString(),
      } as unknown as Parameters<typeof stageMetrics>[0],
      now,
    )
  );
  return reported.some(({ name }) => name === metric) ||
    OTHER_METRICS.includes(metric);
}

async function alarmsOf(moto: Moto): Promise<string[]> {
  const answer = await moto.query("monitoring", "2010-08-01", {
    Action: "DescribeAlarms",
  });
  return answer.split("<AlarmName>").slice(1);
}

/** The names of the environment's roles. */
export async function rolesOf(moto: Moto, prefix = NAME): Promise<string[]> {
  const answer = await moto.query("iam", "2010-05-08", { Action: "ListRoles" });
  return valuesOf(answer, "RoleName").filter((name) => name.startsWith(prefix));
}

function arnOf(name: string): RegExp {
  return new RegExp(`:function:${NAME}-${name}$`);
}
