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
/** What no command needs for its help. */
const OF_RUNS = [...HEAVY, "npm:pg@", "@logtape/", "/project_sql.ts"];
/** What a run of transform needs only where something changed. */
const OF_CHANGES = [
  ...HEAVY,
  "/register_models.ts",
  "/transform_batch.ts",
  "/publish_batch.ts",
];

for (
  const { module, without } of [
    { module: "extract/main.ts", without: OF_RUNS },
    { module: "transform/main.ts", without: OF_RUNS },
    { module: "load/main.ts", without: OF_RUNS },
    { module: "verify/main.ts", without: OF_RUNS },
    { module: "operate/run.ts", without: OF_RUNS },
    { module: "operate/rebuild.ts", without: OF_RUNS },
    { module: "operate/doctor.ts", without: OF_RUNS },
    { module: "operate/status.ts", without: OF_RUNS },
    { module: "operate/read_status.ts", without: OF_CHANGES },
    {
      module: "operate/run_stages.ts",
      without: [...OF_CHANGES, "/verify.ts"],
    },
  ]
) {
  Deno.test(`${module} starts without what it may not need`, async () => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", module],
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

    assert(loaded.size > 10);
    assert.deepEqual(
      [...loaded].filter((name) => without.some((one) => name.includes(one))),
      [],
    );
  });
}

const STAGES = ["extract", "transform", "load"];
/** What a folder may import besides its own: see docs/architecture.md. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  extract: ["lib"],
  transform: ["lib"],
  load: ["lib"],
  sweep: ["lib"],
  embedded: ["lib"],
  visualise: ["lib"],
  init: ["lib", "extract"],
  verify: ["lib", ...STAGES],
  operate: ["lib", ...STAGES, "verify", "sweep"],
  package: ["lib", "visualise"],
  infra: ["lib"],
  tools: ["lib", "embedded"],
  demo: ["lib", "embedded", "operate", "visualise"],
  bench: ["lib", ...STAGES, "demo", "embedded", "package"],
};

for (const [folder, others] of Object.entries(MAY_IMPORT)) {
  Deno.test(`${folder}/ imports only what docs/architecture.md says`, () => {
    const allowed = [folder, ...others];

    const imports = modulesIn(folder).flatMap((file) =>
      relativeImports(file).map((module) => ({ file, module }))
    );
    const found = imports.filter(({ module }) =>
      !allowed.some((one) => module.startsWith(`${one}/`))
    ).map(({ file, module }) => `${file} imports ${module}`);

    assert(imports.length > 5);
    assert.deepEqual(found, []);
  });
}

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
