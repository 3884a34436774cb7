import type { Logger } from "@logtape/logtape";
import type pg from "pg";
import type { ProcessedManifest } from "../lib/batches/manifest.ts";
import type { Progress } from "../lib/cli/progress.ts";
import type { DuckDb } from "../lib/duckdb/duckdb.ts";
import { quoteName } from "../lib/sql/quote.ts";
import type { SqlFile } from "../lib/project/project_sql.ts";
import type { Zone } from "../lib/zone/zone.ts";
import { checkKnown, checkTypes } from "./tables/check_columns.ts";
import {
  checkTriggers,
  keepEndingVersions,
} from "./dependents/check_triggers.ts";
import { copyRows } from "./rows/copy_rows.ts";
import {
  eventFlag,
  type ExportedVersions,
  exportVersions,
  type VersionFiles,
  type VersionsForm,
} from "./rows/export_versions.ts";
import { checksOf } from "./checks/history_checks.ts";
import { refusalOf } from "../lib/warehouse/load_error.ts";
import { closedTable, tablesOf } from "../lib/warehouse/model_tables.ts";
import { createStaging, mergeDimension, mergeFact } from "./rows/merge.ts";
import type { ModelTypes } from "./tables/model_types.ts";
import { addPlaceholders } from "./references/add_placeholders.ts";
import { proveReferences } from "./references/prove_references.ts";
import type { ModelReference } from "./references/reference.ts";
import { forgetOtherChecks, runChecks } from "./checks/run_checks.ts";
import {
  emptyTables,
  removeConstraints,
  restoreConstraints,
} from "./tables/table_constraints.ts";
import type { WarehouseTable } from "./tables/warehouse_table.ts";

/** Batches that go into the warehouse in one transaction. */
export interface LoadWork {
  client: pg.Client;
  duckdb: DuckDb;
  zone: Zone;
  manifests: readonly ProcessedManifest[];
  /** The files with the versions of each model that the batches have. */
  versions: ReadonlyMap<string, VersionFiles>;
  /** Those that facts refer to come first. */
  tables: readonly WarehouseTable[];
  checks: readonly SqlFile[];
  types: Pick<ModelTypes, "columnsOf" | "typeOf">;
  progress: Progress;
  log: Logger;
}

/** Makes something in DuckDB; what it returns then uses that in Postgres. */
type Step = () => Promise<() => Promise<void>>;

/** Merges a group of batches into tables that hold earlier ones. */
export async function mergeGroup(work: LoadWork): Promise<void> {
  const { client, progress } = work;
  const touched = work.tables.filter((table) =>
    work.versions.has(table.model.name)
  );
  const stagings = new Map<string, string>();
  await pipelined(touched.map((table): Step => async () => {
    const exported = await exportForm(work, { table, form: "events" });
    return async () => {
      const staging = await createStaging(client, table);
      stagings.set(table.model.name, staging);
      await copyRows(client, exported, {
        table: staging,
        model: table.model.name,
        freeze: false,
        progress,
      });
      await client.query(`analyze ${staging}`);
      await keepEndingVersions(client, table, staging);
      try {
        await mergeEvents(client, table, staging);
      } catch (error) {
        throw refusalOf(error, table.model.name);
      }
      await checkTriggers(client, table, staging);
    };
  }));
  await checkTouched(work, { touched, stagings });
}

/** Runs the checks of the models that the batches touched. */
async function checkTouched(
  { client, tables, checks, manifests, log }: LoadWork,
  options: {
    touched: readonly WarehouseTable[];
    /** By model, what is new in its table; without one, all of it is. */
    stagings: ReadonlyMap<string, string>;
  },
): Promise<void> {
  const { touched, stagings } = options;
  const models = tables.map(({ model }) => model.name);
  const checksBy = new Map(
    tables.map((table) => [table, checksOf(table, { checks, models })]),
  );
  await forgetOtherChecks(client, [...checksBy.values()].flat());
  for (const table of touched) {
    await runChecks(client, {
      table,
      checks: checksBy.get(table) ?? [],
      staging: stagings.get(table.model.name),
      batch: manifests.at(-1)?.batch ?? 0,
      log,
    });
  }
}

