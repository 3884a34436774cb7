import type pg from "pg";
import { BatchLog } from "../lib/batch_log.ts";
import { forStage } from "../lib/command.ts";
import { checkFiles } from "../lib/data_files.ts";
import { isForeign, messageOf, StageError } from "../lib/errors.ts";
import type { ProcessedManifest } from "../lib/manifest.ts";
import { inTransaction, serverName } from "../lib/postgres.ts";
import { QUARANTINE } from "../lib/quarantine_model.ts";
import { openStageZone, type StageContext } from "../lib/stage.ts";
import type { Zone } from "../lib/zone.ts";
import { warehouseOf } from "../load/open_loader.ts";
import {
  type BrokenRule,
  checkedModel,
  runWholeChecks,
} from "../load/run_checks.ts";
import {
  filesOfBatches,
  type LakeFile,
} from "../transform/files_of_batches.ts";
import { QUARANTINE_TYPES } from "../transform/quarantine.ts";
import { prepare } from "../transform/prepare.ts";
import { checkZones } from "./check_zones.ts";
import {
  compareModels,
  type Comparison,
  describeKeys,
} from "./compare_models.ts";
import { type ExpectedLake, openExpectedLake } from "./expected_lake.ts";
import type { ModelInLake } from "./lake_rows.ts";
import { remakeJoins } from "./remake_joins.ts";
import { type Verification, writeVerification } from "./verification.ts";
import { digestInWarehouse, type WarehouseModel } from "./warehouse_digest.ts";

const SETTINGS = { work_mem: "64MB", jit: "off" };

/**
 * Compares the lake and the warehouse with the source, by content, as of a
 * batch that is extracted for it, and runs every check on the whole tables.
 * The outcome is written into the warehouse; a difference is logged as an
 * error. Throws when it could not be done.
 */
export async function verify(context: StageContext): Promise<Verification> {
  const { resources, progress, signal } = context;
  const warehouse = warehouseOf(context);
  const began = performance.now();
  try {
    await checkZones(context);
    await using expected = await openExpectedLake(context);
    const { batch, snapshotTime } = expected;
    await using connection = await resources.connect(warehouse, {
      purpose: "verify",
      signal,
    });
    progress.begin(`verify ${batch}`);
    const { comparisons, brokenRules } = await compareAll(context, {
      expected,
      warehouse: connection.client,
    });
    const verification: Verification = {
      batch,
      snapshotTime,
      seconds: (performance.now() - began) / 1000,
      comparisons,
      brokenRules,
      same: comparisons.every((one) => one.differences === 0) &&
        brokenRules.every((rule) => rule.severity !== "error"),
    };
    await writeVerification(connection.client, verification);
    tell(verification, forStage(context, "verify"));
    return verification;
  } catch (error) {
    throw verifyError(error, serverName(warehouse));
  } finally {
    progress.end();
  }
}

async function compareAll(
  context: StageContext,
  options: { expected: ExpectedLake; warehouse: pg.Client },
): Promise<Pick<Verification, "comparisons" | "brokenRules">> {
  const { config, resources, sql } = context;
  const { expected, warehouse } = options;
  const zone = openStageZone(context, "processed");
  try {
    await using duckdb = await resources.openDuckDb(config, {
      zones: [zone.url, expected.zone.url],
    });
    const columns = await prepare(duckdb, sql);
    const models = [...sql.models, QUARANTINE].map((model): ModelInLake => ({
      ...model,
      columns: (columns.get(model.name) ?? QUARANTINE_TYPES).map((column) => ({
        ...column,
        isTime: model.times.includes(column.name),
      })),
    }));
    // The warehouse works while DuckDB makes what should be there.
    const inWarehouse = askWarehouse(warehouse, {
      context,
      models,
      batch: expected.batch,
    });
    const digests = inWarehouse.then((found) => found.digests);
    digests.catch(() => {});
    const log = new BatchLog<ProcessedManifest>(zone, "transform");
    const made = await expected.make();
    const expectedFiles = await remakeJoins(duckdb, {
      sql,
      columns,
      expected: { ...made, zone: expected.zone },
      lake: { zone, manifest: await log.read(expected.batch) },
    });
    const files = await filesOfBatches(log, { from: 1, to: expected.batch });
    const comparisons = await compareModels({
      duckdb,
      models,
      expected: { zone: expected.zone, files: expectedFiles },
      lake: { zone, files },
      warehouse,
      digests,
      scratch: expected.zone,
    }).catch(async (error) => {
      // A damaged file explains whatever else went wrong with it.
      await checkLake(zone, files);
      throw error;
    });
    return { comparisons, brokenRules: (await inWarehouse).brokenRules };
  } finally {
    zone.close();
  }
}

