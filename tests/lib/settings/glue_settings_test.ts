import assert from "node:assert/strict";
import { readIceberg } from "../../../lib/settings/glue_settings.ts";
import { SettingReader } from "../../../lib/settings/setting_reader.ts";

function read(env: Record<string, string>) {
  const settings = new SettingReader((name) => env[name]);
  return { ...readIceberg(settings), problems: settings.problems };
}

Deno.test("readIceberg() publishes no tables if nothing is set", () => {
  assert.deepEqual(read({}), {
    icebergCatalogue: undefined,
    glue: undefined,
    problems: [],
  });
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
    problems: [],
  });
});

for (
  const [env, problem] of [
    [{ ICEBERG_CATALOGUE: "rest" }, /^ICEBERG_CATALOGUE is "rest": zone, glue/],
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