async function mergeEvents(
  client: pg.Client,
  table: WarehouseTable,
  staging: string,
): Promise<void> {
  await addPlaceholders(client, table, {
    from: staging,
    where: `not ${eventFlag("is_delete", "referring")}`,
  });
  if (table.model.kind === "dimension") {
    await mergeDimension(client, table, staging);
  } else await mergeFact(client, table, staging);
}

/**
 * Fills tables that are all empty: straight from the lake, without keys and indexes,
 * which are built afterwards. True means that there are foreign keys left to be
 * validated once that is committed.
 */
export async function bulkLoad(work: LoadWork): Promise<boolean> {
  const { client } = work;
  const touched = work.tables.filter((table) =>
    work.versions.has(table.model.name)
  );
  const names = touched.flatMap(({ model }) => tablesOf(model));
  // Dimensions can't be emptied while others refer to them.
  const removed = await removeConstraints(client, [
    ...new Set([...work.tables.map(({ model }) => model.name), ...names]),
  ]);
  const truncated = await emptyTables(client, names);
  const proven = await fillTables(work, { touched, truncated });
  const hasUnvalidatedKeys = await restoreConstraints(client, removed, {
    tables: work.tables,
    proven,
  });
  if (names.length > 0) {
    await client.query(`analyze ${names.map(quoteName).join(", ")}`);
  }
  await checkTouched(work, { touched, stagings: new Map() });
  return hasUnvalidatedKeys;
}

/** Copies the versions in, and returns the references that are sound. */
async function fillTables(
  work: LoadWork,
  options: {
    touched: readonly WarehouseTable[];
    /** The tables into which rows may be copied frozen. */
    truncated: readonly string[];
  },
): Promise<ModelReference[]> {
  const { client, progress } = work;
  const { touched, truncated } = options;
  const columns = new Map<string, ExportedVersions["types"]>();
  const step =
    (table: WarehouseTable, form: VersionsForm): Step => async () => {
      const exported = await exportForm(work, { table, form });
      const { name } = table.model;
      columns.set(name, exported.types);
      const target = form === "closed" ? closedTable(name) : name;
      return () =>
        copyRows(client, exported, {
          table: quoteName(target),
          model: name,
          freeze: truncated.includes(target),
          progress,
        });
    };
  let proven: ModelReference[] = [];
  await pipelined([
    ...touched.flatMap((table) =>
      table.model.kind === "fact"
        ? [step(table, "fact rows")]
        : [step(table, "dimension rows"), step(table, "closed")]
    ),
    async () => {
      proven = await proveReferences(work.duckdb, {
        ...work,
        tables: touched,
        columns,
      });
      return async () => {};
    },
  ]);
  return proven;
}

/** Makes the next rows while some are being copied. */
async function pipelined(steps: readonly Step[]): Promise<void> {
  let next = steps[0]?.();
  for (const [index] of steps.entries()) {
    const use = await next;
    next = steps[index + 1]?.();
    // Its failure is handled where it is awaited, not while this one is used.
    next?.catch(() => {});
    try {
      await use?.();
    } catch (error) {
      await next?.catch(() => {});
      throw error;
    }
  }
}

async function exportForm(
  work: LoadWork,
  options: { table: WarehouseTable; form: VersionsForm },
): Promise<ExportedVersions> {
  const { table, form } = options;
  const { name } = table.model;
  const having = work.manifests.filter((manifest) =>
    manifest.models[name] !== undefined
  );
  const versions = work.versions.get(name);
  if (versions === undefined) throw new Error(`No versions of "${name}"`);
  const exported = await exportVersions(work.duckdb, {
    table,
    form,
    versions,
    oneBatch: having.length === 1 ? having[0] : undefined,
    zone: work.zone,
  });
  await checkKnown(work, { name, unknown: exported.unknown });
  await checkTypes(work, { table, types: exported.types });
  return exported;
}
