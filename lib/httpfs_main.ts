import { join } from "node:path";
import { projectDirectory } from "./config.ts";
import { fetchHttpfs } from "./httpfs.ts";

if (import.meta.main) {
  const directory = join(projectDirectory(), ".duckdb");
  const path = await fetchHttpfs(directory);
  console.log(`${path}\nSet DUCKDB_EXTENSION_DIRECTORY=${directory}`);
}
