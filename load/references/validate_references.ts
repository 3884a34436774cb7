import type pg from "pg";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import { inSavepoint } from "../../lib/postgres/savepoint.ts";
import { addPlaceholders } from "./add_placeholders.ts";
import {
  type ModelReference,
  modelReferenceOf,
  type Reference,
} from "./reference.ts";
import unvalidatedSql from "./unvalidated_references.sql" with { type: "text" };

const FOREIGN_KEY_VIOLATION = /^23503$/;

/** Finds the foreign keys between models' tables that are not validated yet. */
export async function findUnvalidated(
  client: pg.Client,
  models: readonly string[],
): Promise<ModelReference[]> {
  const rows = await query(client, unvalidatedSql, [models]);
  return rows.map(modelReferenceOf);
}

/**
 * Lets Postgres validate foreign keys. Missing rows that they lead to get
 * placeholders.
 */
export async function validate(
  client: pg.Client,
  references: readonly ModelReference[],
): Promise<void> {
  for (const reference of references) {
    const { model, constraint } = reference;
    const sql = `alter table ${quoteName(model)}
      validate constraint ${quoteName(constraint)}`;
    await enforceReferences(client, sql, { model, references: [reference] });
  }
}

/**
 * Runs a statement that makes Postgres check foreign keys of a model's table.
 * Only if one is violated, missing rows get placeholders, and it runs again.
 */
export async function enforceReferences(
  client: pg.Client,
  sql: string,
  options: {
    model: string;
    /** Those that placeholders are made for. */
    references: readonly Reference[];
  },
): Promise<void> {
  const { model, references } = options;
  const isSound = await inSavepoint(
    client,
    FOREIGN_KEY_VIOLATION,
    () => client.query(sql),
  );
  if (isSound) return;
  await addPlaceholders(client, { references }, {
    from: quoteName(model),
    where: "true",
  });
  await client.query(sql);
}
