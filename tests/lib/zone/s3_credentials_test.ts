import assert from "node:assert/strict";
import { resolveCredentials } from "../../../lib/zone/s3_credentials.ts";
import { inFolder } from "../../harness/in_folder.ts";
import { withEnv } from "../../harness/with_env.ts";

/** What the SDK's own chain reads. */
const CHAIN = [
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "AWS_PROFILE",
  "AWS_SHARED_CREDENTIALS_FILE",
  "AWS_CONFIG_FILE",
  "AWS_EC2_METADATA_DISABLED",
  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
  "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

Deno.test("resolveCredentials() prefers the settings' keys", () =>
  withChain(
    { AWS_ACCESS_KEY_ID: "other", AWS_SECRET_ACCESS_KEY: "x" },
    async () => {
      const keys = {
        accessKeyId: "k",
        secretAccessKey: "s",
        sessionToken: "t",
      };

      assert.deepEqual(
        await resolveCredentials({ region: "eu-west-2", ...keys }),
        keys,
      );
    },
  ));

Deno.test("resolveCredentials() uses the SDK's chain when one of the two keys is missing", () =>
  withChain(
    { AWS_ACCESS_KEY_ID: "k2", AWS_SECRET_ACCESS_KEY: "s2" },
    async () => {
      const found = await resolveCredentials({
        region: "eu-west-2",
        accessKeyId: "k",
      });

      assert.equal(found.accessKeyId, "k2");
      assert.equal(found.secretAccessKey, "s2");
    },
  ));

Deno.test("resolveCredentials() names the settings when there are no credentials", () =>
  inFolder((folder) =>
    withChain({
      AWS_SHARED_CREDENTIALS_FILE: `${folder}/none`,
      AWS_CONFIG_FILE: `${folder}/none`,
      AWS_EC2_METADATA_DISABLED: "true",
    }, () =>
      assert.rejects(resolveCredentials({ region: "eu-west-2" }), {
        name: "StageError",
        message: /^Cannot find credentials for S3: /,
        subject: "S3",
        hint: /^Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/,
      }))
  ));

/** Runs a test with just these variables of the chain. */
function withChain(
  variables: Record<string, string>,
  test: () => Promise<void>,
): Promise<void> {
  const unset = Object.fromEntries(CHAIN.map((name) => [name, undefined]));
  return withEnv({ ...unset, ...variables }, test);
}
