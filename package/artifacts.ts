import { existsSync } from "node:fs";
import { join } from "node:path";
import { download } from "../lib/download.ts";
import { messageOf, StageError } from "../lib/errors.ts";

/** The processor architectures of Lambda. */
export type Architecture = "x86_64" | "arm64";

/** A package of npm's registry, and the files needed from it. */
interface Artifact {
  name: string;
  version: string;
  /** In base64, in the registry's form. */
  sha512: string;
  files: readonly string[];
}

const REGISTRY = "https://registry.npmjs.org";

const DENO: Record<Architecture, Artifact> = {
  x86_64: {
    name: "@deno/linux-x64-glibc",
    version: "2.9.6",
    sha512:
      "3md4TKLCuzsLDmfOoC5KN7NAZaxSVkMgm64vg6foD00JBADCpYS2/5QqXfzgnP5ZQz3iLP9vBQJtEgc116OAoQ==",
    files: ["deno"],
  },
  arm64: {
    name: "@deno/linux-arm64-glibc",
    version: "2.9.6",
    sha512:
      "poqhoH9B3nYloigEMPT5t8HY+wBeiuea1An5Q7fqgJzP0SYmWsoS/oUnWO/pEiA4ofzIBy1Elt/in58xKtxEoQ==",
    files: ["deno"],
  },
};
const DUCKDB: Record<Architecture, Artifact> = {
  x86_64: {
    name: "@duckdb/node-bindings-linux-x64",
    version: "1.5.5-r.5",
    sha512:
      "kCyq6BXhn6QXfwF8yVdVKriSSHP+rfVWcJ56cG8qZzlOZpxyvT5WGm6jMshxg4ditLlOsHsIN/D47RYrcjXuHQ==",
    files: ["duckdb.node", "libduckdb.so"],
  },
  arm64: {
    name: "@duckdb/node-bindings-linux-arm64",
    version: "1.5.5-r.5",
    sha512:
      "CafH2AIvXtpwDynG3KB/4uEOHRGlFoB7auCRMIwH3BKNIobsANV5LSpDJ3tfyRCFIsK6e8AT1eseWVnu2Dv3cw==",
    files: ["duckdb.node", "libduckdb.so"],
  },
};

/** Native programs and libraries, by architecture. */
export const ARTIFACTS = { deno: DENO, duckdb: DUCKDB };

/**
 * Fetches a package of npm's registry, checks its hash, and unpacks its files
 * below the folder, unless they are there already. Returns the folder that
 * holds them. Throws a `StageError` if the package can't be fetched or is not
 * the expected one.
 */
export async function fetchArtifact(
  artifact: Artifact,
  folder: string,
): Promise<string> {
  const { name, version, sha512, files } = artifact;
  const target = join(folder, `${name.replace("/", "-")}-${version}`);
  if (existsSync(target)) return target;
  const url = `${REGISTRY}/${name}/-/${name.split("/")[1]}-${version}.tgz`;
  await Deno.mkdir(folder, { recursive: true });
  const unfinished = await Deno.makeTempDir({ dir: folder });
  try {
    const archive = join(unfinished, "package.tgz");
    const bytes = await download(url, {
      algorithm: "sha512",
      digest: sha512,
      encoding: "base64",
    });
    await Deno.writeFile(archive, bytes);
    const { success, stderr } = await new Deno.Command("tar", {
      args: ["-xzf", archive, "-C", unfinished, "--strip-components=1"]
        .concat(files.map((file) => `package/${file}`)),
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    await Deno.remove(archive);
    await Deno.rename(unfinished, target);
  } catch (error) {
    await Deno.remove(unfinished, { recursive: true }).catch(() => {});
    throw new StageError(`Cannot fetch ${url}: ${messageOf(error)}`, {
      subject: name,
      retryable: true,
      hint: "Check the access to the internet (HTTPS_PROXY)",
      cause: error,
    });
  }
  return target;
}
