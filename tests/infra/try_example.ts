import assert from "node:assert/strict";
import { join } from "node:path";
import { urlOf } from "../../lib/settings/secrets.ts";
import { checkDestroyed } from "./applied.ts";
import { type Answer, listOf, type Moto, objectOf, valuesOf } from "./moto.ts";
import { Terraform } from "./terraform.ts";
import { writePackage } from "./try_options.ts";
import { REGION } from "./tried_environment.ts";

const IMAGE = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/totesys:v1";
const VIEWERS = "10.30.0.0/16";
const DASHBOARD = "totesys-production-dashboard";
const ECS = "AmazonEC2ContainerServiceV20141113";

/** moto stands in for an instance that RDS lets nobody delete by mistake. */
const DESTROYABLE = `
resource "aws_db_instance" "warehouse" {
  deletion_protection = false
}
`;

/**
 * Applies the example that has `infra/` as a module, with the task of its first
 * load and the dashboard, and destroys it.
 */
export async function tryExample(
  { folder, env }: Terraform,
  moto: Moto,
): Promise<void> {
  const override = join(folder, "example_override.tf");
  await Deno.writeTextFile(override, DESTROYABLE);
  const example = join(folder, "examples", "private_network");
  const terraform = new Terraform(example, env);
  await writePackage(join(example, "dist"), "one");
  await terraform.run(["init", "-input=false"]);

  await terraform.apply({
    region: REGION,
    zones: [`${REGION}a`, `${REGION}b`],
    package_dir: "dist",
    emails: ["team@example.com"],
    image: IMAGE,
    dashboard: {
      image: IMAGE,
      certificate_arn: await certificate(moto),
      viewer_cidrs: [VIEWERS],
    },
  });

  const functions = await moto.getJson("lambda", "/2015-03-31/functions/");
  const list = functions.Functions;
  assert(Array.isArray(list) && list.length > 0);
  for (const { FunctionName, VpcConfig } of list) {
    const { SubnetIds } = VpcConfig as Record<string, unknown>;
    assert(
      Array.isArray(SubnetIds) && SubnetIds.length === 2,
      `${FunctionName}`,
    );
  }
  await checkAdministrator(terraform, moto);
  await checkFirstLoad(terraform, moto);
  await checkDashboard(moto);
  const instances = await moto.query("rds", "2014-10-31", {
    Action: "DescribeDBInstances",
  });
  assert.deepEqual(valuesOf(instances, "DBInstanceIdentifier"), [
    "totesys-production-warehouse",
  ]);
  await terraform.run(["destroy", "-input=false", "-auto-approve"]);
  await Deno.remove(override);
  await checkDestroyed(moto);
}

/** `deploy init` makes a URL from the output and the secret that RDS keeps. */
async function checkAdministrator(
  terraform: Terraform,
  moto: Moto,
): Promise<void> {
  const output = await terraform.run(["output", "-json", "warehouse"]);
  const { host, port, database, secret_id } = JSON.parse(output);
  const { SecretString } = await moto.call(
    "secretsmanager",
    "secretsmanager.GetSecretValue",
    { SecretId: secret_id },
  );
  const parts = JSON.parse(String(SecretString));
  const url = new URL(urlOf({ ...parts, host, port, dbname: database }) ?? "");
  assert.equal(url.username, parts.username);
  assert.equal(decodeURIComponent(url.password), parts.password);
  assert.match(url.host, /rds\.amazonaws\.com:5432$/);
  assert.equal(url.pathname, "/warehouse");
}

/** The task has the image, the secrets and the zones that the command needs. */
async function checkFirstLoad(
  terraform: Terraform,
  moto: Moto,
): Promise<void> {
  const command = JSON.parse(
    await terraform.run(["output", "-json", "run_first_load"]),
  );
  const [, name] = /--task-definition (\S+)/.exec(command) ?? [];
  assert.match(command, /subnets=\[subnet-\w+\],securityGroups=\[sg-\w+\]/);
  const { container, taskRoleArn } = await taskOf(moto, name ?? "");
  assert.deepEqual(container.command, ["pipeline"]);
  assert.deepEqual(secretsIn(container), [
    ["SOURCE_URL", "totesys-production/source"],
    ["WAREHOUSE_URL", "totesys-production/warehouse"],
  ]);
  const variables = listOf(container.environment).map(({ name }) => name);
  assert.deepEqual(variables, ["AWS_REGION", "INGESTION_URL", "PROCESSED_URL"]);
  const rights = await zoneRights(moto, taskRoleArn);
  for (const right of ["s3:PutObject", "s3:DeleteObject", "s3:ListBucket"]) {
    assert.ok(rights.includes(right), right);
  }
  assert.doesNotMatch(rights, /ec2:|secretsmanager:/);
}

