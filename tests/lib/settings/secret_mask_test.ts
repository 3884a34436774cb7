import assert from "node:assert/strict";
import { Random } from "../../../demo/random.ts";
import { maskOf, secretMask } from "../../../lib/settings/secret_mask.ts";

function mask(env: Record<string, string>, text: string): string {
  return secretMask((name) => env[name])(text);
}

Deno.test("secretMask() masks passwords of URLs, encoded or not", () => {
  const env = {
    SOURCE_URL: "postgres://user:pass%20word%2F1@host/db",
    WAREHOUSE_URL: "postgres://user:100%/open@sesame@host/db",
  };

  assert.equal(mask(env, "a pass%20word%2F1 b"), "a *** b");
  assert.equal(mask(env, "a pass word/1 b"), "a *** b");
  assert.equal(mask(env, "a 100%/open@sesame b"), "a *** b");
});

Deno.test("secretMask() masks keys, also within JSON", () => {
  const env = {
    PGPASSWORD: 'quote"back\\slash',
    AWS_SECRET_ACCESS_KEY: "secret/key+1",
    AWS_SESSION_TOKEN: "secret/key+1/and/more",
  };

  assert.equal(mask(env, '{"a":"quote\\"back\\\\slash"}'), '{"a":"***"}');
  assert.equal(mask(env, "secret/key+1/and/more, secret/key+1"), "***, ***");
});

Deno.test("secretMask() masks how a run signs in to an Iceberg catalogue", () => {
  const env = {
    ICEBERG_REST_TOKEN: "t0ken-of-a-run",
    ICEBERG_REST_CREDENTIAL: "client:s3cret:of:it",
  };

  assert.equal(
    mask(env, "t0ken-of-a-run of client is s3cret:of:it"),
    "*** of client is ***",
  );
});

Deno.test("secretMask() leaves other words unchanged", () => {
  const env = {
    SOURCE_URL: "postgres://user:pass@host/db",
    WAREHOUSE_URL: "postgres://host/db",
    PGPASSWORD: "",
  };

  assert.equal(mask(env, "password"), "password");
});

/** What servers, libraries and the stages say of ordinary failures. */
const MESSAGES = [
  'Cannot read "dim_staff": column "unit_price" does not exist',
  'password authentication failed for user "postgres"',
  "Check the password and the rights of the user; no password is set",
  'relation "sales_order" does not exist, at character 15',
  "Cannot connect to 10.0.0.1:5432/warehouse: connect ECONNREFUSED",
  '{"time":"2026-03-01T08:09:10Z","level":"fatal","stage":"load","message":"batch 12 of 345 rows"}',
  "the token of the dashboard, the secret of the function",
];

Deno.test("maskOf() leaves a message's words unchanged despite a short password", () => {
  const parts = MESSAGES.flatMap((message) =>
    [1, 2, 3, 4, 5, 6, 7].flatMap((length) =>
      Array.from(message, (_, index) => message.slice(index, index + length))
    )
  );

  for (const password of new Set(parts.filter((part) => part.trim() !== ""))) {
    for (const message of MESSAGES) {
      assert.equal(maskOf([password])(message), message, password);
    }
  }
  for (const password of ["password", "postgres", "Warehouse"]) {
    for (const message of MESSAGES) {
      assert.equal(maskOf([password])(message), message, password);
    }
  }
});

Deno.test("maskOf() masks even a short password where a password is expected", () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = new Random(seed);
  const alphabet = "abcxyz019-_.$^*+?()[]{}|~!#%&";
  for (let round = 0; round < 300; round++) {
    const length = 1 + Math.floor(random.fraction() * 7);
    const password = Array.from(
      { length },
      () => alphabet[Math.floor(random.fraction() * alphabet.length)],
    ).join("");
    const told = (before: string, after: string) =>
      maskOf([password])(`not there: ${before}${password}${after}`);
    for (
      const [before, after] of [
        ["postgres://user:", "@host/db"],
        ["password=", " host=a"],
        ["password='", "' host=a"],
        ['password "', '" is wrong'],
        ['{"password":"', '","host":"a"}'],
        ["PGPASSWORD: ", ""],
        ["?sslmode=disable&sslpassword=", "&host=a"],
        ['the message was "{\\"token\\":\\"', '\\"}"'],
      ] as const
    ) {
      assert.equal(
        told(before, after),
        `not there: ${before}***${after}`,
        `${password}, seed ${seed}`,
      );
    }
    assert.equal(maskOf([password])(`${password}\n`), "***");
  }
});

Deno.test("secretMask() masks a name that is also a password only where a password is expected", () => {
  const env = {
    SOURCE_URL: "postgres://totesys_extract:totesys_extract@host/totesys_shop",
    WAREHOUSE_URL: "postgres://loader:totesys_shop@host:5432/warehouse",
    PGUSER: "reporting_user",
    PGPASSWORD: "reporting_user",
  };

  for (
    const message of [
      'grant select on "item" to "totesys_extract"',
      "Cannot connect to host:5432/totesys_shop: refused",
      'password authentication failed for user "reporting_user"',
    ]
  ) {
    assert.equal(mask(env, message), message);
  }
  assert.equal(
    mask(env, "postgres://totesys_extract:totesys_extract@host/totesys_shop"),
    "postgres://totesys_extract:***@host/totesys_shop",
  );
  assert.equal(mask(env, "password=reporting_user"), "password=***");
});

Deno.test("maskOf() masks a password of eight characters anywhere", () => {
  for (const password of ["hunter22", "correcthorse", "a.b*c(d)"]) {
    assert.equal(maskOf([password])(`x${password}y`), "x***y");
  }
});

Deno.test("secretMask() masks passwords in a URL's parameters", () => {
  const env = {
    SOURCE_URL:
      "postgres://host/db?user=u&password=hunter%4022&sslpassword=key-secret",
  };

  assert.equal(mask(env, "hunter@22 hunter%4022 key-secret"), "*** *** ***");
});
