import type pg from "pg";
import { quoteName } from "../../lib/sql/quote.ts";
import type { Reference } from "./reference.ts";

/**
 * Adds to each dimension a flagged row for every key that these rows name and
 * it lacks, so that no reference dangles.
 */
export async function addPlaceholders(
  client: pg.Client,
  table: { references: readonly Omit<Reference, "constraint">[] },
  options: { from: string; where: string },
): Promise<void> {
  const statements = table.references.map((reference) => {
    const { column, dimension, dimensionKey } = reference;
    const value = `referring.${quoteName(column)}`;
    return `insert into ${quoteName(dimension)}
        (${quoteName(dimensionKey)}, is_placeholder)
      select distinct ${value}, true
      from ${options.from} as referring
      left join ${quoteName(dimension)} as dimension
        on dimension.${quoteName(dimensionKey)} = ${value}
      where ${options.where} and ${value} is not null
        and dimension.${quoteName(dimensionKey)} is null`;
  });
  if (statements.length > 0) await client.query(statements.join("; "));
}
