import type pg from "pg";
import { quoteName, quoteNames } from "../../lib/sql/quote.ts";
import { closedTable } from "../../lib/warehouse/model_tables.ts";
import { sameColumns } from "./compare_rows.ts";
import { eventFlag, eventPlace, FLAGS_COLUMN } from "./export_versions.ts";
import type { WarehouseTable } from "../tables/warehouse_table.ts";

/** The name of the temporary table of a model's events to be merged. */
function stagingName(model: string): string {
  return `staged_${model}`;
}

/**
 * Creates the temporary table for a model's events, with the types of the
 * model's table, but no domains: a delete has no values, which a domain may
 * forbid.
 */
export async function createStaging(
  client: pg.Client,
  table: WarehouseTable,
): Promise<string> {
  const staging = quoteName(stagingName(table.model.name));
  const values = table.columns.map((name) => {
    const [type] = table.types.get(name) ?? [];
    return quoteName(name) + (type === undefined ? "" : `::${type}`);
  });
  await client.query(
    `create temporary table ${staging} on commit drop as
    select ${values.join(", ")}, valid_from, valid_to, from_batch,
      to_batch, null::bigint as ${FLAGS_COLUMN}
    from ${quoteName(table.model.name)} where false`,
  );
  return `pg_temp.${staging}`;
}

/**
 * Merges staged events into a fact's history: the open version of each key that
 * changed is closed, and its new versions are added under numbers that continue
 * in the order of batch and key.
 */
export async function mergeFact(
  client: pg.Client,
  table: WarehouseTable,
  staging: string,
): Promise<void> {
  const name = quoteName(table.model.name);
  const recordId = quoteName(table.model.recordId ?? "record_id");
  const columns = quoteNames(table.columns);
  // One message: the way there takes longer than most of them.
  await client.query([
    `update ${name} as fact
    set valid_to = event.valid_from, to_batch = event.from_batch
    from ${staging} as event
    where ${sameColumns(table.model.key, "fact", "event")} and ${
      eventFlag("is_first")
    }
      and fact.to_batch is null`,
    `insert into ${name}
      (${recordId}, ${columns}, valid_from, valid_to, from_batch, to_batch)
    select (select coalesce(max(${recordId}), 0) from ${name})
        + ${eventPlace()},
      ${columns}, valid_from, valid_to, from_batch, to_batch
    from ${staging} as event where not ${eventFlag("is_delete")}`,
  ].join(";\n"));
}

/**
 * Merges staged events into a dimension: older versions move to the closed
 * ones, the row becomes the newest version, and a deleted row stays with its
 * interval ended, since facts may refer to it.
 */
export async function mergeDimension(
  client: pg.Client,
  table: WarehouseTable,
  staging: string,
): Promise<void> {
  const name = quoteName(table.model.name);
  const closed = quoteName(closedTable(table.model.name));
  const columns = quoteNames(table.columns);
  const all = `${columns}, valid_from, valid_to, from_batch, to_batch`;
  const key = quoteNames(table.model.key);
  const others = [
    ...table.columns.filter((column) => !table.model.key.includes(column))
      .map(quoteName),
    "valid_from",
    "valid_to",
    "from_batch",
    "to_batch",
  ];
  // One message: the way there takes longer than most of them.
  await client.query([
    `insert into ${closed} (${all})
    select ${quoteNames(table.columns, "dimension.")}, dimension.valid_from,
      coalesce(dimension.valid_to, event.valid_from), dimension.from_batch,
      coalesce(dimension.to_batch, event.from_batch)
    from ${name} as dimension
    inner join ${staging} as event on ${
      sameColumns(table.model.key, "dimension", "event")
    }
    where ${eventFlag("is_first")} and ${eventFlag("has_version")}
      and not dimension.is_placeholder`,
    `insert into ${closed} (${all}) select ${all} from ${staging} as event
    where not ${eventFlag("is_delete")} and not ${
      eventFlag("is_last_version")
    }`,
    `insert into ${name} as dimension (${all})
    select ${all} from ${staging} as event
    where ${eventFlag("is_last_version")}
    on conflict (${key}) do update set is_placeholder = false, ${
      others.map((column) => `${column} = excluded.${column}`).join(", ")
    }`,
    `update ${name} as dimension
    set valid_to = event.valid_from, to_batch = event.from_batch
    from ${staging} as event
    where ${sameColumns(table.model.key, "dimension", "event")} and ${
      eventFlag("is_first")
    }
      and not ${eventFlag("has_version")} and dimension.to_batch is null
      and not dimension.is_placeholder`,
  ].join(";\n"));
}
