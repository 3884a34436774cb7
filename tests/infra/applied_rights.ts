import assert from "node:assert/strict";
import type { Options } from "./applied_options.ts";
import { rightsOf, ZONES } from "./called_rights.ts";
import { checkEvaluated } from "./evaluated_rights.ts";
import { type Answer, listOf, type Moto, valuesOf } from "./moto.ts";
import { ACCOUNT, bucket, NAME } from "./tried_environment.ts";

const READ_SECRET = "secretsmanager:GetSecretValue";

/** The settings that name a secret, by function: what its `needs` come to. */
const SECRETS: Record<string, string[]> = {
  extract: ["SOURCE_SECRET_ID"],
  transform: [],
  load: ["WAREHOUSE_SECRET_ID"],
  verify: ["SOURCE_SECRET_ID", "WAREHOUSE_SECRET_ID"],
  sweep: [],
  dashboard: ["ANALYST_SECRET_ID", "DASHBOARD_SECRET_ID"],
};

/** Those of a function, with these options. */
export function secretSettings(
  name: string,
  options: Pick<Options, "rest_catalogue">,
): string[] {
  return [
    ...SECRETS[name] ?? [],
    ...registersTables(name, options) ? ["ICEBERG_SECRET_ID"] : [],
  ];
}

/** Athena acts with its caller's rights. */
const ATHENA_CALLS = ["ListBucketMultipartUploads", "ListMultipartUploadParts"];
/** Those on the objects of the processed bucket alone. */
const ATHENA_OBJECT_CALLS = ["ListMultipartUploadParts"];

/** Whether Athena makes models for this function. */
export function usesAthena(
  name: string,
  { athena }: Pick<Options, "athena">,
): boolean {
  return name === "transform" && athena !== undefined;
}

/** Whether this function shows the lake's tables in Glue. */
export function showsInGlue(
  name: string,
  { glue }: Pick<Options, "glue">,
): boolean {
  return name === "transform" && glue === true;
}

/** Whether this function registers the lake's tables in a REST catalogue. */
export function registersTables(
  name: string,
  { rest_catalogue }: Pick<Options, "rest_catalogue">,
): boolean {
  return name === "transform" && rest_catalogue !== undefined;
}

/** The functions' rights are the calls that they make, and no others. */
export async function checkRights(
  moto: Moto,
  names: string[],
  options: Options,
): Promise<void> {
  for (const name of names) {
    const { Statement } = await rolePolicy(moto, name, "this");
    const statements = listOf(Statement);
    const secrets = statements
      .filter(({ Action }) => textsOf(Action).includes(READ_SECRET))
      .flatMap(({ Resource }) => textsOf(Resource))
      .map((arn) => /([a-z]+)-\w{6}$/.exec(arn)?.[1] ?? arn).sort();
    const asked = secretSettings(name, options)
      .map((variable) => variable.split("_")[0]?.toLowerCase());
    assert.deepEqual(secrets, asked.sort(), `${name}'s secrets`);
    for (const zone of ZONES) {
      const arn = `arn:aws:s3:::${bucket(zone)}`;
      const granted = statements
        .filter(({ Resource }) => [arn, `${arn}/*`].includes(String(Resource)))
        .flatMap(({ Action }) => textsOf(Action)).sort();
      const isByAthena = usesAthena(name, options) && zone === "processed";
      const needed = [
        ...Object.keys(rightsOf(name, zone)),
        ...isByAthena ? ATHENA_OBJECT_CALLS : [],
      ].map((action) => `s3:${action}`).sort();
      assert.deepEqual(granted, needed, `${name} in ${zone}`);
    }
  }
  if (options.vpc !== undefined) await checkNetworkRights(moto, names);
  const boundary = await boundaryOf(moto);
  const functions = await Promise.all(
    names.map(async (name) => ({
      name,
      policies: [
        JSON.stringify(await rolePolicy(moto, name, "this")),
        boundary,
      ],
      inItsName: usesAthena(name, options) ? ATHENA_CALLS : [],
      showsInGlue: showsInGlue(name, options),
    })),
  );
  await checkEvaluated(functions, (zone) => `arn:aws:s3:::${bucket(zone)}`);
}

/** Lambda may make and remove network interfaces; the function's code may not. */
async function checkNetworkRights(moto: Moto, names: string[]): Promise<void> {
  for (const name of names) {
    const { Statement } = await rolePolicy(moto, name, "network");
    const [granted, denied, ...others] = listOf(Statement);
    assert.equal(granted?.Effect, "Allow", name);
    assert.ok(textsOf(granted.Action).includes("ec2:DeleteNetworkInterface"));
    assert.equal(denied?.Effect, "Deny", name);
    assert.deepEqual(denied.Action, granted.Action);
    assert.match(
      JSON.stringify(denied.Condition),
      new RegExp(`"lambda:SourceFunctionArn":"[^"]*:function:${NAME}-\\*"`),
    );
    assert.deepEqual(others, []);
  }
}

/** The policy that no role goes beyond, as JSON. */
async function boundaryOf(moto: Moto): Promise<string> {
  const PolicyArn = `arn:aws:iam::${ACCOUNT}:policy/${NAME}-boundary`;
  const iam = (Action: string, fields: Record<string, string> = {}) =>
    moto.query("iam", "2010-05-08", { Action, PolicyArn, ...fields });
  const [VersionId = ""] = valuesOf(await iam("GetPolicy"), "DefaultVersionId");
  const version = await iam("GetPolicyVersion", { VersionId });
  const [text = ""] = valuesOf(version, "Document");
  return decodeURIComponent(text);
}

/** A policy of a role's own, by the role's last name. */
export async function rolePolicy(
  moto: Moto,
  role: string,
  policy: string,
): Promise<Answer> {
  const answer = await moto.query("iam", "2010-05-08", {
    Action: "GetRolePolicy",
    RoleName: `${NAME}-${role}`,
    PolicyName: policy,
  });
  const [text = ""] = valuesOf(answer, "PolicyDocument");
  return JSON.parse(decodeURIComponent(text)) as Answer;
}

function textsOf(value: Answer[string]): string[] {
  return [value].flat().map(String);
}
