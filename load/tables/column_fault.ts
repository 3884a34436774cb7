import { quoteName } from "../../lib/sql/quote.ts";
import type { Model } from "../../lib/project/model.ts";
import { INTERVAL_COLUMNS } from "../rows/export_versions.ts";

/** The columns that are the loader's, not the model's. */
export const LOADER_COLUMNS: readonly string[] = [
  ...INTERVAL_COLUMNS,
  "is_placeholder",
];

/** As `format_type` writes them; another type would round or not hold them. */
const OWN_TYPES: Readonly<Record<string, string>> = {
  valid_from: "timestamp with time zone",
  valid_to: "timestamp with time zone",
  from_batch: "bigint",
  to_batch: "bigint",
  is_placeholder: "boolean",
};

/** SQL for whether a column treats different texts as equal. */
export const IS_LOOSE = `(
  select coalesce(base.typname, type.typname) = 'citext'
    or not coalesce(collisdeterministic, true)
  from pg_type as type
  left join pg_type as base on base.oid = type.typbasetype
  left join pg_collation on pg_collation.oid = attcollation
  where type.oid = atttypid)`;

/**
 * What is wrong with a column, and the type that it should have: the type of
 * one of the loader's is not what it needs, or a key treats different texts as
 * equal.
 */
export function columnFault(
  { key }: Pick<Model, "key">,
  column: { name: string; type: string; isLoose: boolean },
): { says: string; type: string } | undefined {
  const { name, type, isLoose } = column;
  const own = OWN_TYPES[name];
  if (own !== undefined && own !== type) {
    return {
      says: `its column ${quoteName(name)} is ${type}, not ${own}`,
      type: own,
    };
  }
  if (!isLoose || !key.includes(name)) return undefined;
  return {
    says: `its key ${
      quoteName(name)
    } takes different texts for the same (type ${type}, or a nondeterministic collation)`,
    type: 'text collate "default"',
  };
}
