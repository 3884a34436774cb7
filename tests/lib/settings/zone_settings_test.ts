import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { platformDirectory } from "../../../lib/platform_directory.ts";
import { openZone } from "../../../lib/zone/zone.ts";
import { inFolder } from "../../harness/in_folder.ts";
import { ALL, problemsOf, read, SECRET } from "./read_config.ts";

Deno.test("readConfig() prefers S3's own region and endpoint", () => {
  const zones = { INGESTION_URL: "s3://bucket/zone" };
  const config = read({
    ...zones,
    AWS_REGION: "eu-west-2",
    AWS_DEFAULT_REGION: "eu-west-1",
    AWS_ENDPOINT_URL_S3: "https://s3.example.org",
    AWS_ENDPOINT_URL: "https://example.org",
  }, []);

  assert.equal(config.s3?.region, "eu-west-2");
  assert.equal(config.s3?.endpoint, "https://s3.example.org");
  assert.equal(read(zones, []).s3?.region, "us-east-1");
});

Deno.test("readConfig() refuses an endpoint that isn't a server's URL", () => {
  const problems = problemsOf({
    INGESTION_URL: "s3://bucket/zone",
    AWS_ENDPOINT_URL: "127.0.0.1:9000",
  }, []);

  assert.deepEqual(problems, [
    'AWS_ENDPOINT_URL is "127.0.0.1:9000": http://host:port or https://host is expected',
  ]);
});

Deno.test("readConfig() refuses an endpoint with a password in it", () => {
  const problems = problemsOf({
    INGESTION_URL: "s3://bucket/zone",
    AWS_ENDPOINT_URL: `http://user:${SECRET}@127.0.0.1:9000`,
  }, []);

  assert.deepEqual(problems, [
    'AWS_ENDPOINT_URL is "http://user:***@127.0.0.1:9000": http://host:port or https://host is expected',
  ]);
});

Deno.test("readConfig() refuses directories that DuckDB takes for patterns", () => {
  const problems = problemsOf({
    INGESTION_URL: "/zones/a*b",
    PROCESSED_URL: "/zones/what?",
    TEMP_DIRECTORY: "/temp/[x]",
  }, []);

  const reason =
    "a path without * ? [ is expected, since DuckDB reads these as";
  assert.deepEqual(problems, [
    `INGESTION_URL is "/zones/a*b": ${reason} patterns`,
    `PROCESSED_URL is "/zones/what?": ${reason} patterns`,
    `TEMP_DIRECTORY is "/temp/[x]": ${reason} patterns`,
  ]);
});

for (const prefix of ["a b", "a*", "a?", "a[b]", "it's", "a//b", "../b"]) {
  Deno.test(`readConfig() refuses the prefix ${prefix} of a zone in S3`, () => {
    const url = `s3://bucket/${prefix}`;

    assert.deepEqual(problemsOf({ PROCESSED_URL: url }, []), [
      `PROCESSED_URL is "${url}": a prefix of letters, digits and _ - . = is expected`,
    ]);
  });
}

Deno.test("readConfig() refuses an invalid bucket name", () => {
  assert.deepEqual(problemsOf({ PROCESSED_URL: "s3://b" }, []), [
    'PROCESSED_URL is "s3://b": s3://bucket/prefix or a directory is expected',
  ]);
});

Deno.test("readConfig() refuses the same location for both zones", () => {
  const problems = problemsOf({
    INGESTION_URL: "s3://bucket/zone/",
    PROCESSED_URL: "s3://bucket/zone",
  }, []);

  assert.deepEqual(problems, [
    "INGESTION_URL and PROCESSED_URL are the same: each needs its own place",
  ]);
});

Deno.test("readConfig() refuses a zone inside the other", () => {
  for (
    const [ingestion, processed] of [
      ["s3://bucket/lake", "s3://bucket/lake/processed"],
      ["/lake/processed/ingestion", "/lake/processed"],
      ["s3://bucket", "s3://bucket/processed"],
    ] as const
  ) {
    const zones = { INGESTION_URL: ingestion, PROCESSED_URL: processed };
    const [inner, outer] = ingestion.length > processed.length
      ? ["INGESTION_URL", "PROCESSED_URL"]
      : ["PROCESSED_URL", "INGESTION_URL"];

    assert.deepEqual(problemsOf(zones, []), [
      `${inner} is inside ${outer}: each needs its own place`,
    ]);
  }
  const besides = { INGESTION_URL: "/lake/in", PROCESSED_URL: "/lake/in2" };
  assert.equal(read(besides, []).processedUrl, "/lake/in2");
});

Deno.test("readConfig() refuses zones that are the same through links", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/lake`);
    await Deno.symlink(`${folder}/lake`, `${folder}/link`);
    assert.deepEqual(
      problemsOf({
        INGESTION_URL: `${folder}/lake`,
        PROCESSED_URL: `${folder}/link`,
      }, []),
      ["INGESTION_URL and PROCESSED_URL are the same: each needs its own place"],
    );
    assert.deepEqual(
      problemsOf({
        INGESTION_URL: `${folder}/lake`,
        PROCESSED_URL: `${folder}/link/still/to come`,
      }, []),
      ["PROCESSED_URL is inside INGESTION_URL: each needs its own place"],
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("readConfig() takes .env.example unchanged, and its zones can be created", () =>
  inFolder(async (folder) => {
    const text = await Deno.readTextFile(
      join(platformDirectory(), ".env.example"),
    );
    const env = Object.fromEntries(
      text.split("\n").filter((line) => /^[A-Z]/.test(line))
        .map((line) => line.split(/=(.*)/)),
    );

    read(env, ALL);
    for (const name of ["INGESTION_URL", "PROCESSED_URL"]) {
      const zone = openZone(resolve(folder, env[name]), { s3: undefined });
      assert.equal(await zone.create("a", new Uint8Array([1])), true);
    }
  }));

Deno.test("readConfig() refuses variables of S3 that it can't honour", () => {
  const problems = problemsOf({
    PROCESSED_URL: "s3://bucket/zone",
    AWS_S3_ENDPOINT: "http://127.0.0.1:9000",
    AWS_USE_FIPS_ENDPOINT: "true",
  }, []);

  assert.deepEqual(problems, [
    "AWS_S3_ENDPOINT is not a setting: did you mean AWS_ENDPOINT_URL?",
    "AWS_USE_FIPS_ENDPOINT can't be honoured: leave it out",
  ]);
});
