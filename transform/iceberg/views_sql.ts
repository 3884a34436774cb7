import { STAMP_COLUMNS } from "../../lib/duckdb/version_columns.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import type { Model } from "../../lib/project/model.ts";
import type { TableFields } from "./table_schema.ts";

const STAMPS = STAMP_COLUMNS.map(({ name }) => name);

const ABOUT = `-- Views over the lake's Iceberg tables, for Trino and Athena.
-- Create them in the schema where the tables are registered under the models'
-- names, and again after a model's columns have changed. As of batch 42:
-- select * from <model>_history
-- where from_batch <= 42 and (to_batch > 42 or to_batch is null)
`;

/** The start of a file with each model's views. */
export function viewsSql(views: readonly string[]): string {
  return [ABOUT, ...views].join("\n");
}

/**
 * SQL in the words that Trino and Athena share for a model's views, which are
 * those of `lake.duckdb`: `<model>_history` and `<model>_current`. Without
 * views if Iceberg lacks the type of a column of the key.
 */
export function modelViewsSql(
  { name, key }: Pick<Model, "name" | "key">,
  { fields, leftOut }: Pick<TableFields, "fields" | "leftOut">,
): string {
  const missing = leftOut.find((column) => key.includes(column.name));
  if (missing !== undefined) {
    return `-- ${name} has no views: Iceberg lacks the type of its key "${missing.name}".\n`;
  }
  const columns = fields.map((field) => field.name)
    .filter((column) => !STAMPS.includes(column)).map(quoteName);
  const over = `over (
            partition by ${key.map(quoteName).join(", ")}
            order by batch, is_delete
        )`;
  const select = (names: readonly string[], indent: string) =>
    `${indent}select\n` +
    names.map((column) => `${indent}    ${column}`).join(",\n");
  const history = quoteName(`${name}_history`);
  return `create or replace view ${history} as
${select([...columns, "valid_from", "valid_to", "from_batch", "to_batch"], "")}
from (
${
    select([
      ...columns,
      "is_delete",
      "snapshot_time as valid_from",
      `lead(snapshot_time) ${over} as valid_to`,
      "batch as from_batch",
      `lead(batch) ${over} as to_batch`,
    ], "    ")
  }
    from ${quoteName(name)}
) as version
where not is_delete;

create or replace view ${quoteName(`${name}_current`)} as
${select([...columns, "valid_from", "from_batch"], "")}
from ${history}
where to_batch is null;
`;
}
