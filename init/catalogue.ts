import type pg from "pg";
import { readDefinitions } from "../extract/definitions.ts";
import { query } from "../lib/postgres/postgres.ts";
import catalogueSql from "./catalogue.sql" with { type: "text" };

/** A table of the source, from its catalogue. */
export interface SourceTable {
  schema: string;
  name: string;
  /** Its name in models, if the contract is to say it. */
  readAs?: string;
  comment: string | undefined;
  /** Whether row security may hide some of its rows. */
  rowSecurity: boolean;
  /** Whether it does so for the role that reads the catalogue. */
  hidesRows?: boolean;
  /** Whether the role may read it now. */
  readable: boolean;
  /** Its partitions that have rows of their own. */
  partitions?: readonly Partition[];
  /** Why extract could not read it, whatever the role may do. */
  refusal: string | undefined;
  columns: readonly SourceColumn[];
  /** The primary key first, then other unique keys. */
  uniqueKeys: readonly (readonly string[])[];
  foreignKeys: readonly ForeignKey[];
}

/** A column of a source table. */
export interface SourceColumn {
  name: string;
  /** As `format_type` writes it. */
  type: string;
  /** The type of its values: of a domain, the one that it is based on. */
  valueType: string;
  /** Whether it treats different texts as equal: citext, some collations. */
  isLoose: boolean;
  notNull: boolean;
  /**
   * Whether it is a date or time that may be infinite: by its default, or by
   * what is known of its values.
   */
  mayBeInfinite: boolean;
  /** Whether it is a date or time, which may hold infinite values. */
  hasInfinity?: boolean;
  comment: string | null;
  /**
   * Whether it reads as the name of another object, whose changes no row shows.
   */
  isName: boolean;
}

/** A partition without partitions. */
export interface Partition {
  schema: string;
  name: string;
  /** Whether the role may read it by itself. */
  readable: boolean;
}

/** A reference to another table. */
export interface ForeignKey {
  columns: readonly string[];
  schema: string;
  table: string;
  targetColumns: readonly string[];
}

/**
 * Reads the tables of these schemas, or only those with these names, which may
 * begin with the schema's.
 */
export async function readCatalogue(
  client: pg.Client,
  options: {
    schemas: readonly string[];
    tables: readonly string[] | undefined;
  },
): Promise<SourceTable[]> {
  const { schemas, tables } = options;
  const rows = await query(client, catalogueSql, [schemas, tables ?? null]);
  const named = rows.map((row) => ({
    schema: row.schema_name ?? "",
    name: row.name ?? "",
    row,
  }));
  const definitions = await readDefinitions(
    client,
    new Map(named.map((one) => [fullName(one), one])),
    { expressions: false },
  );
  return named.map(({ schema, name, row }) => {
    const columns: Omit<SourceColumn, "isName">[] = JSON.parse(
      row.columns ?? "[]",
    );
    const names = (definitions.get(fullName({ schema, name })) ?? [])
      .filter(({ kind }) => kind === "names").map(({ column }) => column);
    return {
      schema,
      name,
      comment: row.comment ?? undefined,
      rowSecurity: row.row_security === "true",
      hidesRows: row.hides_rows === "true",
      readable: row.readable === "true",
      partitions: JSON.parse(row.partitions ?? "[]"),
      refusal: row.refusal ?? undefined,
      columns: columns.map((column) => ({
        ...column,
        isName: names.includes(column.name),
      })),
      uniqueKeys: JSON.parse(row.unique_keys ?? "[]"),
      foreignKeys: JSON.parse(row.foreign_keys ?? "[]"),
    };
  });
}

/** What is read like a table, and shows no changes. */
const OTHERS = new Map([
  ["v", "views"],
  ["m", "materialized views"],
  ["f", "foreign tables"],
]);

/**
 * Names what these schemas have that is read like a table, and can't be, by its
 * kind. What belongs to an extension is left out, as are partitions.
 */
export async function readOthers(
  client: pg.Client,
  schemas: readonly string[],
): Promise<{ kind: string; names: string[] }[]> {
  const rows = await query(
    client,
    `select relkind as kind, nspname as schema, relname as name
    from pg_class
    inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
    where nspname = any($1)
      and relkind in ('v', 'm', 'f')
      and not relispartition
      and not exists (
        select from pg_depend
        where classid = 'pg_class'::regclass
          and objid = pg_class.oid
          and deptype = 'e'
      )
    order by nspname, relname`,
    [schemas],
  );
  return [...OTHERS].flatMap(([letter, kind]) => {
    const names = rows.filter((row) => row.kind === letter).map((row) =>
      fullName({ schema: row.schema ?? "", name: row.name ?? "" })
    );
    return names.length === 0 ? [] : [{ kind, names }];
  });
}

/** A table's name with its schema's. */
export function fullName({ schema, name }: { schema: string; name: string }) {
  return `${schema}.${name}`;
}
