import type { SqlFile } from "../../../lib/project/project_sql.ts";

/** Totesys' own migrations that are retired since, as commit 76ac4e6 had them. */
export const RETIRED_MIGRATIONS: readonly SqlFile[] = [
  "0002_stars",
  "0009_history_indexes",
].map((name) => ({
  name,
  text: Deno.readTextFileSync(
    new URL(`retired_migrations/${name}.sql`, import.meta.url),
  ),
}));
