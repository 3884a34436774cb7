import type pg from "pg";
import { query } from "../../lib/postgres/postgres.ts";

/** A foreign key of any table of the database. */
export interface ForeignKey {
  referring: string;
  /** The table that it refers to. */
  referred: string;
  /** What it does on delete, as `on delete cascade`; empty if nothing. */
  action: string;
  /** Its columns, each with the one that it refers to. */
  pairs: [own: string, key: string][];
  /** Whether it is a partition's share of a partitioned table's key. */
  isOfPartition: boolean;
  /** Whether the role may read all of its columns. */
  isReadable: boolean;
}

/** Reads the foreign keys of all tables, or those that refer to this one. */
export async function readForeignKeys(
  client: pg.Client,
  options: { referred?: string } = {},
): Promise<ForeignKey[]> {
  const rows = await query(
    client,
    `select conrelid::regclass::text as referring,
      confrelid::regclass::text as referred,
      'on delete ' || case confdeltype when 'c' then 'cascade'
        when 'n' then 'set null' when 'd' then 'set default' end as action,
      json_agg(json_build_array(own.attname, other.attname)) as pairs,
      conparentid <> 0 as is_of_partition,
      bool_and(has_column_privilege(conrelid, own.attnum, 'select'))
        as is_readable
    from pg_constraint
    cross join lateral unnest(conkey, confkey) as pair (own_number, key_number)
    inner join pg_attribute as own on own.attrelid = conrelid
      and own.attnum = own_number
    inner join pg_attribute as other on other.attrelid = confrelid
      and other.attnum = key_number
    where contype = 'f'
      and ($1::text is null or confrelid = to_regclass(quote_ident($1)))
    group by pg_constraint.oid, conrelid, confrelid, confdeltype, conparentid
    order by referring, action`,
    [options.referred ?? null],
  );
  return rows.map((row) => ({
    referring: row.referring ?? "",
    referred: row.referred ?? "",
    action: row.action ?? "",
    pairs: JSON.parse(row.pairs ?? "[]"),
    isOfPartition: row.is_of_partition === "t",
    isReadable: row.is_readable === "t",
  }));
}
