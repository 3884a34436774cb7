import type { DuckDBConnection } from "@duckdb/node-api";
import { messageOf, StageError } from "../errors.ts";
import { quoteText } from "../sql/quote.ts";
import type { Config } from "../settings/config.ts";

/** Where the extension is looked for. */
type Place = Pick<Config, "duckDbExtensionDirectory">;

/** The extension's file, as DuckDB checked it. */
interface CheckedFile {
  path: string;
  identity: string;
}

/** By the folder that the extension was loaded from. */
const CHECKED = new Map<string | undefined, CheckedFile>();

/**
 * The path of the httpfs extension if DuckDB has checked its signature in this
 * process and the file is still the same. To check it, DuckDB hashes all of
 * it, each time that it is loaded.
 */
export async function checkedHttpfs(place: Place): Promise<string | undefined> {
  const checked = CHECKED.get(place.duckDbExtensionDirectory);
  return checked !== undefined &&
      await identityOf(checked.path) === checked.identity
    ? checked.path
    : undefined;
}

/**
 * Loads the httpfs extension: the file that was checked, in a DuckDB that loads
 * unsigned ones, or if there is none the one that is installed. Throws a
 * `StageError` if it can't be loaded.
 */
export async function loadHttpfs(
  connection: DuckDBConnection,
  options: { place: Place; checked: string | undefined },
): Promise<void> {
  const { place, checked } = options;
  try {
    if (checked !== undefined) {
      await connection.run(`load ${quoteText(checked)}`);
      return;
    }
    if (place.duckDbExtensionDirectory === undefined) {
      await connection.run("install httpfs");
    }
    const path = await installedPath(connection);
    const before = await identityOf(path);
    await connection.run("load httpfs");
    // It may have been replaced while DuckDB read it.
    if (before === undefined || before !== await identityOf(path)) return;
    CHECKED.set(place.duckDbExtensionDirectory, { path, identity: before });
  } catch (error) {
    throw new StageError(
      `Cannot load DuckDB's httpfs extension: ${messageOf(error)}`,
      {
        subject: "httpfs",
        hint:
          "Without access to extensions.duckdb.org, run `./totesys httpfs` once and set DUCKDB_EXTENSION_DIRECTORY to the folder it names",
        cause: error,
      },
    );
  }
}

async function installedPath(connection: DuckDBConnection): Promise<string> {
  const found = await connection.runAndReadAll(
    `select install_path from duckdb_extensions()
    where extension_name = 'httpfs'`,
  );
  return String(found.getRows()[0]?.[0] ?? "");
}

/** What changes when a file is replaced or written; undefined if unknown. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, size, mtime, ctime } = await Deno.stat(path);
    return [dev, ino, size, mtime?.getTime(), ctime?.getTime()].join();
  } catch {
    return undefined;
  }
}
