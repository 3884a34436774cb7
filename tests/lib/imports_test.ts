import assert from "node:assert/strict";
import { dirname, join } from "node:path/posix";
import { platformDirectory } from "../../lib/platform_directory.ts";

/** What `deno info --json` says of a module. */
interface Module {
  specifier: string;
  dependencies?: {
    code?: { specifier: string };
    isDynamic?: boolean;
  }[];
}

/** What commands may load only where it is used: each takes long to load. */
const HEAVY = ["@aws-sdk/", "@duckdb/"];

for (
  const entrypoint of [
    "extract/main.ts",
    "transform/main.ts",
    "load/main.ts",
    "operate/run.ts",
    "operate/status.ts",
  ]
) {
  Deno.test(`${entrypoint} loads no heavy package before it is needed`, async () => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", entrypoint],
      cwd: platformDirectory(),
    }).output();
    const { roots, modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
      roots: string[];
      modules: Module[];
    };
    const byName = new Map(modules.map((one) => [one.specifier, one]));
    const loaded = new Set(roots);
    for (const name of loaded) {
      for (const { code, isDynamic } of byName.get(name)?.dependencies ?? []) {
        if (code !== undefined && !isDynamic) loaded.add(code.specifier);
      }
    }

    assert(loaded.size > 20);
    assert.deepEqual(
      [...loaded].filter((name) => HEAVY.some((heavy) => name.includes(heavy))),
      [],
    );
  });
}

Deno.test("stages import each other only where CONTRIBUTING.md says", () => {
  const stages = ["extract", "transform", "load"];

  const files = stages.flatMap(modulesIn);
  const found = files.flatMap((file) =>
    relativeImports(file)
      .filter((module) =>
        stages.some((stage) =>
          module.startsWith(`${stage}/`) && !file.startsWith(`${stage}/`)
        )
      )
      .map((module) => `${file} imports ${module}`)
  );

  assert(files.length > 100);
  assert.deepEqual(found.sort(), [
    "load/tables/model_types.ts imports transform/models/model_changes.ts",
    "load/tables/model_types.ts imports transform/models/register_models.ts",
  ]);
});

/** The modules of a folder and its folders, from the project's own. */
function modulesIn(folder: string): string[] {
  const entries = [...Deno.readDirSync(join(platformDirectory(), folder))];
  return entries.flatMap(({ name, isDirectory }) =>
    isDirectory
      ? modulesIn(`${folder}/${name}`)
      : name.endsWith(".ts")
      ? [`${folder}/${name}`]
      : []
  );
}

/** The files that a module imports, at its start or later. */
function relativeImports(module: string): string[] {
  const text = Deno.readTextFileSync(join(platformDirectory(), module));
  return [...text.matchAll(/\b(?:from|import\(?)\s*"(\.[^"]+)"/g)]
    .map(([, path = ""]) => join(dirname(module), path));
}
