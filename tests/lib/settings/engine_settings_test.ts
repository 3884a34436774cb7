import assert from "node:assert/strict";
import {
  engineProblem,
  readEngine,
} from "../../../lib/settings/engine_settings.ts";
import { SettingReader } from "../../../lib/settings/setting_reader.ts";

function read(env: Record<string, string>) {
  const settings = new SettingReader((name) => env[name]);
  return { ...readEngine(settings), problems: settings.problems };
}

Deno.test("readEngine() chooses DuckDB if nothing is set", () => {
  assert.deepEqual(read({}), {
    transformEngine: "duckdb",
    transformEngineBytesMin: 10_000_000_000,
    trino: undefined,
    athena: undefined,
    problems: [],
  });
});

Deno.test("readEngine() reads Trino's address, user, catalog and schema", () => {
  const { trino, transformEngine, transformEngineBytesMin, problems } = read({
    TRANSFORM_ENGINE: "trino",
    TRANSFORM_ENGINE_BYTES_MIN: "5",
    TRINO_URL: "https://etl:p%40ss@trino.example:8443/lake/totesys",
  });

  assert.deepEqual(problems, []);
  assert.equal(transformEngine, "trino");
  assert.equal(transformEngineBytesMin, 5);
  assert.deepEqual(trino, {
    origin: "https://trino.example:8443",
    user: "etl",
    password: "p@ss",
    catalog: "lake",
    schema: "totesys",
  });
});

Deno.test("readEngine() reads Athena's workgroup and database", () => {
  const { athena, transformEngine, problems } = read({
    TRANSFORM_ENGINE: "athena",
    PROCESSED_URL: "s3://lake/processed",
    ATHENA_WORKGROUP: "totesys",
    ATHENA_DATABASE: "lake_1",
    ATHENA_RESULTS_URL: "s3://results/athena/",
  });

  assert.deepEqual(problems, []);
  assert.equal(transformEngine, "athena");
  assert.deepEqual(athena, {
    workgroup: "totesys",
    database: "lake_1",
    resultsUrl: "s3://results/athena/",
    endpoint: undefined,
  });
});

Deno.test("engineProblem() names the settings that the chosen engine lacks", () => {
  const none = { ...read({}), processedUrl: "/zone" };
  const athena = { ...read(ATHENA), processedUrl: "/zone" };

  assert.equal(engineProblem("duckdb", none), undefined);
  assert.match(engineProblem("trino", none) ?? "", /needs TRINO_URL/);
  assert.match(engineProblem("athena", none) ?? "", /needs ATHENA_WORKGROUP/);
  assert.match(engineProblem("athena", athena) ?? "", /needs PROCESSED_URL/);
  assert.equal(
    engineProblem("athena", { ...athena, processedUrl: "s3://lake" }),
    undefined,
  );
});

const ATHENA = { ATHENA_WORKGROUP: "totesys", ATHENA_DATABASE: "lake" };

for (
  const [env, problem] of [
    [
      { ATHENA_DATABASE: "lake", TRANSFORM_ENGINE: "athena" },
      /^ATHENA_WORKGROUP is missing/,
    ],
    [
      { ATHENA_WORKGROUP: "totesys" },
      /^ATHENA_DATABASE is missing: a name of small letters/,
    ],
    [
      { ...ATHENA, ATHENA_DATABASE: "my-lake" },
      /^ATHENA_DATABASE is "my-lake": a name of small letters/,
    ],
    [
      { ...ATHENA, ATHENA_RESULTS_URL: "results" },
      /^ATHENA_RESULTS_URL is "results": s3:/,
    ],
    [
      { ...ATHENA, TRANSFORM_ENGINE: "athena", PROCESSED_URL: "zone" },
      /^Athena needs PROCESSED_URL in S3/,
    ],
    [
      { TRANSFORM_ENGINE: "spark" },
      /^TRANSFORM_ENGINE is "spark": duckdb or trino or athena/,
    ],
    [{ TRANSFORM_ENGINE: "trino" }, /^TRINO_URL is missing: set http/],
    [{ TRINO_URL: "https://host/lake/totesys" }, /^TRINO_URL is malformed/],
    [{ TRINO_URL: "https://me@host/lake" }, /^TRINO_URL is malformed/],
    [{ TRINO_URL: "trino://me@host/lake/totesys" }, /^TRINO_URL is malformed/],
    [
      { TRINO_URL: "http://me:secret@trino.example/lake/totesys" },
      /^TRINO_URL has a password, and would send it unencrypted/,
    ],
  ] as const
) {
  Deno.test(`readEngine() refuses ${JSON.stringify(env)}`, () => {
    const { problems } = read({ ...env });

    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", problem);
    assert.doesNotMatch(problems[0] ?? "", /secret/);
  });
}
