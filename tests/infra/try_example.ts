import assert from "node:assert/strict";
import { join } from "node:path";
import { urlOf } from "../../lib/settings/secrets.ts";
import { checkDestroyed } from "./applied.ts";
import { listOf, type Moto, objectOf, valuesOf } from "./moto.ts";
import { Terraform } from "./terraform.ts";
import { REGION, writePackage } from "./try_options.ts";

const IMAGE = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/totesys:v1";
const ECS = "AmazonEC2ContainerServiceV20141113";

/** moto stands in for an instance that RDS lets nobody delete by mistake. */
const DESTROYABLE = `
resource "aws_db_instance" "warehouse" {
  deletion_protection = false
}
`;

/**
 * Applies the example that has `infra/` as a module, with the task of its first
 * load, and destroys it.
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
  const { taskDefinition } = await moto.call(
    "ecs",
    `${ECS}.DescribeTaskDefinition`,
    { taskDefinition: name },
  );
  const task = objectOf(taskDefinition);
  const [container] = listOf(task.containerDefinitions);
  assert.equal(container?.image, IMAGE);
  assert.deepEqual(container?.command, ["pipeline"]);
  assert.deepEqual(
    listOf(container?.secrets).map(({ name, valueFrom }) => [
      name,
      /secret:totesys-production\/([a-z]+)-/.exec(String(valueFrom))?.[1],
    ]),
    [["SOURCE_URL", "source"], ["WAREHOUSE_URL", "warehouse"]],
  );
  const variables = listOf(container?.environment).map(({ name }) => name);
  assert.deepEqual(variables, ["AWS_REGION", "INGESTION_URL", "PROCESSED_URL"]);
  const policy = await moto.query("iam", "2010-05-08", {
    Action: "GetRolePolicy",
    RoleName: String(task.taskRoleArn).split("/").at(-1) ?? "",
    PolicyName: "zones",
  });
  const rights = decodeURIComponent(policy);
  for (const right of ["s3:PutObject", "s3:DeleteObject", "s3:ListBucket"]) {
    assert.ok(rights.includes(right), right);
  }
  assert.doesNotMatch(rights, /ec2:|secretsmanager:/);
}
