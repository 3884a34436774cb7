import type pg from "pg";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { quoteName, quoteNames } from "../../lib/sql/quote.ts";
import type { StageContext } from "../../lib/stage.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { closedTable } from "../../lib/warehouse/model_tables.ts";
import { copyRows } from "./copy_rows.ts";
import {
  exportVersions,
  INTERVAL_COLUMNS,
  type VersionFiles,
  type VersionsForm,
} from "./export_versions.ts";
import { dimensionColumns, type Reconciliation } from "./compare_rows.ts";
import type { WarehouseTable } from "../tables/warehouse_table.ts";

/** What a reload works with. */
export interface ReloadWork {
  context: StageContext;
  client: pg.Client;
  duckdb: DuckDb;
  zone: Zone;
  versions: ReadonlyMap<string, VersionFiles>;
  allowCascade: boolean;
}

/** A model's rows as they should be, in temporary tables. */
export interface Landed {
  table: WarehouseTable;
  /** The rows of a fact, or of a dimension's closed versions. */
  reconciliation: Reconciliation;
  /** A dimension's rows. */
  fresh?: string;
}

/** Loads the rows that a model's tables should hold into temporary tables. */
export async function landModel(
  work: ReloadWork,
  table: WarehouseTable,
): Promise<Landed> {
  work.context.signal.throwIfAborted();
  const { name, key, kind, recordId = "record_id" } = table.model;
  const { unequal } = table;
  if (kind === "fact") {
    const columns = [recordId, ...table.columns, ...INTERVAL_COLUMNS];
    const fresh = await land(work, { table, columns, form: "fact rows", name });
    return {
      table,
      reconciliation: {
        name,
        fresh,
        columns,
        identity: [recordId],
        unique: [...key, "from_batch"],
        unequal,
      },
    };
  }
  const columns = dimensionColumns(table);
  const closed = closedTable(name);
  return {
    table,
    fresh: await land(work, { table, columns, form: "dimension rows", name }),
    reconciliation: {
      name: closed,
      fresh: await land(work, { table, columns, form: "closed", name: closed }),
      columns,
      identity: [...key, "from_batch"],
      unequal,
    },
  };
}

/** Brings a model's finished rows into a temporary table. */
async function land(
  work: ReloadWork,
  options: {
    table: WarehouseTable;
    /** The target table of these rows. */
    name: string;
    columns: readonly string[];
    form: VersionsForm;
  },
): Promise<string> {
  const { context, client, duckdb, zone } = work;
  const { table, name, columns, form } = options;
  const fresh = freshTable(name);
  await client.query(
    `create temporary table ${fresh} on commit drop as
    select ${quoteNames(columns)} from ${quoteName(name)} where false`,
  );
  const versions = work.versions.get(table.model.name);
  if (versions !== undefined && versions.files.length > 0) {
    const exported = await exportVersions(duckdb, {
      table,
      form,
      versions,
      oneBatch: undefined,
      zone,
    });
    await copyRows(client, exported, {
      table: fresh,
      model: table.model.name,
      freeze: false,
      progress: context.progress,
    });
  }
  await client.query(`analyze ${fresh}`);
  return fresh;
}

/** The temporary table with the rows that a table should hold. */
export function freshTable(name: string): string {
  return `pg_temp.${quoteName(`fresh_${name}`)}`;
}
