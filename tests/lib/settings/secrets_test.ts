import assert from "node:assert/strict";
import { join } from "node:path";
import { readConfig } from "../../../lib/settings/config.ts";
import { secretMask } from "../../../lib/settings/secret_mask.ts";
import { withSecrets } from "../../../lib/settings/secrets.ts";
import { inFolder } from "../../harness/in_folder.ts";
import { TestSecretsManager } from "../../harness/servers/secrets_manager.ts";
import { withEnv } from "../../harness/with_env.ts";

const URL_TEXT = "postgres://me:a-secret@db.example.com/x";

/** Reads a secret that holds this, as SOURCE_URL. */
async function sourceUrlOf(
  secret: string | undefined,
  work: (url: string | undefined, folder: string) => Promise<void> | void,
): Promise<void> {
  await using manager = new TestSecretsManager(
    secret === undefined ? {} : { here: secret },
  );
  const settings = {
    AWS_ENDPOINT_URL_SECRETS_MANAGER: manager.url,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "testtest",
  };
  await withEnv(settings, () =>
    inFolder(async (folder) => {
      const env = await withSecrets(
        (name) => name === "SOURCE_SECRET_ID" ? "here" : undefined,
        { folder },
      );
      assert.equal(env("WAREHOUSE_URL"), undefined);
      await work(env("SOURCE_URL"), folder);
    }));
}

Deno.test("withSecrets() takes a URL, or JSON with one", async () => {
  await sourceUrlOf(URL_TEXT, (url) => assert.equal(url, URL_TEXT));
  await sourceUrlOf(
    JSON.stringify({ url: URL_TEXT }),
    (url) => assert.equal(url, URL_TEXT),
  );
});

Deno.test("withSecrets() takes a secret in the form that AWS rotates", async () => {
  const secret = JSON.stringify({
    engine: "postgres",
    host: "db.example.com",
    port: 5433,
    username: "me",
    password: "a/secret@1",
    dbname: "x",
  });

  await sourceUrlOf(
    secret,
    (url) =>
      assert.equal(url, "postgres://me:a%2Fsecret%401@db.example.com:5433/x"),
  );
});

Deno.test("withSecrets() writes the CA into a file that the URL names", async () => {
  const secret = JSON.stringify({ url: URL_TEXT, ca: "PEM" });

  await sourceUrlOf(secret, async (url, folder) => {
    const path = new URL(url ?? "").searchParams.get("sslrootcert");
    assert.equal(path, join(folder, "ca-db.example.com.pem"));
    assert.equal(await Deno.readTextFile(path ?? ""), "PEM");
  });
});

Deno.test("withSecrets() changes nothing in a URL except the CA's file", async () => {
  const url = `${URL_TEXT}?options=-c%20a%3Db+c`;

  await sourceUrlOf(JSON.stringify({ url, ca: "PEM" }), (given, folder) => {
    const path = join(folder, "ca-db.example.com.pem");
    assert.equal(given, `${url}&sslrootcert=${encodeURIComponent(path)}`);
  });
});

Deno.test("withSecrets() takes a catalogue's token, or its client of OAuth 2", async () => {
  const secrets = { token: " an.opaque_token~+/= \n", client: "me:a:secret" };
  await using manager = new TestSecretsManager(secrets);
  const settings: Record<string, string> = {
    AWS_ENDPOINT_URL_SECRETS_MANAGER: manager.url,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "testtest",
    ICEBERG_CATALOGUE: "rest",
    ICEBERG_DATABASE: "lake",
    ICEBERG_REST_URL: "https://catalogue.example.com",
  };
  const loginOf = async (secret: keyof typeof secrets) => {
    const env = await withSecrets(
      (name) => name === "ICEBERG_SECRET_ID" ? secret : settings[name],
      { folder: "unused" },
    );
    const { icebergRest } = readConfig(env, []);
    const hidden = secretMask(env)("an.opaque_token~+/= and a:secret");
    return { login: icebergRest?.login, hidden };
  };

  await withEnv(settings, async () => {
    const { login, hidden } = await loginOf("token");
    assert.deepEqual(login, { token: "an.opaque_token~+/=" });
    assert.equal(hidden, "*** and a:secret");
    const client = await loginOf("client");
    assert.deepEqual(client.login, {
      clientId: "me",
      clientSecret: "a:secret",
      tokenUrl: "https://catalogue.example.com/v1/oauth/tokens",
      scope: "catalog",
    });
    assert.equal(client.hidden, "an.opaque_token~+/= and ***");
  });
});

Deno.test("withSecrets() names an unknown field of a secret", async () => {
  const notes = JSON.stringify({ url: URL_TEXT, username: "me", ca: null });
  const secret = JSON.stringify({ url: URL_TEXT, CA: "PEM", sslcert: "PEM" });

  await sourceUrlOf(notes, (url) => assert.equal(url, URL_TEXT));
  await assert.rejects(sourceUrlOf(secret, () => {}), {
    name: "StageError",
    message:
      'Cannot use the secret here: it has unknown fields: "CA", "sslcert"',
  });
});

Deno.test("withSecrets() names the unusable secret without its value", async () => {
  await assert.rejects(sourceUrlOf(undefined, () => {}), {
    name: "StageError",
    message: /^Cannot read the secret here: .*can't find/,
    subject: "here",
    retryable: true,
  });
  for (const secret of ["my password", '{"password":"mine"}', '{"url":1}']) {
    await assert.rejects(sourceUrlOf(secret, () => {}), {
      name: "StageError",
      message:
        'Cannot use the secret here: it is neither a connection URL nor JSON with "url", or with "username", "password", "host" and "dbname"',
    });
  }
});