/**
 * One task, which only the balancer reaches, and the balancer only by TLS, from
 * the viewers.
 */
async function checkDashboard(moto: Moto): Promise<void> {
  const { services } = await moto.call("ecs", `${ECS}.DescribeServices`, {
    cluster: DASHBOARD,
    services: [DASHBOARD],
  });
  const [service] = listOf(services);
  assert.equal(service?.desiredCount, 1);
  const network = objectOf(
    objectOf(service?.networkConfiguration).awsvpcConfiguration,
  );
  assert.equal(network.assignPublicIp, "DISABLED");
  const { container, taskRoleArn } = await taskOf(moto, DASHBOARD);
  assert.deepEqual(container.command, ["dashboard"]);
  assert.deepEqual(secretsIn(container), [
    ["ANALYST_URL", `${DASHBOARD}/analyst`],
    ["DASHBOARD_TOKEN", `${DASHBOARD}/token`],
  ]);
  const settings = listOf(container.environment)
    .map(({ name, value }) => `${name}=${value}`);
  assert.ok(settings.includes("DASHBOARD_LISTEN=0.0.0.0:8300"));
  assert.ok(settings.includes("DASHBOARD_PROXIES=1"));
  const rights = await zoneRights(moto, taskRoleArn);
  assert.doesNotMatch(rights, /"s3:(?!GetObject"|ListBucket")/);

  const balancing = (Action: string, fields: Record<string, string> = {}) =>
    moto.query("elasticloadbalancing", "2015-12-01", { Action, ...fields });
  const balancers = await balancing("DescribeLoadBalancers");
  assert.deepEqual(valuesOf(balancers, "Scheme"), ["internal"]);
  const [LoadBalancerArn = ""] = valuesOf(balancers, "LoadBalancerArn");
  const attributes = await balancing("DescribeLoadBalancerAttributes", {
    LoadBalancerArn,
  });
  assert.match(attributes, /idle_timeout[^]*?<Value>120</);
  const listeners = await balancing("DescribeListeners", { LoadBalancerArn });
  assert.deepEqual(valuesOf(listeners, "Protocol"), ["HTTPS"]);
  const targets = await balancing("DescribeTargetGroups");
  assert.deepEqual(valuesOf(targets, "HealthCheckPath"), ["/health"]);
  const rules = await moto.query("ec2", "2016-11-15", {
    Action: "DescribeSecurityGroupRules",
  });
  const open = rules.split("<item>")
    .filter((rule) => rule.includes(`<cidrIpv4>${VIEWERS}<`));
  assert.deepEqual(open.flatMap((rule) => valuesOf(rule, "fromPort")), ["443"]);
}

/** A certificate as AWS has it. */
async function certificate(moto: Moto): Promise<string> {
  const { CertificateArn } = await moto.call(
    "acm",
    "CertificateManager.RequestCertificate",
    { DomainName: "dashboard.example.com" },
  );
  return String(CertificateArn);
}

/** A task's only container, which has the image, and the role of its code. */
async function taskOf(
  moto: Moto,
  name: string,
): Promise<{ container: Answer; taskRoleArn: string }> {
  const { taskDefinition } = await moto.call(
    "ecs",
    `${ECS}.DescribeTaskDefinition`,
    { taskDefinition: name },
  );
  const task = objectOf(taskDefinition);
  const [container] = listOf(task.containerDefinitions);
  assert.equal(container?.image, IMAGE);
  return { container, taskRoleArn: String(task.taskRoleArn) };
}

/** The secrets that a container gets: variable and name. */
function secretsIn(container: Answer): unknown[] {
  return listOf(container.secrets).map(({ name, valueFrom }) => [
    name,
    /secret:(.+)-\w{6}$/.exec(String(valueFrom))?.[1],
  ]);
}

/** What a task's code may do, as JSON. */
async function zoneRights(moto: Moto, roleArn: string): Promise<string> {
  const policy = await moto.query("iam", "2010-05-08", {
    Action: "GetRolePolicy",
    RoleName: roleArn.split("/").at(-1) ?? "",
    PolicyName: "zones",
  });
  return decodeURIComponent(policy);
}
