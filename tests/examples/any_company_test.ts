import assert from "node:assert/strict";
import { join } from "node:path";
import { exampleOf } from "../../demo/examples.ts";
import { copyProject, copyTree } from "../harness/copy_project.ts";
import { inFolder } from "../harness/in_folder.ts";

const COPIED = [
  ".env.example",
  ".github",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "Dockerfile",
  "LICENSE",
  "README.md",
  "bench",
  "compose.yaml",
  "container",
  "demo",
  "deno.json",
  "deno.lock",
  "docs",
  "embedded",
  "examples",
  "extract",
  "infra",
  "init",
  "lib",
  "load",
  "operate",
  "package",
  "sweep",
  "tests",
  "tools",
  "transform",
  "verify",
  "visualise",
];
/** Some of the tests of each part, and which of their files. */
const TESTS = [
  "tests/docs/pages_test.ts",
  "tests/infra/container_test.ts",
  "tests/infra/deploy/make_roles_test.ts",
  "tests/lib/project/project_sql_test.ts",
  "tests/load/tables/make_schema_test.ts",
  "tests/operate/check_test.ts",
  "tests/operate/smoke_test.ts",
  "tests/pipeline/quarantine_test.ts",
  "tests/simulator/main_test.ts",
  "tests/sql/models_test.ts",
  "tests/verify/main_test.ts",
  "tests/visualise/figures/figures_test.ts",
];
const NAMES =
  /^(readProjectSql|makeSchema|check |smoke\(\) sees|every link|docs.architecture.md|the try-out|makeRoles|fact_|dim_|\.\/totesys verify|a row that can't be read|simulate |Figures makes)/;

Deno.test("tests of the engine pass whatever company sql/ is about", () =>
  inFolder(async (folder) => {
    await copyProject(folder, COPIED);
    const { sqlDirectory } = exampleOf("northwind");
    await copyTree(sqlDirectory, join(folder, "sql"));

    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", "--no-check", `--filter=${NAMES}`, ...TESTS],
      cwd: folder,
      env: { SQL_DIRECTORY: join(folder, "examples", "totesys", "sql") },
    }).output();

    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const output = text(stdout) + text(stderr);
    assert.equal(code, 0, output);
    for (const file of TESTS) {
      assert.match(
        output,
        new RegExp(`running [1-9]\\d* tests? from ./${file}`),
      );
    }
  }));
