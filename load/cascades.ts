import type pg from "pg";
import { query } from "../lib/postgres/postgres.ts";

/**
 * For each of these tables, the tables of others that lose or change rows with
 * its own, each with what its foreign key says: `note (on delete cascade)`.
 */
export async function readCascades(
  client: pg.Client,
  tables: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await query(
    client,
    `with recursive foreign_key as (
      select conrelid, confrelid, case confdeltype when 'c' then 'cascade'
        when 'n' then 'set null' else 'set default' end as action
      from pg_constraint where contype = 'f' and conparentid = 0
        and confdeltype in ('c', 'n', 'd')
    ), referring (root, conrelid, action) as (
      select root, conrelid, action from unnest($1::text[]) as root
      inner join foreign_key on confrelid = to_regclass(quote_ident(root))
      union
      select root, foreign_key.conrelid, foreign_key.action from referring
      inner join foreign_key on foreign_key.confrelid = referring.conrelid
      where referring.action = 'cascade'
    )
    select root, json_agg(conrelid::regclass::text || ' (on delete ' || action
      || ')' order by conrelid::regclass::text, action) as tables
    from referring group by root`,
    [[...tables]],
  );
  return new Map(
    rows.map((row) => [row.root ?? "", JSON.parse(row.tables ?? "[]")]),
  );
}
