import { join } from "node:path";
import { platformDirectory } from "../../../lib/platform_directory.ts";

/**
 * The folder of the company that the tests run on: Totesys among the examples,
 * so that they hold whatever the project's `sql/` has.
 */
export const SQL_DIRECTORY = join(
  platformDirectory(),
  "examples",
  "totesys",
  "sql",
);
