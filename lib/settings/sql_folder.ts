import { join, resolve } from "node:path";
import { sqlFileNamer } from "../project/sql_files.ts";
import { platformDirectory } from "../platform_directory.ts";
import type { Environment } from "./setting_reader.ts";

/**
 * What a company's folder holds, which stands in texts as `sql/models/...`, also
 * after the `\n` of JSON.
 */
const COMPANY_SQL =
  /(?<!(?<!\\)[\w./~-])sql\/(?=(?:source\.sql|models|quarantine|checks|dashboard|warehouse|smoke)\b|[\s"'`,;:()\\]|$)/g;

/**
 * Puts the company's folder where texts for people say `sql/`, and the folders
 * in it where they name a file: the one place that knows that `SQL_DIRECTORY`
 * names another one.
 */
export function sqlFolderNamer(env: Environment): (text: string) => string {
  const folder = sqlDirectory(env);
  const nameFile = sqlFileNamer(folder);
  if (folder === sqlDirectory(() => undefined)) return nameFile;
  // Texts may be JSON.
  const place = JSON.stringify(`${folder}/`).slice(1, -1);
  return (text) => nameFile(text).replace(COMPANY_SQL, () => place);
}

/** The company's folder of SQL; the project's own if no setting names one. */
export function sqlDirectory(env: Environment): string {
  return resolve(
    env("SQL_DIRECTORY")?.trim() || join(platformDirectory(), "sql"),
  );
}
