import type pg from "pg";
import { query } from "../../lib/postgres/postgres.ts";
import { inSavepoint } from "../../lib/postgres/savepoint.ts";
import type { Changes } from "../tables/column_changes.ts";
import {
  dropForeignKeys,
  type RemovedForeignKey,
  restoreConstraints,
} from "../tables/table_constraints.ts";
import { type ModelReference, modelReferenceOf } from "./reference.ts";
import referencesSql from "./references.sql" with { type: "text" };

/** `datatype_mismatch` */
const NOT_COMPARABLE = /^42804$/;

/** The foreign keys between models' tables that were dropped. */
export interface RetypedReferences {
  dropped: readonly RemovedForeignKey[];
  /** As they were, for those of one column. */
  references: readonly ModelReference[];
}

/**
 * Drops the foreign keys between these models' tables whose columns, on either
 * side, are about to get another type: in between, the two sides may be of
 * types that can't be compared. Others' foreign keys stay.
 */
export async function dropRetyped(
  client: pg.Client,
  options: { models: readonly string[]; changes: readonly Changes[] },
): Promise<RetypedReferences> {
  const { models, changes } = options;
  const isRetyped = (table: string, column: string) =>
    changes.some((change) =>
      change.table === table && change.retypes.includes(column)
    );
  const rows = changes.some(({ retypes }) => retypes.length > 0)
    ? await query(client, referencesSql, [models])
    : [];
  const references = rows.map(modelReferenceOf).filter((one) =>
    isRetyped(one.model, one.column) ||
    isRetyped(one.dimension, one.dimensionKey)
  );
  const dropped = references.length === 0
    ? []
    : await dropForeignKeys(client, { tables: models, references });
  return { dropped, references };
}

/**
 * Creates them again, and returns those that can't be: of a reference that the
 * model's header no longer names, the two sides may be of types that can't be
 * compared. Values that were equal may differ in the other type, as 1.0 and
 * 1.00 do as texts: rows that are missing then get placeholders.
 */
export async function restoreRetyped(
  client: pg.Client,
  { dropped, references }: RetypedReferences,
): Promise<RemovedForeignKey[]> {
  const tables = [...Map.groupBy(references, ({ model }) => model)].map(
    ([name, references]) => ({ model: { name }, references }),
  );
  const lost: RemovedForeignKey[] = [];
  for (const foreignKey of dropped) {
    const isRestored = await inSavepoint(
      client,
      NOT_COMPARABLE,
      () =>
        restoreConstraints(
          client,
          { keys: [], foreignKeys: [foreignKey] },
          { tables },
        ),
    );
    if (!isRestored) lost.push(foreignKey);
  }
  return lost;
}
