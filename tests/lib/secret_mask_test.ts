import assert from "node:assert/strict";
import { secretMask } from "../../lib/secret_mask.ts";

function mask(env: Record<string, string>, text: string): string {
  return secretMask((name) => env[name])(text);
}

Deno.test("secretMask() takes out the passwords of URLs, encoded and not", () => {
  const env = {
    SOURCE_URL: "postgres://user:pass%20word%2F1@host/db",
    WAREHOUSE_URL: "postgres://user:100%/open@sesame@host/db",
  };

  assert.equal(mask(env, "a pass%20word%2F1 b"), "a *** b");
  assert.equal(mask(env, "a pass word/1 b"), "a *** b");
  assert.equal(mask(env, "a 100%/open@sesame b"), "a *** b");
});

Deno.test("secretMask() takes out keys, also as JSON has them", () => {
  const env = {
    PGPASSWORD: 'quote"back\\slash',
    AWS_SECRET_ACCESS_KEY: "secret/key+1",
    AWS_SESSION_TOKEN: "secret/key+1/and/more",
  };

  assert.equal(mask(env, '{"a":"quote\\"back\\\\slash"}'), '{"a":"***"}');
  assert.equal(mask(env, "secret/key+1/and/more, secret/key+1"), "***, ***");
});

Deno.test("secretMask() leaves words be that are no secret", () => {
  const env = {
    SOURCE_URL: "postgres://user:pass@host/db",
    WAREHOUSE_URL: "postgres://host/db",
    PGPASSWORD: "",
  };

  assert.equal(mask(env, "password"), "password");
});
