import { join } from "node:path";
import { runCommand } from "../lib/cli/command.ts";
import { fetchHttpfs } from "../lib/duckdb/httpfs.ts";
import { platformDirectory } from "../lib/platform_directory.ts";

const USAGE = `./totesys httpfs

Fetches DuckDB's S3 extension from PyPI into .duckdb, for hosts that can't
reach DuckDB's own store, and says what to set DUCKDB_EXTENSION_DIRECTORY to.`;

if (import.meta.main) {
  const code = await runCommand({
    name: "httpfs",
    usage: USAGE,
    needs: [],
    options: {},
    run: async (_context, { write }) => {
      const directory = join(platformDirectory(), ".duckdb");
      const path = await fetchHttpfs(directory);
      write(`${path}\nSet DUCKDB_EXTENSION_DIRECTORY=${directory}\n`);
    },
  }, Deno.args);
  Deno.exit(code);
}
