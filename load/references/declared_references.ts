import type pg from "pg";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import type { DerivedModel } from "../tables/derived_table_sql.ts";
import { addPlaceholders } from "./add_placeholders.ts";
import missingReferencesSql from "./missing_references.sql" with {
  type: "text",
};
import type { ModelReference } from "./reference.ts";
import unnamedReferencesSql from "./unnamed_references.sql" with {
  type: "text",
};

/** A foreign key that a header declares. */
export interface MissingReference {
  model: string;
  column: string;
  dimension: string;
  dimensionKey: string;
  /** Whether the table is partitioned. */
  isPartitioned: boolean;
}

/** Models, of which some have tables that are derived from them. */
interface DeclaringModels {
  models: readonly DerivedModel[];
  /** Whether no migration of the company's declares a model's table. */
  isDerived: (model: DerivedModel) => boolean;
}

/** The same, of which some may have foreign keys that load did not make. */
export interface ReferringModels extends DeclaringModels {
  /** Whether a migration of the company's may have given it foreign keys. */
  mayRefer: (model: DerivedModel) => boolean;
}

/** A foreign key that a header declared. */
export type UnnamedReference = Omit<ModelReference, "dimensionKey">;

/**
 * Finds the foreign keys that headers declare and tables lack; if planned, also
 * those of tables and columns that a load has still to make.
 */
export async function findMissingReferences(
  client: pg.Client,
  options: DeclaringModels & { planned?: boolean },
): Promise<MissingReference[]> {
  const wanted = declaredReferences(options);
  if (wanted.length === 0) return [];
  const missing = await query(client, missingReferencesSql, [
    JSON.stringify(wanted),
    String(options.planned ?? false),
  ]);
  return missing.map((row) => ({
    model: row.model ?? "",
    column: row.column_name ?? "",
    dimension: row.dimension ?? "",
    dimensionKey: row.dimension_key ?? "",
    isPartitioned: row.is_partitioned === "true",
  }));
}

/** Finds the foreign keys that load made, and no header names any more. */
export async function findUnnamed(
  client: pg.Client,
  options: ReferringModels,
): Promise<UnnamedReference[]> {
  const { models, isDerived, mayRefer } = options;
  const rows = await query(client, unnamedReferencesSql, [
    models.filter((model) => isDerived(model) && !mayRefer(model))
      .map(({ name }) => name),
    models.map(({ name }) => name),
    JSON.stringify(declaredReferences(options)),
  ]);
  return rows.map((row) => ({
    model: row.model ?? "",
    constraint: row.constraint_name ?? "",
    column: row.column_name ?? "",
    dimension: row.dimension ?? "",
  }));
}

/** Says that a foreign key is dropped, and why. */
export function goneReference(
  { model, constraint, column, dimension }: UnnamedReference,
): string {
  return `${model}: the foreign key ${constraint} is gone: its header no longer has ${column} -> ${dimension}`;
}

/**
 * Adds the foreign keys that headers declare, as of columns that are new. True
 * means that there are some left to be validated once that is committed, since
 * a column that is added keeps readers away until then.
 */
export async function addMissingReferences(
  client: pg.Client,
  wanted: DeclaringModels,
): Promise<boolean> {
  const missing = await findMissingReferences(client, wanted);
  for (const reference of missing) {
    // Before version 18 a table with partitions has valid ones only.
    await addReference(client, reference, { isValid: reference.isPartitioned });
  }
  return missing.some(({ isPartitioned }) => !isPartitioned);
}

/** Adds a foreign key, and the placeholders that a valid one needs before it. */
export async function addReference(
  client: pg.Client,
  { model, column, dimension, dimensionKey }: MissingReference,
  { isValid }: { isValid: boolean },
): Promise<void> {
  // One that is validated later gets them then, where they are missing.
  if (isValid) {
    await addPlaceholders(
      client,
      { references: [{ column, dimension, dimensionKey }] },
      { from: quoteName(model), where: "true" },
    );
  }
  await client.query(
    `alter table ${quoteName(model)} add foreign key (${quoteName(column)})
    references ${quoteName(dimension)} (${quoteName(dimensionKey)})${
      isValid ? "" : " not valid"
    }`,
  );
}

function declaredReferences({ models, isDerived }: DeclaringModels) {
  return models.filter(isDerived).flatMap((model) =>
    [...model.table.references].map(([column, dimension]) => ({
      model: model.name,
      column_name: column,
      dimension,
      dimension_key: models.find(({ name }) => name === dimension)?.key[0],
    }))
  );
}
