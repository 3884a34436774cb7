import type pg from "pg";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import type { DerivedModel } from "./derived_table_sql.ts";
import { addPlaceholders } from "../rows/merge.ts";
import type { ModelReference } from "../references/reference.ts";
import missingReferencesSql from "../references/missing_references.sql" with {
  type: "text",
};
import unnamedReferencesSql from "../references/unnamed_references.sql" with {
  type: "text",
};
import {
  findUnvalidated,
  validate,
} from "../references/validate_references.ts";
import unfinishedTablesSql from "./unfinished_tables.sql" with { type: "text" };

/** Statements and references that tables still lack. */
export interface Unfinished {
  /** Statements, in order: indexes, views, comments. */
  statements: string[];
  references: MissingReference[];
  /** Foreign keys that load made, and no header names any more. */
  unnamed: UnnamedReference[];
  /** Foreign keys that an earlier run did not come to validate. */
  unvalidated: ModelReference[];
}

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

interface ReferringModels extends DeclaringModels {
  /** Whether a migration of the company's may have given it foreign keys. */
  mayRefer: (model: DerivedModel) => boolean;
}

/** A foreign key that a header declared. */
type UnnamedReference = Omit<ModelReference, "dimensionKey">;

/**
 * Finds what the tables of these models lack of what all models' tables have:
 * views and functions, comments, indexes of older versions, validation of
 * foreign keys; and, where tables are derived from models, these themselves.
 * Missing tables are left out.
 */
export async function findUnfinished(
  client: pg.Client,
  options: ReferringModels,
): Promise<Unfinished> {
  const { models, isDerived } = options;
  const statements = await query(client, unfinishedTablesSql, [
    JSON.stringify(models.map((model) => ({
      name: model.name,
      meaning: isDerived(model) ? model.table.meaning : "",
      meanings: Object.fromEntries(model.table.meanings),
    }))),
  ]);
  return {
    statements: statements.map(({ statement }) => statement ?? ""),
    references: await findMissingReferences(client, options),
    unnamed: await findUnnamed(client, options),
    unvalidated: await findUnvalidated(client, models.map(({ name }) => name)),
  };
}

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

/** Says that a foreign key is dropped, and why. */
export function goneReference(
  { model, constraint, column, dimension }: UnnamedReference,
): string {
  return `${model}: the foreign key ${constraint} is gone: its header no longer has ${column} -> ${dimension}`;
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

/**
 * Adds to tables what they lack, and takes what they no longer need. Missing
 * rows that references lead to get placeholders first. What takes a lock that
 * keeps readers away comes after the scans.
 */
export async function finishTables(
  client: pg.Client,
  { statements, references, unnamed, unvalidated }: Unfinished,
): Promise<void> {
  const isKept = ({ model, constraint }: ModelReference) =>
    !unnamed.some((one) =>
      one.model === model && one.constraint === constraint
    );
  await validate(client, unvalidated.filter(isKept));
  for (const reference of references) {
    await addReference(client, reference, { isValid: true });
  }
  for (const statement of statements) await client.query(statement);
  for (const { model, constraint } of unnamed) {
    await client.query(
      `alter table ${quoteName(model)} drop constraint ${
        quoteName(constraint)
      }`,
    );
  }
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

async function addReference(
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
