import type pg from "pg";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName, quoteNames } from "../../lib/sql/quote.ts";
import { readForeignKeys } from "../references/foreign_keys.ts";
import {
  compared,
  dimensionColumns,
  keepsPlace,
  type Reconciliation,
  sameColumns,
} from "../rows/compare_rows.ts";
import type { WarehouseTable } from "../tables/warehouse_table.ts";

/**
 * Makes a table hold the fresh rows and no others, and leaves alone those that
 * it already holds. A row of which only values differ is updated in place, so
 * that references to it stay. Returns how many rows were deleted or inserted;
 * an updated one counts for both.
 */
export async function reconcileRows(
  client: pg.Client,
  reconciliation: Reconciliation,
): Promise<number> {
  const { fresh, columns, identity, unequal } = reconciliation;
  const name = quoteName(reconciliation.name);
  const same = sameColumns(identity, "fresh", "present");
  const changed = await changeRows(client, reconciliation);
  const removed = await client.query(
    `delete from ${name} as present where not exists (
      select from ${fresh} as fresh where ${same}
        and row(${compared(columns, unequal, "fresh.")})
          is not distinct from row(${compared(columns, unequal, "present.")})
    )`,
  );
  const twins = await removeTwins(client, reconciliation);
  const added = await client.query(
    `insert into ${name} (${quoteNames(columns)})
    select ${quoteNames(columns)} from ${fresh} as fresh
    where not exists (select from ${name} as present where ${same})`,
  );
  return 2 * changed + (removed.rowCount ?? 0) + twins + (added.rowCount ?? 0);
}

/**
 * Deletes all but one of the rows with the same identity, which there are only
 * if somebody dropped the key. Returns how many.
 */
async function removeTwins(
  client: pg.Client,
  { name, identity }: Reconciliation,
): Promise<number> {
  const enforced = await query(
    client,
    `select from pg_index
    where indrelid = to_regclass(quote_ident($1)) and indisunique
      and indisvalid and indpred is null and indexprs is null
      and array(
        select attname::text from pg_attribute
        where attrelid = indrelid
          and attnum = any((indkey::int2[])[0:indnkeyatts - 1])
      ) <@ $2::text[]`,
    [name, identity],
  );
  if (enforced.length > 0) return 0;
  const twice = await query(
    client,
    `select from ${quoteName(name)} group by ${quoteNames(identity)}
    having count(*) > 1 limit 1`,
  );
  if (twice.length === 0) return 0;
  // A place is known by its partition, too.
  const { rowCount } = await client.query(
    `delete from ${quoteName(name)} as present where exists (
      select from ${quoteName(name)} as twin
      where ${sameColumns(identity, "twin", "present")}
        and (twin.tableoid, twin.ctid) < (present.tableoid, present.ctid)
    )`,
  );
  return rowCount ?? 0;
}

async function changeRows(
  client: pg.Client,
  { name, fresh, columns, identity, unique = [], unequal }: Reconciliation,
): Promise<number> {
  const same = [...identity, ...unique];
  const others = columns.filter((column) => !same.includes(column));
  if (others.length === 0) return 0;
  const values = others.map(quoteName)
    .map((column) => `${column} = fresh.${column}`);
  const { rowCount } = await client.query(
    `update ${quoteName(name)} as present set ${values.join(", ")}
    from ${fresh} as fresh where ${keepsPlace(same)}
      and row(${compared(others, unequal, "fresh.")})
        is distinct from row(${compared(others, unequal, "present.")})`,
  );
  return rowCount ?? 0;
}

/**
 * Counts the fresh rows that a table does not hold unchanged and, both ways,
 * the other rows that it holds.
 */
export async function countOthers(
  client: pg.Client,
  reconciliation: Reconciliation & { bothWays: boolean },
): Promise<number> {
  const { fresh, columns, identity, unequal, bothWays } = reconciliation;
  const name = quoteName(reconciliation.name);
  const same = sameColumns(identity, "fresh", "present");
  const surplus = `select from ${name} as present
    where not exists (select from ${fresh} as fresh where ${same})`;
  const [found] = await query(
    client,
    `select count(*) as rows from (
      select from ${fresh} as fresh where not exists (
        select from ${name} as present where ${same}
          and row(${compared(columns, unequal, "fresh.")})
            is not distinct from row(${compared(columns, unequal, "present.")})
      )${bothWays ? ` union all ${surplus}` : ""}
    ) as others`,
  );
  return Number(found?.rows);
}

/**
 * Writes the fresh rows into a dimension's table. None is deleted, since facts
 * may refer to it; see `removeUnknown`. Returns how many rows differed.
 */
export async function reconcileDimension(
  client: pg.Client,
  table: WarehouseTable,
  fresh: string,
): Promise<number> {
  const columns = dimensionColumns(table);
  const others = columns.filter((column) => !table.model.key.includes(column));
  const { rowCount } = await client.query(
    `insert into ${quoteName(table.model.name)} as present
      (${quoteNames(columns)})
    select ${quoteNames(columns)} from ${fresh}
    on conflict (${quoteNames(table.model.key)}) do update
    set is_placeholder = false, ${
      others.map(quoteName).map((name) => `${name} = excluded.${name}`)
        .join(", ")
    }
    where row(
      present.is_placeholder, ${compared(others, table.unequal, "present.")}
    ) is distinct from row(
      false, ${compared(others, table.unequal, "excluded.")}
    )`,
  );
  return rowCount ?? 0;
}

/**
 * Deletes a dimension's rows that are not among the fresh ones, once the facts
 * are right: those that something still refers to become placeholders. Returns
 * how many rows differed.
 */
export async function removeUnknown(
  client: pg.Client,
  table: WarehouseTable,
  fresh: string,
): Promise<number> {
  const name = quoteName(table.model.name);
  const unknown = `not exists (select from ${fresh} as fresh where ${
    sameColumns(table.model.key, "fresh", "present")
  })`;
  const referrers = await readForeignKeys(client, {
    referred: table.model.name,
  });
  const unreferred = referrers.map(({ referring, pairs }) => {
    const same = pairs.map(([own, key]) =>
      `referring.${quoteName(own)} = present.${quoteName(key)}`
    );
    return `and not exists (select from ${referring} as referring
      where ${same.join(" and ")})`;
  });
  // Rows that an unreadable table may refer to stay.
  const isKnown = referrers.every(({ isReadable }) => isReadable);
  const removed = isKnown
    ? await client.query(
      `delete from ${name} as present where ${unknown} ${unreferred.join(" ")}`,
    )
    : { rowCount: 0 };
  const others = dimensionColumns(table)
    .filter((column) => !table.model.key.includes(column));
  const empty = others.filter((column) => !table.defaults.includes(column));
  const emptied = await client.query(
    `update ${name} as present set is_placeholder = true, ${
      others.map((column) => `${quoteName(column)} = default`).join(", ")
    } where ${unknown} and not (
      is_placeholder and row(${quoteNames(empty)}) is null
    )`,
  );
  return (removed.rowCount ?? 0) + (emptied.rowCount ?? 0);
}
