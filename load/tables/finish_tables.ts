import type pg from "pg";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import type { DerivedModel } from "./derived_table_sql.ts";
import { addPlaceholders } from "../rows/merge.ts";
import type { ModelReference } from "../references/prove_references.ts";
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
interface MissingReference {
  model: string;
  column: string;
  dimension: string;
  dimensionKey: string;
}

/** Models, of which some have tables that are derived from them. */
interface DeclaringModels {
  models: readonly DerivedModel[];
  /** Whether no migration of the company's declares a model's table. */
  isDerived: (model: DerivedModel) => boolean;
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
  options: DeclaringModels & {
    /** Whether a migration of the company's may have given it foreign keys. */
    mayRefer: (model: DerivedModel) => boolean;
  },
): Promise<Unfinished> {
  const { models, isDerived, mayRefer } = options;
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
    unnamed: await findUnnamed(client, {
      models: models.filter((model) => isDerived(model) && !mayRefer(model)),
      all: models,
      wanted: declaredReferences(options),
    }),
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

async function findUnnamed(
  client: pg.Client,
  options: {
    models: readonly DerivedModel[];
    all: readonly DerivedModel[];
    wanted: readonly {
      model: string;
      column_name: string;
      dimension: string;
    }[];
  },
): Promise<UnnamedReference[]> {
  const { models, all, wanted } = options;
  const rows = await query(client, unnamedReferencesSql, [
    models.map(({ name }) => name),
    all.map(({ name }) => name),
    JSON.stringify(wanted),
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
 * rows that references lead to get placeholders first.
 */
export async function finishTables(
  client: pg.Client,
  { statements, references, unnamed, unvalidated }: Unfinished,
): Promise<void> {
  for (const { model, constraint } of unnamed) {
    await client.query(
      `alter table ${quoteName(model)} drop constraint ${
        quoteName(constraint)
      }`,
    );
  }
  const isKept = ({ model, constraint }: ModelReference) =>
    !unnamed.some((one) =>
      one.model === model && one.constraint === constraint
    );
  await validate(client, unvalidated.filter(isKept));
  for (const statement of statements) await client.query(statement);
  await addReferences(client, references);
}

/** Adds the foreign keys that headers declare, as of columns that are new. */
export async function addMissingReferences(
  client: pg.Client,
  wanted: DeclaringModels,
): Promise<void> {
  await addReferences(client, await findMissingReferences(client, wanted));
}

async function addReferences(
  client: pg.Client,
  references: readonly MissingReference[],
): Promise<void> {
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
