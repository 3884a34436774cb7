import { join, resolve } from "node:path";
import { fetchHttpfs } from "../lib/duckdb/httpfs.ts";
import { StageError } from "../lib/errors.ts";
import { readDashboard } from "../lib/project/dashboard.ts";
import { readProjectSql } from "../lib/project/project_sql.ts";
import { platformDirectory } from "../lib/platform_directory.ts";
import { SERVED_FILES } from "../visualise/http/served_files.ts";
import { type Architecture, ARTIFACTS, fetchArtifact } from "./artifacts.ts";

/** A file of a zip: from this path, or these bytes. */
export interface ZipEntry {
  from: string | Uint8Array;
  executable?: boolean;
}

/** The files of a zip, by their path in it. */
export type ZipEntries = Map<string, ZipEntry>;

/** A function: its entrypoint, and whether it uses DuckDB. */
export interface PackagedFunction {
  entrypoint: string;
  usesDuckDb: boolean;
  /** Files that it serves beside `sql/`, as paths in the project. */
  files?: readonly string[];
}

/** The functions by name, which is also the stage in logs, metrics and AWS. */
export const FUNCTIONS: Record<string, PackagedFunction> = {
  extract: { entrypoint: "extract/lambda.ts", usesDuckDb: false },
  transform: { entrypoint: "transform/lambda.ts", usesDuckDb: true },
  load: { entrypoint: "load/lambda.ts", usesDuckDb: true },
  verify: { entrypoint: "verify/lambda.ts", usesDuckDb: true },
  sweep: { entrypoint: "sweep/lambda.ts", usesDuckDb: false },
  dashboard: {
    entrypoint: "visualise/lambda.ts",
    usesDuckDb: false,
    files: SERVED_FILES.map(({ file }) => file),
  },
};

const DUCKDB_PLATFORMS = { x86_64: "linux_amd64", arm64: "linux_arm64" };
/** The module by which DuckDB's library is found, and its code. */
const BINDINGS = "node_modules/@duckdb/node-bindings";
const BINDINGS_MODULE =
  "module.exports = require(process.env.DUCKDB_BINDINGS);\n";

const project = platformDirectory();

/** Makes the layer that all functions use. */
export async function denoLayer(
  architecture: Architecture,
  cache: string,
): Promise<ZipEntries> {
  const folder = await fetchArtifact(ARTIFACTS.deno[architecture], cache);
  return new Map([
    ["bin/deno", { from: join(folder, "deno"), executable: true }],
  ]);
}

/** Makes the layer for functions that use DuckDB. */
export async function duckdbLayer(
  architecture: Architecture,
  cache: string,
): Promise<ZipEntries> {
  const folder = await fetchArtifact(ARTIFACTS.duckdb[architecture], cache);
  const extensions = join(cache, "extensions");
  const httpfs = await fetchHttpfs(extensions, {
    platform: DUCKDB_PLATFORMS[architecture],
  });
  return new Map([
    ["duckdb/duckdb.node", { from: join(folder, "duckdb.node") }],
    ["duckdb/libduckdb.so", { from: join(folder, "libduckdb.so") }],
    [
      `duckdb/extensions/${httpfs.slice(extensions.length + 1)}`,
      { from: httpfs },
    ],
  ]);
}

/**
 * Makes a function's zip: its bootstrap, its code in one file, and `sql/`: the
 * company's folder, which `SQL_DIRECTORY` names.
 */
export async function functionEntries(name: string): Promise<ZipEntries> {
  const fn = FUNCTIONS[name];
  if (fn === undefined) throw new Error(`there is no function "${name}"`);
  const { entrypoint, usesDuckDb, files = [] } = fn;
  const part: ZipEntries = new Map();
  part.set("bootstrap", {
    from: join(project, "package", "bootstrap"),
    executable: true,
  });
  part.set(`${name}/lambda.js`, { from: await bundle(entrypoint) });
  if (usesDuckDb) {
    part.set(`${BINDINGS}/index.js`, { from: encode(BINDINGS_MODULE) });
    part.set(`${BINDINGS}/package.json`, {
      from: encode('{"name":"@duckdb/node-bindings","main":"index.js"}\n'),
    });
  }
  for (const path of files) part.set(path, { from: join(project, path) });
  const own = join(project, "sql");
  const company = resolve(Deno.env.get("SQL_DIRECTORY")?.trim() || own);
  // Throws for SQL that the functions could not use.
  readDashboard(readProjectSql(company));
  for await (const path of sqlFiles(company)) {
    part.set(`sql/${path}`, { from: join(company, path) });
  }
  return part;
}

async function bundle(entrypoint: string): Promise<Uint8Array> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      "--platform=deno",
      // Resolved when DuckDB is first used, so never in functions without it.
      "--external=@duckdb/node-bindings",
      entrypoint,
    ],
    cwd: project,
  }).output();
  if (success && stdout.length > 0) return stdout;
  throw new StageError(
    `Cannot bundle ${entrypoint}: ${new TextDecoder().decode(stderr)}`,
    { subject: entrypoint },
  );
}

/** Finds the files of a folder of SQL; paths have slashes. */
async function* sqlFiles(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) {
      for await (const path of sqlFiles(join(folder, name))) {
        yield `${name}/${path}`;
      }
    } else if (/\.sql$|^settings\.json$/.test(name)) yield name;
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
