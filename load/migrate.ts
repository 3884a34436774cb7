import type pg from "pg";
import { sha256Hex } from "../lib/checksum.ts";
import { messageOf, StageError } from "../lib/errors.ts";
import { query } from "../lib/postgres.ts";
import type { SqlFile } from "../lib/project_sql.ts";

const CREATE = `create schema if not exists pipeline;
create table if not exists pipeline.migration (
  name text primary key,
  sha256 text not null,
  applied_at timestamptz not null default clock_timestamp()
)`;

/**
 * Brings the warehouse's tables up to the numbered migrations, each in a
 * transaction of its own, and gives the names of those it applied. The caller
 * holds the lock. Throws a `StageError` when an applied one was edited since,
 * or the warehouse was made by a newer version.
 */
export async function migrate(
  client: pg.Client,
  migrations: readonly SqlFile[],
): Promise<string[]> {
  const applied = await appliedMigrations(client);
  checkApplied(applied, migrations);
  const waiting = migrations.filter((file) => !applied.has(file.name));
  for (const { name, text } of waiting) {
    try {
      await client.query("begin");
      await client.query(CREATE);
      await client.query(text);
      await client.query(
        "insert into pipeline.migration (name, sha256) values ($1, $2)",
        [name, sha256Hex(text)],
      );
      await client.query("commit");
    } catch (error) {
      await client.query("rollback").catch(() => {});
      throw new StageError(
        `Cannot apply the migration ${name}: ${messageOf(error)}`,
        {
          subject: name,
          hint:
            "Nothing of it was kept. The loader's role must own the schema; see sql/roles/warehouse_roles.sql",
          cause: error,
        },
      );
    }
  }
  return waiting.map((file) => file.name);
}

async function appliedMigrations(
  client: pg.Client,
): Promise<Map<string, string>> {
  const [table] = await query(
    client,
    "select to_regclass('pipeline.migration') as name",
  );
  if (table?.name === null || table?.name === undefined) return new Map();
  const rows = await query(
    client,
    "select name, sha256 from pipeline.migration",
  );
  return new Map(rows.map((row) => [row.name ?? "", row.sha256 ?? ""]));
}

function checkApplied(
  applied: ReadonlyMap<string, string>,
  migrations: readonly SqlFile[],
): void {
  for (const [name, sha256] of applied) {
    const file = migrations.find((one) => one.name === name);
    if (file === undefined) {
      throw new StageError(
        `Cannot load into this warehouse: its migration ${name} is not in sql/warehouse`,
        { subject: name, hint: "Run the version that made it, or a newer one" },
      );
    }
    if (sha256Hex(file.text) === sha256) continue;
    throw new StageError(
      `Cannot load into this warehouse: sql/warehouse/${name}.sql was edited after it was applied`,
      {
        subject: name,
        hint: "Take the edit back and write a new, numbered migration for it",
      },
    );
  }
}
