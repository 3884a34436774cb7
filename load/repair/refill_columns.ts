import type { BatchLog } from "../../lib/batches/batch_log.ts";
import { LAKE_WAY_BACK } from "../../lib/batches/live_files.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { checkFiles } from "../../lib/batches/check_files.ts";
import { whileIntact } from "../../lib/duckdb/while_intact.ts";
import { columnsOfFiles } from "../rows/export_versions.ts";
import { versionsUpTo } from "../rows/find_versions.ts";
import type { ReloadWork } from "../rows/land_rows.ts";
import { isTooNarrow } from "../tables/check_columns.ts";
import type { SchemaChange } from "../tables/evolve_tables.ts";
import type { WarehouseTable } from "../tables/warehouse_table.ts";
import { reconcileModels } from "./reload_models.ts";
import { notifyReset } from "../write_ledger.ts";

/** The files hold it as text. */
const TIME_OF_DAY = "time without time zone";

/**
 * Fills columns that tables have just gained and that the lake's versions up to
 * a batch have, since their model had them once. Transform compares with those
 * versions, so no later batch would bring their values. Gives the rows that it
 * filled, by model.
 */
export async function refillColumns(
  work: Omit<ReloadWork, "versions">,
  options: {
    tables: readonly WarehouseTable[];
    schemaChanges: readonly SchemaChange[];
    batches: BatchLog<ProcessedManifest>;
    newest: ProcessedManifest;
    /** The batch that the tables are as of. */
    batch: number;
  },
): Promise<Record<string, number>> {
  const { duckdb, zone, client } = work;
  const { schemaChanges, batches, newest, batch } = options;
  const gained = new Map(schemaChanges.flatMap(({ model, changes }) => {
    const added = changes.flatMap((change) => change.added);
    return added.length === 0 ? [] : [[model.name, added] as const];
  }));
  const tables = options.tables.filter(({ model, empty }) =>
    gained.has(model.name) && !empty
  );
  if (tables.length === 0) return {};
  const versions = await versionsUpTo(batches, {
    batch,
    newest,
    models: tables.map(({ model }) => model),
  });
  const stale: WarehouseTable[] = [];
  for (const table of tables) {
    const columns = gained.get(table.model.name) ?? [];
    const { files = [] } = versions.get(table.model.name) ?? {};
    if (files.length === 0) continue;
    const { types } = await columnsOfFiles(duckdb, { columns, files, zone });
    const held = columns.filter((column) => types.has(column));
    const isFit = held.every((column) =>
      fits(table, { column, type: types.get(column) ?? "" })
    );
    if (!isFit) {
      work.context.log.warn(
        "{model}: {columns} is null in rows that don't change from now on, since a column that comes back has another type: run `./totesys rebuild processed`, then `./totesys rebuild warehouse`",
        { model: table.model.name, columns: held.join(", ") },
      );
    } else if (held.length > 0) stale.push(table);
  }
  if (stale.length === 0) return {};
  const read = stale.flatMap(({ model }) =>
    versions.get(model.name)?.files ?? []
  );
  const intact = checkFiles(zone, read, { hint: LAKE_WAY_BACK });
  let filled: Record<string, number> = {};
  await whileIntact(intact, async () => {
    filled = await reconcileModels({ ...work, versions }, stale);
  });
  await notifyReset(client);
  return filled;
}

/** Whether a column of a table takes all values of DuckDB's type. */
function fits(
  { types }: WarehouseTable,
  { column, type }: { column: string; type: string },
): boolean {
  const [present = ""] = types.get(column) ?? [];
  const isTimeOfDay = type === "VARCHAR" && present === TIME_OF_DAY;
  return isTimeOfDay || !isTooNarrow(present, type);
}
