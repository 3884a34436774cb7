import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { extract } from "../extract/extract.ts";
import type { LiveTable } from "../extract/live_table.ts";
import { shippedColumns, shippedSql } from "../extract/shipped_rows.ts";
import type { Snapshot } from "../extract/snapshot.ts";
import { StageError } from "../lib/errors.ts";
import { quoteName } from "../lib/sql/quote.ts";
import type { StageContext } from "../lib/stage.ts";
import { forStage } from "../lib/stage_context.ts";
import { keyName } from "../lib/zone/zone_key.ts";
import { load } from "../load/load.ts";
import { transform } from "../transform/transform.ts";
import { type CopiedRows, copyRows } from "./copied_rows.ts";

/** One whole state of the source, and the batch of that state. */
export interface CapturedSource {
  batch: number;
  snapshotTime: string;
  /** Every table of the contract, by its name. */
  tables: ReadonlyMap<string, CopiedRows>;
}

/** Other runs may take the batch's number this many times. */
const ATTEMPTS_MAX = 5;
/** How long another run may hold up the batch. */
const WAIT_MS = 1000;
const WAITS_MAX = 600;

/**
 * Extracts a batch and, while its snapshot is open, copies every table of the
 * contract into the folder; then transforms and loads that batch. The files
 * take about as much room as the source as CSV.
 */
export async function captureSource(
  context: StageContext,
  folder: string,
): Promise<CapturedSource> {
  const state = await extractAndCopy(context, folder);
  await bringThrough(context);
  return state;
}

async function extractAndCopy(
  context: StageContext,
  folder: string,
): Promise<CapturedSource> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const tables = new Map<string, CopiedRows>();
    const { batches: [batch], snapshotTime } = await extract(
      forStage(context, "extract"),
      {
        whileOpen: async (snapshot, live) => {
          context.progress.begin("verify: read the source");
          const copying = live.map(async (table) => {
            tables.set(
              table.contract.name,
              await copyTable({ snapshot, table, folder }),
            );
          });
          const settled = await Promise.allSettled(copying);
          const failed = settled.find((one) => one.status === "rejected");
          if (failed !== undefined) throw failed.reason;
        },
      },
    );
    if (batch !== undefined && snapshotTime !== undefined) {
      return { batch, snapshotTime, tables };
    }
  }
  throw new StageError(
    `Cannot verify: other runs committed a batch first ${ATTEMPTS_MAX} times`,
    {
      subject: context.config.ingestionUrl,
      retryable: true,
      hint: "Try again; one deployment alone should write there",
    },
  );
}

/** Copies a whole table, each row in the form in which extract reads it. */
async function copyTable(
  { snapshot, table, folder }: {
    snapshot: Snapshot;
    table: LiveTable;
    folder: string;
  },
): Promise<CopiedRows> {
  const { contract: { name }, source: { schema, name: sourceName } } = table;
  const source = `${quoteName(schema)}.${quoteName(sourceName)}`;
  return await snapshot.use((client) =>
    copyRows(client, {
      select: shippedSql(table, { source, longRows: true }),
      columns: shippedColumns(table, { longRows: true }),
      path: join(folder, `source-${keyName(name)}.csv`),
    })
  );
}

/**
 * Transforms and loads up to the batch; other runs may do so at the same time.
 */
async function bringThrough(context: StageContext): Promise<void> {
  for (let wait = 0; wait < WAITS_MAX; wait++) {
    const transformed = await transform(forStage(context, "transform"));
    const loaded = await load(forStage(context, "load"));
    if (!transformed.overtaken && !loaded.overtaken) return;
    await sleep(WAIT_MS, undefined, { signal: context.signal });
  }
  throw new StageError(
    `Cannot verify: another run has kept the batch from the warehouse for ${
      WAITS_MAX * WAIT_MS / 60_000
    } minutes`,
    {
      subject: context.config.processedUrl,
      retryable: true,
      hint: "Find out what the other run does, then try again",
    },
  );
}
