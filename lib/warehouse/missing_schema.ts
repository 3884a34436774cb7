import type pg from "pg";
import { queryRow } from "../postgres/postgres.ts";
import { quoteName } from "../sql/quote.ts";

/** What is made in the schema of temporary tables ends with the session. */
const SCHEMA_SQL = `select
  case when current_schema() not like 'pg\\_temp\\_%' then current_schema() end
    as schema,
  current_user as role, current_database() as database,
  current_setting('search_path') as path,
  (select nspname from regexp_matches(
      current_setting('search_path'), '"(?:[^"]|"")*"|[^, ]+', 'g'
    ) with ordinality as entries (entry, place)
    inner join pg_namespace on nspname = case
      when entry[1] = '"$user"' then current_user
      when entry[1] like '"%' then
        replace(substr(entry[1], 2, length(entry[1]) - 2), '""', '"')
      else lower(entry[1]) end
    where not has_schema_privilege(pg_namespace.oid, 'usage')
    order by place limit 1) as hidden`;

/**
 * Why the role has no schema to create tables in, and what to do; undefined if
 * it has one.
 */
export async function missingSchema(
  client: pg.Client,
): Promise<{ problem: string; hint: string } | undefined> {
  const row = await queryRow(client, SCHEMA_SQL);
  if (row.schema !== null) return undefined;
  const { path, hidden } = row;
  const role = quoteName(row.role ?? "");
  const set = `alter role ${role} in database ${
    quoteName(row.database ?? "")
  } set search_path = SCHEMA`;
  return {
    problem:
      `no schema has been selected to create in: the role's search_path is ${
        path || '""'
      }`,
    hint: hidden === null
      ? `Let its search_path name the schema of the models, which has to exist: ${set}`
      : `Let the role use the schema: grant usage, create on schema ${
        quoteName(hidden ?? "")
      } to ${role}`,
  };
}
