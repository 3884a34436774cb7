/**
 * `deno task lint:workflows`: runs actionlint and zizmor on `.github`. If they
 * are missing, Go and pip install them into `.tools`.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12";
const ZIZMOR = "zizmor==1.32.0";

const project = fileURLToPath(new URL("..", import.meta.url));
const tools = join(project, ".tools");
const environment = join(tools, "python");

/** Runs a program and shows its output; whether it succeeded. */
async function runs(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<boolean> {
  console.log([program, ...args].join(" "));
  const command = new Deno.Command(program, { args, env, cwd: project });
  return (await command.spawn().status).success;
}

const actionlint = join(tools, "actionlint");
const zizmor = join(environment, "bin", "zizmor");
await Deno.mkdir(tools, { recursive: true });
if (!existsSync(actionlint)) {
  await runs("go", ["install", ACTIONLINT], { GOBIN: tools });
}
if (!existsSync(zizmor)) {
  await runs("python3", ["-m", "venv", environment]);
  await runs(join(environment, "bin", "pip"), ["install", "-q", ZIZMOR]);
}
const results = [
  await runs(actionlint, []),
  await runs(zizmor, ["--offline", "--quiet", ".github"]),
];
const failed = results.filter((passed) => !passed).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
Deno.exit(failed > 0 ? 1 : 0);
