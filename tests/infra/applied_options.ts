import assert from "node:assert/strict";
import { rolesOf } from "./applied.ts";
import { rolePolicy } from "./applied_rights.ts";
import { listOf, type Moto, valuesOf } from "./moto.ts";
import { bucket, LAKE_DATABASE, NAME } from "./tried_environment.ts";

/** The options of `infra/`, as they are set; the others are off. */
export interface Options {
  dashboard?: true;
  replica_region?: string;
  vpc?: Record<string, unknown>;
  github?: Record<string, unknown>;
  warehouse?: Record<string, unknown>;
  athena?: { batch_bytes_min: number; query_bytes_max: number };
  glue?: true;
  rest_catalogue?: { url: string; namespace: string; cidrs?: string[] };
}

/** Checks that what belongs to an option is there if it is on, and only then. */
export async function checkOptions(
  moto: Moto,
  options: Options,
): Promise<void> {
  await checkDashboard(moto, options.dashboard === true);
  await checkReplica(moto, options.replica_region !== undefined);
  await checkNetwork(moto, options.vpc !== undefined);
  await checkGithub(moto, options.github !== undefined);
  await checkWarehouse(moto, options.warehouse !== undefined);
  await checkAthena(moto, options);
  await checkGlue(moto, options);
  await checkRestCatalogue(moto, options);
}

async function checkDashboard(moto: Moto, isOn: boolean): Promise<void> {
  const found = await moto.call(
    "secretsmanager",
    "secretsmanager.ListSecrets",
    {},
  );
  const names = listOf(found.SecretList).map(({ Name }) => String(Name))
    .filter((name) => name.startsWith(`${NAME}/`));
  assert.equal(names.includes(`${NAME}/dashboard`), isOn);
  assert.equal(names.includes(`${NAME}/analyst`), isOn);
  if (!isOn) return;
  const path = `/functions/${NAME}-dashboard`;
  const url = await moto.getJson("lambda", `/2021-10-31${path}/url`);
  assert.equal(url.AuthType, "NONE");
  const policy = await moto.getJson("lambda", `/2015-03-31${path}/policy`);
  const text = String(policy.Policy);
  assert.match(text, /lambda:InvokeFunctionUrl/);
  const { ReservedConcurrentExecutions } = await moto.getJson(
    "lambda",
    `/2019-09-30${path}/concurrency`,
  );
  assert.equal(ReservedConcurrentExecutions, 5);
}

async function checkReplica(moto: Moto, isOn: boolean): Promise<void> {
  const buckets = valuesOf(await moto.get("s3", "/"), "Name");
  assert.equal(buckets.includes(bucket("replica")), isOn);
  assert.equal((await rolesOf(moto)).includes(`${NAME}-replication`), isOn);
  if (!isOn) return;
  const rule = await moto.get("s3", `/${bucket("ingestion")}?replication`);
  assert.match(rule, /<Status>Enabled/);
  assert.match(rule, new RegExp(`arn:aws:s3:::${bucket("replica")}<`));
  assert.match(rule, /<DeleteMarkerReplication>\s*<Status>Disabled/);
  assert.match(
    await moto.get("s3", `/${bucket("replica")}?object-lock`),
    /GOVERNANCE/,
  );
}

async function checkNetwork(moto: Moto, isOn: boolean): Promise<void> {
  const ec2 = (Action: string) => moto.query("ec2", "2016-11-15", { Action });
  const groups = valuesOf(await ec2("DescribeSecurityGroups"), "groupName");
  assert.equal(groups.includes(`${NAME}-functions`), isOn);
  const services = valuesOf(
    (await ec2("DescribeVpcEndpoints")).replaceAll(
      /<vpcEndpointState>deleted/g,
      "",
    ),
    "serviceName",
  );
  if (!isOn) return;
  for (const service of ["s3", "secretsmanager"]) {
    assert.ok(services.some((name) => name.endsWith(`.${service}`)), service);
  }
}

