/**
 * `deno task test`: starts the servers that the tests share, runs every test,
 * and prints the coverage of the stages and of lib/, which has a gate.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startPostgresServer } from "../embedded/postgres_server.ts";
import { fetchHttpfs } from "../lib/duckdb/httpfs.ts";
import { lineAndBranchCoverage } from "./harness/coverage.ts";
import { openTestS3 } from "./harness/servers/s3.ts";
import { SQL_DIRECTORY } from "./harness/companies/sql_directory.ts";

const COVERED = [
  "extract",
  "transform",
  "load",
  "verify",
  "sweep",
  "operate",
  "lib",
];
const COVERAGE_MIN = 90;
/** Entrypoints of a line or two that only a process of its own runs. */
const NOT_COVERED = [
  "extract/lambda.ts",
  "transform/lambda.ts",
  "load/lambda.ts",
  "verify/lambda.ts",
  "sweep/lambda.ts",
];
const SETTINGS = { shared_buffers: "256MB" };
/** The longest files begin first: none of them runs alone at the end. */
const FIRST = [
  "tests/simulator/mutations_test.ts",
  "tests/visualise/live_page_test.ts",
];

const project = fileURLToPath(new URL("..", import.meta.url));
const extensions = join(project, ".duckdb");
const folder = await Deno.makeTempDir({ prefix: "totesys-test-" });
let code = 1;
try {
  await fetchHttpfs(extensions);
  const binDir = Deno.env.get("TEST_POSTGRES_BIN");
  await using postgres = await startPostgresServer({
    dataDir: join(folder, "postgres"),
    persistent: false,
    settings: SETTINGS,
    ...(binDir === undefined ? {} : { binDir }),
  });
  await using s3 = await openTestS3();
  const paths = Deno.args.filter((arg) => !arg.startsWith("-"));
  // `deno task ok` has checked the types of all by then.
  const whole = Deno.args.every((arg) => arg === "--no-check");
  const coverage = join(folder, "coverage");
  const tests = await new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "-A",
      "--parallel",
      ...(whole ? [`--coverage=${coverage}`, "--coverage-raw-data-only"] : []),
      ...Deno.args.filter((arg) => arg.startsWith("-")),
      ...(paths.length === 0 ? [...FIRST, "tests/"] : paths),
    ],
    cwd: project,
    env: {
      TEST_POSTGRES_URL: postgres.url("postgres"),
      TEST_S3_ENDPOINT: s3.endpoint,
      DUCKDB_EXTENSION_DIRECTORY: extensions,
      // What tests run and package is of this company, whatever sql/ holds.
      SQL_DIRECTORY,
      // Tests wait for servers and clocks: one more than processors runs.
      DENO_JOBS: Deno.env.get("DENO_JOBS") ??
        String(navigator.hardwareConcurrency + 1),
      NO_COLOR: "1",
    },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let output = "";
  for await (const text of tests.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    Deno.stdout.writeSync(new TextEncoder().encode(text));
  }
  code = (await tests.status).code;
  if (whole && code === 0) {
    const covered = await lineAndBranchCoverage(coverage, {
      project,
      folders: COVERED,
      without: NOT_COVERED,
    });
    console.log(covered.table);
    if (covered.lines < COVERAGE_MIN || covered.branches < COVERAGE_MIN) {
      console.log(`coverage is below ${COVERAGE_MIN} %`);
      code = 1;
    }
  }
  const [, passed = "0", failed = "1"] =
    /(\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed/.exec(output) ?? [];
  console.log(`${passed} passed, ${failed} failed`);
} finally {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
}
Deno.exit(code);
