import { counted } from "../../lib/counted.ts";
import type pg from "pg";
import { StageError } from "../../lib/errors.ts";
import { keyText } from "../../lib/postgres/key_text.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import { closedTable } from "../../lib/warehouse/model_tables.ts";
import {
  eventFlag,
  FLAGS_COLUMN,
  INTERVAL_COLUMNS,
} from "../rows/export_versions.ts";
import { compared, sameColumns } from "../rows/compare_rows.ts";
import type { WarehouseTable } from "../tables/warehouse_table.ts";

/**
 * Keeps the versions that a merge is to end, where others' triggers or rules
 * run before its writes, to look for them afterwards.
 */
export async function keepEndingVersions(
  client: pg.Client,
  table: WarehouseTable,
  staging: string,
): Promise<void> {
  if (table.interceptors.length === 0) return;
  const { name, kind } = table.model;
  await client.query(
    `create temporary table ${endingTable(table)} on commit drop as
    select held.*, event.${FLAGS_COLUMN} from ${quoteName(name)} as held
    inner join ${staging} as event on ${
      sameColumns(table.model.key, "held", "event")
    }
    where ${eventFlag("is_first")} and ${
      kind === "fact" ? "held.to_batch is null" : "not held.is_placeholder"
    }`,
  );
}

function endingTable({ model }: WarehouseTable): string {
  return `pg_temp.${quoteName(`ending_${model.name}`)}`;
}

/**
 * Makes sure that a table holds what was merged into it, where others' triggers
 * or rules run before its writes: they may skip a row, or change it, and
 * Postgres says nothing. Throws a `StageError` that names them.
 */
export async function checkTriggers(
  client: pg.Client,
  table: WarehouseTable,
  staging: string,
): Promise<void> {
  if (table.interceptors.length === 0) return;
  const { name, kind } = table.model;
  // They may have been ended only now.
  const ended = {
    staging: endingTable(table),
    columns: [...table.columns, "valid_from"],
  };
  const missing = kind === "fact"
    ? [
      lackingSql(table, { staging, held: name, where: IS_VERSION }),
      lackingSql(table, { ...ended, held: name, where: "true" }),
    ]
    : [
      lackingSql(table, {
        staging,
        held: name,
        where: eventFlag("is_last_version"),
      }),
      lackingSql(table, {
        staging,
        held: closedTable(name),
        where: `${IS_VERSION} and not ${eventFlag("is_last_version")}`,
      }),
      lackingSql(table, {
        ...ended,
        held: closedTable(name),
        where: eventFlag("has_version"),
      }),
      lackingSql(table, {
        ...ended,
        held: name,
        where: `not ${eventFlag("has_version")}`,
      }),
    ];
  const [found] = await query(
    client,
    `select count(*) as rows, min(key) as key from (${
      [...missing, stillOpenSql(table, staging)].join(" union all ")
    }) as wrong`,
  );
  if (found?.rows === "0") return;
  throw interceptedError(
    table,
    `${counted(found?.rows ?? "", "rows")}, the first ${found?.key}`,
  );
}

/** Says that a table doesn't hold what was written to it. */
export function interceptedError(
  { model, interceptors }:
    & Pick<WarehouseTable, "interceptors">
    & { model: { name: string } },
  rows: string,
): StageError {
  return new StageError(
    `Cannot load "${model.name}": it does not hold what was written (${rows}), since others intercept its writes: ${
      interceptors.join(", ")
    }`,
    {
      subject: model.name,
      hint:
        "Drop such a trigger or rule, or make it keep the row and our columns unchanged; one that runs after each row may do anything. A column of your own needs a default",
    },
  );
}

const IS_VERSION = `not ${eventFlag("is_delete")}`;

/** SQL for the staged events that the table does not hold unchanged. */
function lackingSql(
  table: WarehouseTable,
  options: {
    staging: string;
    held: string;
    where: string;
    columns?: readonly string[];
  },
): string {
  const { staging, held, where } = options;
  const { columns = [...table.columns, ...INTERVAL_COLUMNS] } = options;
  const isDimension = table.model.kind === "dimension" &&
    held === table.model.name;
  return `select ${
    keyText(table.model.key, "event.")
  } as key from ${staging} as event
    where ${where} and not exists (
      select from ${quoteName(held)} as held
      where ${sameColumns(table.model.key, "held", "event")}
        and held.from_batch = event.from_batch
        and row(${compared(columns, table.unequal, "held.")})
          is not distinct from row(${
    compared(columns, table.unequal, "event.")
  })${isDimension ? " and not held.is_placeholder" : ""})`;
}

/**
 * SQL for versions before these events that these should have ended, but did
 * not.
 */
function stillOpenSql(table: WarehouseTable, staging: string): string {
  return `select ${keyText(table.model.key, "event.")} from ${staging} as event
    inner join ${quoteName(table.model.name)} as held
      on ${sameColumns(table.model.key, "held", "event")}
    where ${eventFlag("is_first")} and held.from_batch < event.from_batch
      and (held.to_batch is null or held.to_batch = event.from_batch
        and held.valid_to is distinct from event.valid_from)`;
}
