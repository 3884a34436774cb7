import assert from "node:assert/strict";
import { readIceberg } from "../../../lib/settings/iceberg_settings.ts";
import { SettingReader } from "../../../lib/settings/setting_reader.ts";

function read(env: Record<string, string>) {
  const settings = new SettingReader((name) => env[name]);
  return { ...readIceberg(settings), problems: settings.problems };
}

Deno.test("readIceberg() publishes no tables if nothing is set", () => {
  assert.deepEqual(read({}), {
    icebergCatalogue: undefined,
    glue: undefined,
    icebergRest: undefined,
    problems: [],
  });
});

Deno.test("readIceberg() leaves settings of a catalogue that isn't used", () => {
  const env = {
    ICEBERG_REST_CREDENTIAL: "secret",
    ICEBERG_REST_TOKEN: "t",
    ICEBERG_DATABASE: "a..b",
  };

  assert.deepEqual(read(env).problems, []);
});

Deno.test("readIceberg() reads Glue's database", () => {
  const env = {
    ICEBERG_CATALOGUE: "glue",
    ICEBERG_DATABASE: "lake",
    PROCESSED_URL: "s3://lake/processed",
  };

  assert.deepEqual(read(env), {
    icebergCatalogue: "glue",
    glue: { database: "lake", endpoint: undefined },
    icebergRest: undefined,
    problems: [],
  });
});

const REST = {
  ICEBERG_CATALOGUE: "rest",
  ICEBERG_DATABASE: "lake.sales",
  ICEBERG_REST_URL: "https://catalogue.example/api/catalog/",
};

Deno.test("readIceberg() reads a REST catalogue", () => {
  const icebergRest = {
    url: "https://catalogue.example/api/catalog",
    namespace: ["lake", "sales"],
    warehouse: undefined,
    login: undefined,
  };
  const found = { icebergCatalogue: "rest", glue: undefined, problems: [] };

  assert.deepEqual(read(REST), { ...found, icebergRest });
  assert.deepEqual(
    read({
      ...REST,
      ICEBERG_REST_WAREHOUSE: "w",
      ICEBERG_REST_CREDENTIAL: "id:a:b",
    }),
    {
      ...found,
      icebergRest: {
        ...icebergRest,
        warehouse: "w",
        login: {
          clientId: "id",
          clientSecret: "a:b",
          tokenUrl: "https://catalogue.example/api/catalog/v1/oauth/tokens",
          scope: "catalog",
        },
      },
    },
  );
});

for (
  const [env, problem] of [
    [{ ICEBERG_CATALOGUE: "hive" }, /^ICEBERG_CATALOGUE is "hive": zone, glue/],
    [{ ...REST, ICEBERG_REST_URL: "" }, /^ICEBERG_REST_URL is missing: https/],
    [
      { ...REST, ICEBERG_REST_URL: "catalogue.example" },
      /^ICEBERG_REST_URL is malformed: https/,
    ],
    [
      {
        ...REST,
        ICEBERG_REST_URL: "http://catalogue.example",
        ICEBERG_REST_TOKEN: "t",
      },
      /would get a secret unencrypted: use https/,
    ],
    [
      { ...REST, ICEBERG_DATABASE: "a..b" },
      /^ICEBERG_DATABASE is "a\.\.b": the/,
    ],
    [
      { ...REST, ICEBERG_REST_TOKEN: "two\nlines" },
      /^ICEBERG_REST_TOKEN is malformed: one word/,
    ],
    [
      { ...REST, ICEBERG_REST_CREDENTIAL: "secret" },
      /^ICEBERG_REST_CREDENTIAL is malformed: client-id/,
    ],
    [
      {
        ...REST,
        ICEBERG_REST_CREDENTIAL: "id:secret",
        ICEBERG_REST_TOKEN: "t",
      },
      /are both set: one is expected$/,
    ],
    [{ ICEBERG_CATALOGUE: "glue" }, /^ICEBERG_DATABASE is missing: a name/],
    [
      { ICEBERG_CATALOGUE: "glue", ICEBERG_DATABASE: "my-lake" },
      /^ICEBERG_DATABASE is "my-lake": a name/,
    ],
    [
      {
        ICEBERG_CATALOGUE: "glue",
        ICEBERG_DATABASE: "lake",
        PROCESSED_URL: "zone",
      },
      /^ICEBERG_CATALOGUE=glue needs PROCESSED_URL in S3/,
    ],
  ] as const
) {
  Deno.test(`readIceberg() refuses ${JSON.stringify(env)}`, () => {
    const { problems } = read({ ...env });

    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", problem);
  });
}
