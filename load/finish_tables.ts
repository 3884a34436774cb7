import type pg from "pg";
import { query, quoteName } from "../lib/postgres/postgres.ts";
import type { DerivedModel } from "./derived_table_sql.ts";
import { addPlaceholders } from "./merge.ts";
import missingReferencesSql from "./missing_references.sql" with {
  type: "text",
};
import unfinishedTablesSql from "./unfinished_tables.sql" with { type: "text" };

/** What tables are still to be given. */
export interface Unfinished {
  /** Statements, in order: indexes, views, comments. */
  statements: string[];
  references: MissingReference[];
}

/** A foreign key that a header asks for. */
interface MissingReference {
  model: string;
  column: string;
  dimension: string;
  dimensionKey: string;
}

/**
 * What the tables of these models lack of what every model's have, whoever made
 * them: views and functions, comments, indexes of older versions; and of those
 * that follow from their models, foreign keys. Tables that are not there are
 * left out.
 */
export async function findUnfinished(
  client: pg.Client,
  options: {
    models: readonly DerivedModel[];
    /** Whether no migration of the company's declares a model's table. */
    isDerived: (model: DerivedModel) => boolean;
  },
): Promise<Unfinished> {
  const { models, isDerived } = options;
  const statements = await query(client, unfinishedTablesSql, [
    JSON.stringify(models.map((model) => ({
      name: model.name,
      meaning: isDerived(model) ? model.table.meaning : "",
      meanings: Object.fromEntries(model.table.meanings),
    }))),
  ]);
  const wanted = models.filter(isDerived).flatMap((model) =>
    [...model.table.references].map(([column, dimension]) => ({
      model: model.name,
      column_name: column,
      dimension,
      dimension_key: models.find(({ name }) => name === dimension)?.key[0],
    }))
  );
  const missing = wanted.length === 0
    ? []
    : await query(client, missingReferencesSql, [JSON.stringify(wanted)]);
  return {
    statements: statements.map(({ statement }) => statement ?? ""),
    references: missing.map((row) => ({
      model: row.model ?? "",
      column: row.column_name ?? "",
      dimension: row.dimension ?? "",
      dimensionKey: row.dimension_key ?? "",
    })),
  };
}

/**
 * Gives tables what they lack. What a reference leads to and is not there gets
 * a placeholder first.
 */
export async function finishTables(
  client: pg.Client,
  { statements, references }: Unfinished,
): Promise<void> {
  for (const statement of statements) await client.query(statement);
  for (const { model, column, dimension, dimensionKey } of references) {
    await addPlaceholders(
      client,
      { references: [{ column, dimension, dimensionKey }] },
      { from: quoteName(model), where: "true" },
    );
    await client.query(
      `alter table ${quoteName(model)} add foreign key (${quoteName(column)})
      references ${quoteName(dimension)} (${quoteName(dimensionKey)})`,
    );
  }
}
