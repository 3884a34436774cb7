import assert from "node:assert/strict";
import { projectDirectory } from "../../lib/project_directory.ts";

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
  Deno.test(`${entrypoint} starts without what its runs may not need`, async () => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", entrypoint],
      cwd: projectDirectory(),
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
