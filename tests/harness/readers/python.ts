import { join } from "node:path";
import { platformDirectory } from "../../../lib/platform_directory.ts";

/** A table that pyiceberg finds in a catalogue. */
export interface FoundTable {
  /** Where the metadata is that the catalogue names. */
  metadata: string;
  rows: number;
}

/** The Python that `TEST_PYTHON` names, or `python3`. */
export const PYTHON = Deno.env.get("TEST_PYTHON") ?? "python3";

/** Whether Python has these modules. */
export async function hasModules(...modules: string[]): Promise<boolean> {
  const probe = await python("-c", `import ${modules.join(", ")}`)
    .catch(() => undefined);
  return probe?.success === true;
}

/** A namespace's tables, read by a catalogue of pyiceberg's. */
export async function tablesByPyiceberg(
  database: string,
  properties: Readonly<Record<string, string | undefined>>,
): Promise<Record<string, FoundTable>> {
  const script = join(
    platformDirectory(),
    "tests/harness/readers/read_with_catalogue.py",
  );
  const found = await python(script, JSON.stringify({ database, properties }));
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!found.success) throw new Error(text(found.stderr));
  return JSON.parse(text(found.stdout));
}

async function python(...args: string[]): Promise<Deno.CommandOutput> {
  return await new Deno.Command(PYTHON, {
    args,
    stdout: "piped",
    stderr: "piped",
    env: { TZ: "UTC" },
  }).output();
}
