import type pg from "pg";
import { messageOf, StageError } from "../../lib/errors.ts";
import {
  inTransaction,
  query,
  relationExists,
  sqlState,
} from "../../lib/postgres/postgres.ts";
import type { SqlFile } from "../../lib/project/project_sql.ts";
import { sha256Hex } from "../../lib/zone/checksum.ts";
import { ENGINE_SCHEMA } from "../schema/engine_schema.ts";
import { adviceOn } from "../../lib/warehouse/load_error.ts";
import type { Loader } from "../open_loader.ts";

const CREATE = `create schema if not exists pipeline;
create table if not exists pipeline.migration (
  name text primary key,
  sha256 text not null,
  applied_at timestamptz not null default clock_timestamp()
)`;

const NO_SCHEMA = "3F000";

/**
 * Brings the warehouse's tables up to the numbered migrations, each in a
 * transaction of its own, and returns the names of those it applied; undefined
 * when another load is at work, to which the rest is left. Throws a
 * `StageError` when an applied one was edited since, or the warehouse was made
 * by a newer version.
 */
export async function migrate(
  client: pg.Client,
  migrations: readonly SqlFile[],
  options: {
    /** All migrations that may have been applied. */
    known?: readonly SqlFile[];
    /** Runs work in a transaction while nobody else loads. */
    transaction?: Loader["transaction"];
  } = {},
): Promise<string[] | undefined> {
  const {
    known = migrations,
    transaction = async (work) => {
      await inTransaction(client, {}, work);
      return true;
    },
  } = options;
  const of = { migrations, known };
  const names: string[] = [];
  const pending = await inTransaction(
    client,
    { readOnly: true },
    () => pendingMigrations(client, of),
  );
  for (const file of pending) {
    const isAlone = await transaction(async () => {
      // Another load may have applied it since.
      const stillPending = await pendingMigrations(client, of);
      if (!stillPending.includes(file)) return;
      await apply(client, file);
      names.push(file.name);
    });
    if (!isAlone) return undefined;
  }
  return names;
}

async function apply(
  client: pg.Client,
  { name, text, recordedAs = hashOf(text) }: SqlFile,
): Promise<void> {
  try {
    await client.query(CREATE);
    await client.query(text);
    await client.query(
      "insert into pipeline.migration (name, sha256) values ($1, $2)",
      [name, recordedAs],
    );
  } catch (error) {
    const { retryable, hint } = adviceOn(error);
    throw new StageError(
      `Cannot apply the migration ${name}: ${messageOf(error)}`,
      {
        subject: name,
        retryable,
        hint: `Nothing of it was kept. ${
          sqlState(error) === "42501"
            ? "The loader's role must own the schema; see load/warehouse_roles.sql"
            : retryable || sqlState(error) === NO_SCHEMA
            ? hint
            : `Fix ${folderOf(name)}/${name}.sql, or what it conflicts with`
        }`,
        cause: error,
      },
    );
  }
}

/**
 * The migrations that are not applied yet, in order. Throws a `StageError` when
 * an applied one was edited since, or is not a known one.
 */
export async function pendingMigrations(
  client: pg.Client,
  of: { migrations: readonly SqlFile[]; known: readonly SqlFile[] },
): Promise<SqlFile[]> {
  const applied = await appliedMigrations(client);
  checkApplied(applied, of.known);
  return of.migrations.filter((file) =>
    !applied.has(file.name) && !isRetired(file)
  );
}

/**
 * Whether a migration no longer does anything: its tables are now derived from
 * models. It stays for warehouses that have applied it.
 */
export function isRetired({ text }: Pick<SqlFile, "text">): boolean {
  return /^-- Retired\b/.test(text);
}

/** The migrations that were applied, with the hashes of their texts. */
export async function appliedMigrations(
  client: pg.Client,
): Promise<Map<string, string>> {
  if (!await relationExists(client, "pipeline.migration")) return new Map();
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
        `Cannot load into this warehouse: its migration ${name} is not in ${
          folderOf(name)
        }`,
        { subject: name, hint: "Run the version that made it, or a newer one" },
      );
    }
    if (isRetired(file)) continue;
    // An older version recorded the hash of the untrimmed text.
    const same = [
      hashOf(file.text),
      sha256Hex(file.text),
      sha256Hex(trimmed(file.text)),
      file.recordedAs,
    ];
    if (same.includes(sha256)) continue;
    throw new StageError(
      `Cannot load into this warehouse: ${
        folderOf(name)
      }/${name}.sql was edited after it was applied`,
      {
        subject: name,
        hint: "Take the edit back and write a new, numbered migration for it",
      },
    );
  }
}

/** Whether a file is a copy of a migration, as it is or as it was at first. */
export function isCopy(file: SqlFile, { text, recordedAs }: SqlFile): boolean {
  return [hashOf(text), recordedAs].includes(hashOf(file.text));
}

/** A hash that does not depend on blanks at the ends of lines. */
function hashOf(text: string): string {
  return sha256Hex(`${trimmed(text)}\n`);
}

/** The folder of a migration. */
function folderOf(name: string): string {
  return ENGINE_SCHEMA.some((file) => file.name === name)
    ? "load/schema"
    : "sql/warehouse";
}

/** A text without trailing blanks, of each line and of the whole. */
function trimmed(text: string): string {
  return text.replaceAll(/[ \t\r]+$/gm, "").trimEnd();
}
