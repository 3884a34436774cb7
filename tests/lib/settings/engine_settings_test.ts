import assert from "node:assert/strict";
import { readEngine } from "../../../lib/settings/engine_settings.ts";
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

for (
  const [env, problem] of [
    [
      { TRANSFORM_ENGINE: "spark" },
      /^TRANSFORM_ENGINE is "spark": duckdb or trino/,
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