async function checkLake(
  zone: Zone,
  files: readonly LakeFile[],
): Promise<void> {
  try {
    await checkFiles(zone, files);
  } catch (error) {
    if (!(error instanceof StageError)) throw error;
    throw new StageError(`Cannot verify the lake: ${error.message}`, {
      subject: error.subject,
      hint:
        "Restore the file from the bucket's versions, or make the lake anew: deno task rebuild processed",
      cause: error,
    });
  }
}

async function askWarehouse(
  client: pg.Client,
  options: {
    context: StageContext;
    models: readonly ModelInLake[];
    batch: number;
  },
): Promise<
  {
    digests: ReadonlyMap<string, WarehouseModel>;
    brokenRules: readonly BrokenRule[];
  }
> {
  const { context, models, batch } = options;
  const digests = new Map<string, WarehouseModel>();
  for (const model of models) {
    const { columns } = model;
    digests.set(
      model.name,
      await inTransaction(
        client,
        { settings: SETTINGS },
        () => digestInWarehouse(client, { model, columns, batch }),
      ),
    );
  }
  const brokenRules: BrokenRule[] = [];
  for (const { name } of models) {
    const checks = context.sql.checks.filter((check) =>
      checkedModel(check) === name
    );
    brokenRules.push(
      ...await inTransaction(
        client,
        { settings: SETTINGS },
        () => runWholeChecks(client, { name, checks }),
      ),
    );
  }
  return { digests, brokenRules };
}

/** A difference is an alarm: an event of the level error. */
function tell(verification: Verification, { log }: StageContext): void {
  const { batch, comparisons, brokenRules, same, seconds } = verification;
  for (const one of comparisons) {
    if (one.differences === 0) continue;
    log.error(
      one.place === "history"
        ? "{model} has other versions in the warehouse than in the lake: {differences} differ, the first {keys}"
        : "{model} is not in the {place} as the source has it: {differences} keys differ, the first {keys}",
      {
        model: one.model,
        place: one.place,
        differences: one.differences,
        keys: describeKeys(one),
        hint: `Run ${waysBack(one).join(", ")}`,
        batch,
      },
    );
  }
  for (const rule of brokenRules) {
    log[rule.severity === "error" ? "error" : "warn"](
      "check {check}: {findings} findings, the first {key}: {finding}",
      { ...rule, batch },
    );
  }
  if (!same) return;
  log.info(
    "batch {batch}: source, lake and warehouse are the same in {rows} rows of {models} models, {seconds} s",
    {
      batch,
      rows: comparisons.filter((one) => one.place === "lake")
        .reduce((sum, one) => sum + one.rows, 0),
      models: new Set(comparisons.map((one) => one.model)).size,
      seconds: Number(seconds.toFixed(1)),
    },
  );
}

/**
 * The tasks that mend what differs. A resync brings the whole history anew,
 * too, but reads the source for it.
 */
export function waysBack({ place, tables }: Comparison): string[] {
  const resyncs = tables.map((table) => `deno task resync ${table}`);
  return place === "history"
    ? [`deno task rebuild warehouse, or ${resyncs.join(" and ")}`]
    : resyncs;
}

function verifyError(error: unknown, server: string): unknown {
  if (!isForeign(error)) return error;
  return new StageError(`Cannot verify ${server}: ${messageOf(error)}`, {
    subject: server,
    retryable: true,
    hint:
      "See that the files it names are there, and that the warehouse has <model>_as_of_batch for every model; then run verify again",
    cause: error,
  });
}
