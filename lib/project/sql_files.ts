import { basename, join, relative } from "node:path";
import { ConfigError } from "../errors.ts";

/** Where a person reads what the folder may hold. */
export const FOLDER_HINT =
  "docs/your-database.md shows such a folder, and what a header says";
/** Endings that only differ by case would be passed over in silence. */
const ANY_CASE = /\.sql$/i;
/** A file of a company's SQL by its kind and name, as messages have it. */
const NAMED =
  /(?<![\w./~-])sql\/(models|quarantine|checks|dashboard|warehouse)\/([^\s/"'`,;:()\\]+\.sql)/g;

/**
 * The paths of the SQL files in a folder and in the folders in it. Throws a
 * `ConfigError` for a file `x.SQL`.
 */
export function sqlFilesIn(folder: string): string[] {
  try {
    const entries = [...Deno.readDirSync(folder)];
    checkEndings(folder, entries.map(({ name }) => name));
    return entries.flatMap(({ name, isDirectory }) => {
      const path = join(folder, name);
      if (name.endsWith(".sql")) return [path];
      return isDirectory && !name.startsWith(".") ? sqlFilesIn(path) : [];
    });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function checkEndings(folder: string, names: readonly string[]): void {
  const problems = names.filter((name) => ANY_CASE.test(name))
    .filter((name) => !name.endsWith(".sql"))
    .map((name) => `${join(folder, name)}: its name must end with .sql`);
  if (problems.length > 0) throw new ConfigError(problems, FOLDER_HINT);
}

/**
 * Puts a file's path where texts name it by kind and name, as in
 * `sql/models/dim_item.sql`: it may lie in a folder of that one. A file that
 * isn't there stays as it is.
 */
export function sqlFileNamer(sqlDirectory: string): (text: string) => string {
  return (text) =>
    text.replace(NAMED, (named, kind: string, file: string) => {
      const folder = join(sqlDirectory, kind);
      const path = pathsOrNone(folder).find((one) => basename(one) === file);
      if (path === undefined) return named;
      const inside = relative(folder, path).replaceAll("\\", "/");
      // Texts may be JSON.
      return `sql/${kind}/${JSON.stringify(inside).slice(1, -1)}`;
    });
}

/** A text that can't be completed must not hide an error. */
function pathsOrNone(folder: string): string[] {
  try {
    return sqlFilesIn(folder);
  } catch {
    return [];
  }
}
