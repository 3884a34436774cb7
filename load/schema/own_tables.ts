import type pg from "pg";
import { StageError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import { splitSql } from "../../lib/project/ddl_text.ts";
import type { SqlFile } from "../../lib/project/project_sql.ts";
import { QUARANTINE } from "../../lib/project/quarantine_model.ts";
import {
  type DeclaredTables,
  readDeclaredTables,
} from "../../lib/project/warehouse_ddl.ts";
import { ENGINE_INDEXES } from "./engine_indexes.ts";
import { ENGINE_SCHEMA } from "./engine_schema.ts";
import { appliedMigrations } from "../tables/migrate.ts";
import { hasKeysTwice } from "./has_keys_twice.ts";

const SCHEMA = "pipeline.";
/** Without these a load would continue from a wrong state, or lose findings. */
const FILLED_BY_REBUILD = ["batch", "batch_file", "finding"];

/** One of the pipeline's own tables that is not as it was created. */
export interface DamagedTable {
  name: string;
  /** Its fault, for people. */
  fault: string;
}

/**
 * The tables of the schema `pipeline` that are gone, lack a column, or have keys
 * twice, though the migration that creates them was applied. Throws a
 * `StageError` where the list of applied migrations is itself gone, or a table
 * is unlogged.
 */
export async function damagedTables(
  client: pg.Client,
): Promise<DamagedTable[]> {
  const applied = await appliedMigrations(client);
  const rows = await query(
    client,
    `select relname as table_name, attname as column_name, relpersistence,
      exists (
        select from pg_index
        where indrelid = pg_class.oid and indisunique and indisvalid
          and indpred is null and indexprs is null
      )::text as has_key
    from pg_class
    inner join pg_attribute on attrelid = pg_class.oid and attnum > 0
      and not attisdropped
    where relnamespace = to_regnamespace('pipeline') and relkind in ('r', 'p')
    union all
    select 'history', '', '', null from pg_class
    where oid = to_regclass(quote_ident($1 || '_history'))`,
    [QUARANTINE.name],
  );
  if (applied.size === 0) {
    const ours = new Set(["history", ...declaredTables(ENGINE_SCHEMA).keys()]);
    if (rows.some((row) => ours.has(row.table_name ?? ""))) {
      throw noMigrations();
    }
    return [];
  }
  const wanted = declaredTables(
    ENGINE_SCHEMA.filter(({ name }) => applied.has(name)),
  );
  const unlogged = rows.find(({ table_name, relpersistence }) =>
    relpersistence === "u" &&
    (table_name === "migration" || wanted.has(table_name ?? ""))
  );
  if (unlogged) throw notLogged(`${SCHEMA}${unlogged.table_name}`);
  const damaged = [...wanted].flatMap(([table, columns]) => {
    const held = rows.filter(({ table_name }) => table_name === table)
      .map(({ column_name }) => column_name);
    const lacking = [...columns.keys()].find((name) => !held.includes(name));
    if (lacking === undefined) return [];
    const name = `${SCHEMA}${table}`;
    return [{
      name: table,
      fault: held.length === 0
        ? `${name} is gone`
        : `${name} lacks the column ${lacking}`,
    }];
  });
  const keyless = [...wanted.keys()].filter((table) =>
    !damaged.some(({ name }) => name === table) &&
    rows.some((row) => row.table_name === table && row.has_key === "false")
  );
  return [...damaged, ...await doubledTables(client, keyless)];
}

/** Those of these tables, whose keys were dropped, that have keys twice. */
async function doubledTables(
  client: pg.Client,
  tables: readonly string[],
): Promise<DamagedTable[]> {
  const keys = ENGINE_INDEXES.filter(({ table, kind }) =>
    kind === "primary" && tables.includes(table)
  );
  const doubled: DamagedTable[] = [];
  for (const { table, columns } of keys) {
    const name = `${SCHEMA}${table}`;
    if (!await hasKeysTwice(client, { table: name, key: columns })) continue;
    doubled.push({
      name: table,
      fault: `${name} has lost its primary key, and has keys twice`,
    });
  }
  return doubled;
}

/** Throws a `StageError` for the first of these that only a reload fills. */
export function checkDamaged(damaged: readonly DamagedTable[]): void {
  const needed = damaged.find(({ name }) => FILLED_BY_REBUILD.includes(name));
  if (needed === undefined) return;
  throw damagedError(needed);
}

/** The error about such a table. */
export function damagedError({ name, fault }: DamagedTable): StageError {
  return new StageError(`Cannot rely on this warehouse: ${fault}`, {
    subject: `${SCHEMA}${name}`,
    hint: FILLED_BY_REBUILD.includes(name)
      ? `Run \`./totesys rebuild warehouse\`: it creates that table again, and fills it`
      : "Run load: it creates that table again",
  });
}

/** Creates such a table again, empty, as the migrations did. */
export async function makeDamaged(
  client: pg.Client,
  { name }: DamagedTable,
): Promise<void> {
  const table = SCHEMA + quoteName(name);
  await client.query(`drop table if exists ${table}`);
  const ofTable = new RegExp(
    String
      .raw`^(create table|alter table|create index on|comment on (table|column)) ${SCHEMA}${name}\b`,
  );
  const statements = ENGINE_SCHEMA.flatMap(({ text }) => splitSql(text, ";"))
    .filter((statement) => ofTable.test(statement));
  for (const statement of statements) await client.query(statement);
}

function declaredTables(migrations: readonly SqlFile[]): DeclaredTables {
  return readDeclaredTables(
    migrations.map(({ name, text }) => ({
      name,
      text: text.replaceAll(SCHEMA, ""),
    })),
  );
}

function notLogged(table: string): StageError {
  return new StageError(
    `Cannot rely on this warehouse: ${table} is unlogged, so a crash of the server would empty it silently`,
    {
      subject: table,
      hint:
        `alter table ${table} set logged; where the server has crashed since, also run \`./totesys rebuild warehouse\``,
    },
  );
}

function noMigrations(): StageError {
  return new StageError(
    "Cannot rely on this warehouse: pipeline.migration, the list of its migrations, is gone",
    {
      subject: "pipeline.migration",
      hint:
        "Restore it from a backup of the warehouse; or let WAREHOUSE_URL name an empty database, which load fills with the whole history",
    },
  );
}
