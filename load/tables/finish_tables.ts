import type pg from "pg";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import {
  addReference,
  findMissingReferences,
  findUnnamed,
  type MissingReference,
  type ReferringModels,
  type UnnamedReference,
} from "../references/declared_references.ts";
import type { ModelReference } from "../references/reference.ts";
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
