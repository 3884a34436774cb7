import type pg from "pg";
import { query } from "../lib/postgres/postgres.ts";
import { quoteName } from "../lib/sql/quote.ts";
import type { ProjectSql } from "../lib/project/project_sql.ts";
import { missingSchema } from "../lib/warehouse/missing_schema.ts";
import { loadedModels } from "../lib/warehouse/loaded_models.ts";
import { isMade } from "../load/tables/make_schema.ts";
import { wantedSchema } from "../load/tables/wanted_schema.ts";

const ROLES = "Give the loader's role its rights: load/warehouse_roles.sql";

const RIGHTS_SQL = `select current_database() as database,
    has_database_privilege(current_database(), 'CREATE') or
      coalesce(pg_catalog.has_schema_privilege(
        to_regnamespace('pipeline')::oid, 'CREATE'), false) as may_migrate,
    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
      as may_make,
    has_database_privilege(current_database(), 'TEMPORARY') as may_stage`;

/** Tables that a load writes and of which row security hides rows from it. */
const HIDDEN_SQL = `select oid::regclass::text as name from pg_class
  where relkind in ('r', 'p') and relrowsecurity and row_security_active(oid)
    and (relnamespace = to_regnamespace('pipeline') or oid = any(array(
      select to_regclass(quote_ident(model || suffix))
      from unnest($1::text[]) as model
      cross join (values (''), ('_closed')) as suffixes (suffix)
    )))
  order by name limit 1`;

/**
 * What the loader's role lacks for its work, and what to do; undefined where it
 * lacks nothing. It needs to create only what is not there yet.
 */
export async function missingRight(
  client: pg.Client,
  sql: ProjectSql,
): Promise<{ problem: string; hint: string } | undefined> {
  const [rights] = await query(client, RIGHTS_SQL);
  if (rights?.may_stage !== "t") {
    return {
      problem: "the role may not create temporary tables there",
      hint: `Grant it to the loader's role: grant temporary on database ${
        quoteName(rights?.database ?? "")
      } to ROLE; or see load/warehouse_roles.sql`,
    };
  }
  const noSchema = await missingSchema(client);
  if (noSchema !== undefined) return noSchema;
  const problem = rights.may_migrate !== "t"
    ? "the role may not create schemas there"
    : rights.may_make !== "t"
    ? "the role may not create tables in the first schema of its search_path"
    : undefined;
  if (problem !== undefined && !await isMade(client, wantedSchema(sql))) {
    return { problem, hint: ROLES };
  }
  const [hidden] = await query(client, HIDDEN_SQL, [
    loadedModels(sql).map(({ name }) => name),
  ]);
  return hidden === undefined ? undefined : {
    problem: `row security hides rows of ${hidden.name} from the role`,
    hint:
      `alter table ${hidden.name} no force row level security, if the role owns it; or alter role ... bypassrls`,
  };
}
