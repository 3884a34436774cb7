import assert from "node:assert/strict";
import { join } from "node:path";
import { urlOf } from "../../lib/settings/secrets.ts";
import { checkDestroyed } from "./applied.ts";
import { type Moto, valuesOf } from "./moto.ts";
import { Terraform } from "./terraform.ts";
import { REGION, writePackage } from "./try_options.ts";

/** moto stands in for an instance that RDS lets nobody delete by mistake. */
const DESTROYABLE = `
resource "aws_db_instance" "warehouse" {
  deletion_protection = false
}
`;

/** Applies the example that has `infra/` as a module, and destroys it. */
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
    package_dir: "dist",
    emails: ["team@example.com"],
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