async function checkAthena(
  moto: Moto,
  { athena, vpc }: Options,
): Promise<void> {
  const groups = await moto.call("athena", "AmazonAthena.ListWorkGroups", {});
  const names = listOf(groups.WorkGroups).map(({ Name }) => String(Name));
  assert.equal(names.includes(NAME), athena !== undefined);
  const lifecycle = await moto.get("s3", `/${bucket("artefacts")}?lifecycle`);
  assert.equal(lifecycle.includes("<Prefix>athena/"), athena !== undefined);
  if (athena === undefined) return;
  const { WorkGroup } = await moto.call(
    "athena",
    "AmazonAthena.GetWorkGroup",
    { WorkGroup: NAME },
  );
  const text = JSON.stringify(WorkGroup);
  assert.match(text, new RegExp(`s3://${bucket("artefacts")}/athena/`));
  assert.match(
    text,
    new RegExp(`"BytesScannedCutoffPerQuery":\\s*${athena.query_bytes_max}\\b`),
  );
  if (vpc !== undefined) await assertEndpoint(moto, "athena");
}

/** Of Athena's tables, and of the lake's. */
async function checkGlue(
  moto: Moto,
  { athena, glue, vpc }: Options,
): Promise<void> {
  const databases = await moto.call("glue", "AWSGlue.GetDatabases", {});
  const names = listOf(databases.DatabaseList).map(({ Name }) => String(Name));
  assert.deepEqual(names.sort(), [
    ...athena === undefined ? [] : [NAME.replace("-", "_")],
    ...glue === undefined ? [] : [LAKE_DATABASE],
  ]);
  if (glue && vpc !== undefined) await assertEndpoint(moto, "glue");
}

/** Its secret is there, and in a network the way to it. */
async function checkRestCatalogue(
  moto: Moto,
  { rest_catalogue, vpc }: Options,
): Promise<void> {
  const found = await moto.call(
    "secretsmanager",
    "secretsmanager.ListSecrets",
    {},
  );
  const names = listOf(found.SecretList).map(({ Name }) => String(Name));
  assert.equal(
    names.includes(`${NAME}/iceberg`),
    rest_catalogue !== undefined,
  );
  const rules = await moto.query("ec2", "2016-11-15", {
    Action: "DescribeSecurityGroupRules",
  });
  assert.equal(
    valuesOf(rules, "description").includes("Iceberg REST catalogue"),
    vpc !== undefined && rest_catalogue?.cidrs !== undefined,
  );
}

async function assertEndpoint(moto: Moto, service: string): Promise<void> {
  const endpoints = await moto.query("ec2", "2016-11-15", {
    Action: "DescribeVpcEndpoints",
  });
  const names = valuesOf(endpoints, "serviceName");
  assert.ok(names.some((name) => name.endsWith(`.${service}`)), service);
}

async function checkGithub(moto: Moto, isOn: boolean): Promise<void> {
  const roles = await rolesOf(moto);
  assert.equal(roles.includes(`${NAME}-github`), isOn);
  assert.equal(roles.includes(`${NAME}-github-plan`), isOn);
  if (!isOn) return;
  const trust = await moto.query("iam", "2010-05-08", {
    Action: "GetRole",
    RoleName: `${NAME}-github`,
  });
  assert.match(
    decodeURIComponent(trust),
    /"repo:owner@1\/name@2:environment:testing"/,
  );
  const { Statement } = await rolePolicy(moto, "github", "deploy");
  const refused = listOf(Statement)
    .filter(({ Effect, Resource }) =>
      Effect === "Deny" && [Resource].flat().includes(
        `arn:aws:s3:::${NAME}-ingestion-*`,
      )
    )
    .flatMap(({ Action }) => Action);
  for (const action of ["DeleteObjectVersion", "PutLifecycleConfiguration"]) {
    assert.ok(refused.some((one) => String(one) === `s3:${action}`), action);
  }
}

async function checkWarehouse(moto: Moto, isOn: boolean): Promise<void> {
  const answer = await moto.query("rds", "2014-10-31", {
    Action: "DescribeDBInstances",
  });
  const names = valuesOf(answer, "DBInstanceIdentifier");
  assert.deepEqual(names, isOn ? [`${NAME}-warehouse`] : []);
  if (!isOn) return;
  assert.deepEqual(valuesOf(answer, "PubliclyAccessible"), ["false"]);
  assert.deepEqual(valuesOf(answer, "StorageEncrypted"), ["true"]);
  assert.match(answer, /<SecretArn>/);
  assert.match(
    answer,
    new RegExp(`<DBParameterGroupName>${NAME}-warehouse-17<`),
  );
}
