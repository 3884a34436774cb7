import assert from "node:assert/strict";
import {
  GLUE_CALLED,
  KEYS,
  type Kind,
  rightsOf,
  ZONES,
} from "./called_rights.ts";
import { python } from "./moto_server.ts";
import { ACCOUNT, LAKE_DATABASE, REGION } from "./tried_environment.ts";

/** What AWS would be asked: may a caller with these policies do this? */
interface Question {
  /** Each must permit it: a role's own policy, and its boundary. */
  policies: readonly string[];
  action: string;
  resource: string;
}

/** Nothing may be done that is not called; these are what would hurt. */
const NEVER = [
  "BypassGovernanceRetention",
  "DeleteBucketPolicy",
  "DeleteObjectVersion",
  "GetObjectVersion",
  "ListBucketVersions",
  "PutBucketPolicy",
  "PutLifecycleConfiguration",
  "PutObjectAcl",
  "PutObjectRetention",
  "PutObjectTagging",
];
const NEVER_IN_GLUE = [
  "BatchDeleteTable",
  "DeleteDatabase",
  "DeleteTable",
  "UpdateDatabase",
];
const EVALUATE = `
import json, sys
from moto.iam.access_control import IAMPolicy, PermissionResult
print(json.dumps([
    all(IAMPolicy(policy).is_action_permitted(asked["action"], asked["resource"])
        == PermissionResult.PERMITTED for policy in asked["policies"])
    for asked in json.load(sys.stdin)
]))
`;

/**
 * Has moto evaluate a function's policies for each call that the function makes
 * in a zone, and for all that others make or nobody does: the former must be
 * permitted, and nothing else. The buckets' own policies are not part of it,
 * since moto takes a condition that does not hold for a refusal; and a role may
 * do what it does to any key of the bucket, since a pattern for each model would
 * have to change with `sql/`.
 */
export async function checkEvaluated(
  functions: readonly {
    name: string;
    policies: readonly string[];
    /** What another service does in its name in the processed zone. */
    inItsName: readonly string[];
    /** Whether it shows the lake's tables in Glue. */
    showsInGlue: boolean;
  }[],
  arnOf: (zone: typeof ZONES[number]) => string,
): Promise<void> {
  const inGlue = functions.flatMap(({ name, policies, showsInGlue }) =>
    glueCasesOf(showsInGlue).map(([action, resource, may]) => ({
      said: `${name}: ${action} of ${resource} in Glue`,
      may,
      question: {
        policies,
        action: `glue:${action}`,
        resource: `arn:aws:glue:${REGION}:${ACCOUNT}:${resource}`,
      },
    }))
  );
  const inZones = functions.flatMap(({ name, policies, inItsName }) =>
    ZONES.flatMap((zone) =>
      casesOf(name, zone).filter(([action]) =>
        zone !== "processed" || !inItsName.includes(action)
      ).map(([action, kind, may]) => ({
        said: `${name}: ${action} of ${kind} in ${zone}`,
        may,
        question: {
          policies,
          action: `s3:${action}`,
          resource: arnOf(zone) + (kind === "bucket" ? "" : `/${KEYS[kind]}`),
        },
      }))
    )
  );
  const cases = [...inZones, ...inGlue];
  const answers = await ask(cases.map(({ question }) => question));
  const wrong = cases.filter(({ may }, index) => answers[index] !== may)
    .map(({ said, may }) => `${said} is ${may ? "refused" : "permitted"}`);
  assert.deepEqual(wrong, []);
}

/** Each action on what it is used on, and whether this function may. */
function casesOf(
  name: string,
  zone: typeof ZONES[number],
): [action: string, kind: Kind, may: boolean][] {
  const own = rightsOf(name, zone);
  const others = ["extract", "transform", "load", "verify", "sweep"]
    .flatMap((other) =>
      ZONES.flatMap((one) => Object.keys(rightsOf(other, one)))
    );
  const kinds: Kind[] = ["bucket", ...Object.keys(KEYS) as Kind[]];
  return [
    ...Object.entries(own).flatMap(([action, kinds]) =>
      kinds.map((kind) => [action, kind, true] as [string, Kind, boolean])
    ),
    ...[...new Set([...others, ...NEVER])].filter((action) => !(action in own))
      .flatMap((action) =>
        kinds.map((kind) => [action, kind, false] as [string, Kind, boolean])
      ),
  ];
}

/** The same in Glue, but for the catalogue, which Athena's tables are in too. */
function glueCasesOf(
  shows: boolean,
): [action: string, resource: string, may: boolean][] {
  const own = [
    `database/${LAKE_DATABASE}`,
    `table/${LAKE_DATABASE}/dim_design`,
  ];
  const others = ["database/default", "table/others/dim_design"];
  const cases: [string, string, boolean][] = [];
  for (const action of [...GLUE_CALLED, ...NEVER_IN_GLUE]) {
    const isCalled = GLUE_CALLED.includes(action);
    if (shows && isCalled) cases.push([action, "catalog", true]);
    for (const one of own) cases.push([action, one, shows && isCalled]);
    for (const one of others) cases.push([action, one, false]);
  }
  return cases;
}

async function ask(questions: readonly Question[]): Promise<boolean[]> {
  const program = new Deno.Command(python, {
    args: ["-c", EVALUATE],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = program.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(questions)));
  await writer.close();
  const { success, stdout } = await program.output();
  assert.ok(success, "moto evaluates the policies");
  return JSON.parse(new TextDecoder().decode(stdout));
}
