import assert from "node:assert/strict";
import { join } from "node:path";
import { query } from "../../lib/postgres/postgres.ts";
import {
  type ProjectSql,
  readProjectSql,
} from "../../lib/project/project_sql.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { transform } from "../../transform/transform.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { SQL_DIRECTORY } from "../harness/companies/sql_directory.ts";

/** The project's SQL with edits: file, what is there, what takes its place. */
export async function editedSql(
  edits: readonly (readonly [file: string, from: string, to: string])[],
): Promise<ProjectSql> {
  const folder = await Deno.makeTempDir();
  await new Deno.Command("cp", {
    args: ["-r", SQL_DIRECTORY, join(folder, "sql")],
  }).output();
  for (const [file, from, to] of edits) {
    const path = join(folder, "sql", file);
    const text = await Deno.readTextFile(path);
    assert(text.includes(from), `${file}: ${from}`);
    await Deno.writeTextFile(path, text.replaceAll(from, to));
  }
  const sql = readProjectSql(join(folder, "sql"));
  await Deno.remove(folder, { recursive: true });
  return sql;
}

/** How a person goes on after they changed the SQL of models. */
export const WAYS = {
  "--accept": async (platform: Platform) => {
    await platform.extract();
    await transform(platform.context, { accept: true });
    await platform.load();
  },
  "a rebuild of both places": async (platform: Platform) => {
    await rebuildProcessed(platform.context);
    await rebuildWarehouse(platform.context, { accept: true });
    await platform.run();
  },
};

export async function withTwoBatches(
  test: (platform: Platform, reader: string) => Promise<void>,
): Promise<void> {
  await using platform = await openPlatform();
  const { source, warehouse } = platform;
  await fillSmall(source.client);
  await platform.run();
  await execute(source.client, insertOrder(30));
  await platform.run();
  const reader = `reader_${warehouse.settings.database}`;
  await execute(warehouse.client, `create role ${reader}`);
  try {
    await test(platform, reader);
  } finally {
    await execute(
      warehouse.client,
      `drop owned by ${reader}`,
      `drop role ${reader}`,
    );
  }
}

export async function columnsOf(
  { warehouse }: Platform,
  relation: string,
): Promise<Record<string, string>> {
  const rows = await query(
    warehouse.client,
    `select attname as name, format_type(atttypid, atttypmod) as type
    from pg_attribute
    where attrelid = $1::regclass and attnum > 0 and not attisdropped`,
    [relation],
  );
  return Object.fromEntries(rows.map(({ name, type }) => [name, type ?? ""]));
}
