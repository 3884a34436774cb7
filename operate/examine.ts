import { counted } from "../lib/counted.ts";
import type pg from "pg";
import { readLiveTables } from "../extract/live_table.ts";
import { openSnapshot } from "../extract/snapshot.ts";
import { BatchLog } from "../lib/batches/batch_log.ts";
import type {
  IngestionManifest,
  ProcessedManifest,
} from "../lib/batches/manifest.ts";
import { messageOf, StageError } from "../lib/errors.ts";
import { readServerMode } from "../lib/postgres/connect.ts";
import { queryRow, serverName } from "../lib/postgres/postgres.ts";
import { openStageZone, type StageContext } from "../lib/stage.ts";
import { checkEncoding } from "../lib/warehouse/check_encoding.ts";
import { warehouseOf } from "../lib/warehouse/warehouse_settings.ts";
import { checkSameLake } from "../lib/warehouse/ledger.ts";
import { loadError } from "../lib/warehouse/load_error.ts";
import { missingIndexes } from "../load/tables/missing_indexes.ts";
import { damagedError, damagedTables } from "../load/schema/own_tables.ts";
import { PROBE } from "../sweep/zone_inventory.ts";
import { checkContinuity } from "../transform/batches/check_continuity.ts";
import { missingRight } from "./warehouse_rights.ts";
import { examineSize } from "./examine_size.ts";

/** One thing that was examined. */
export interface Finding {
  what: string;
  /** The finding, in a few words. */
  found: string;
  /** What to do; undefined where all is well. */
  hint?: string | undefined;
}

/** For stores and the warehouse: sweep compares ages, S3 the time of requests. */
const SKEW_SECONDS_MAX = 60;

/** Examines all that a run needs; reports faults, and does not throw them. */
export async function examine(context: StageContext): Promise<Finding[]> {
  const findings: Finding[] = [];
  const look = async (what: string, work: () => Promise<string>) => {
    try {
      findings.push({ what, found: await work() });
    } catch (error) {
      findings.push({
        what,
        found: messageOf(error),
        hint: error instanceof StageError && error.hint !== undefined
          ? error.hint
          : "docs/errors.md lists errors, docs/settings.md settings",
      });
    }
  };
  await look("source", () => examineSource(context));
  const isWell = (place: string) =>
    findings.some(({ what, hint }) => what === place && hint === undefined);
  await look("ingestion zone", () => examineZone(context, "ingestion"));
  await look("processed zone", async () => {
    const found = await examineZone(context, "processed");
    if (isWell("ingestion zone")) await checkZones(context);
    return found;
  });
  await look("DuckDB", () => examineDuckDb(context));
  await look("size", () => examineSize(context));
  await look("warehouse", async () => {
    try {
      return await examineWarehouse(context, {
        isLakeRead: isWell("processed zone"),
      });
    } catch (error) {
      throw loadError(error, serverName(warehouseOf(context)));
    }
  });
  return findings;
}

async function examineSource(context: StageContext): Promise<string> {
  const { config, sql, signal } = context;
  await using snapshot = await openSnapshot(context, {
    after: undefined,
    signal,
  });
  const live = await snapshot.use((client) =>
    readLiveTables(client, {
      tables: sql.tables,
      sourceSchema: config.sourceSchema,
    })
  );
  checkClock(context, {
    of: config.source === undefined ? "source" : serverName(config.source),
    now: new Date(snapshot.clockTime),
    secondsMax: config.sourceClockSkewMinutesMax * 60 || Infinity,
    way: "Set the wrong one by NTP, or raise SOURCE_CLOCK_SKEW_MINUTES_MAX",
  });
  return `PostgreSQL ${snapshot.serverVersion}, ${
    counted(live.length, "tables")
  } as in sql/source.sql${encodingNote(live[0]?.encoding ?? "UTF8")}`;
}

/** The consequence of a database's not being in UTF-8. */
function encodingNote(encoding: string): string {
  switch (encoding) {
    case "UTF8":
      return "";
    case "SQL_ASCII":
      return "; its database is in SQL_ASCII, which checks nothing: rows with texts that are not UTF-8 go to quarantine";
    default:
      return `; its database is in ${encoding}: extract stops at a character that UTF-8 lacks, and names its row`;
  }
}

async function examineZone(
  context: StageContext,
  name: "ingestion" | "processed",
): Promise<string> {
  const zone = openStageZone(context, name);
  try {
    const content = new TextEncoder().encode("written by ./totesys doctor\n");
    const created = await zone.create(PROBE, content);
    const again = await zone.create(PROBE, content);
    const replaced = await zone.put(PROBE, content, { ifMatch: '"other"' });
    const stored = await zone.read(PROBE);
    const now = await zone.now();
    // A role that may not delete may run all the same, as the functions do.
    await zone.remove(PROBE).catch(() => {});
    if (again || replaced) {
      throw new StageError(
        `Cannot rely on ${zone.url}: it ignores conditions (${
          again ? "If-None-Match" : "If-Match"
        })`,
        {
          subject: zone.url,
          hint: "Use a store with conditional writes, such as S3",
        },
      );
    }
    if (stored === undefined) {
      throw new StageError(
        `Cannot rely on ${zone.url}: a file just written is not there`,
        { subject: zone.url, hint: "Use a consistent store, such as S3" },
      );
    }
    checkClock(context, { of: zone.url, now });
    return `${zone.url} accepts files${
      created ? "" : ", as in an earlier check"
    }`;
  } finally {
    zone.close();
  }
}

/** Throws a `StageError` if the zones hold different lakes. */
async function checkZones(context: StageContext): Promise<void> {
  const ingestion = openStageZone(context, "ingestion");
  const processed = openStageZone(context, "processed");
  try {
    const output = new BatchLog<ProcessedManifest>(processed, "transform");
    const newest = await output.newest();
    if (newest === undefined) return;
    const input = new BatchLog<IngestionManifest>(ingestion, "extract");
    await checkContinuity(newest, { input });
  } finally {
    ingestion.close();
    processed.close();
  }
}

/** The time by a server's clock. */
async function clockOf(client: pg.Client): Promise<Date> {
  const { ms } = await queryRow(
    client,
    "select floor(extract(epoch from clock_timestamp()) * 1000) as ms",
  );
  return new Date(Number(ms));
}

/**
 * Snapshot times, freshness and sweeping use the clocks of several machines.
 */
function checkClock(
  context: StageContext,
  { of, now, secondsMax = SKEW_SECONDS_MAX, way = "Set the wrong one by NTP" }:
    { of: string; now: Date; secondsMax?: number; way?: string },
): void {
  const skew = (now.getTime() - context.clock().getTime()) / 1000;
  if (Math.abs(skew) <= secondsMax) return;
  throw new StageError(
    `Cannot trust the clock of ${of}: it is ${
      Math.round(skew)
    } s from this machine's`,
    { subject: of, hint: way },
  );
}

async function examineDuckDb(context: StageContext): Promise<string> {
  const { config, resources } = context;
  await using duckdb = await resources.openDuckDb(config, {
    zones: [config.ingestionUrl, config.processedUrl],
  });
  const [row] = await duckdb.rows("select version() as version");
  return `${row?.version}${config.s3 === undefined ? "" : " with httpfs"}`;
}

async function examineWarehouse(
  context: StageContext,
  /** Whether the processed zone can be read, to compare its lake. */
  { isLakeRead }: { isLakeRead: boolean },
): Promise<string> {
  const { resources, signal } = context;
  const settings = warehouseOf(context);
  await using connection = await resources.connect(settings, {
    purpose: "doctor",
    signal,
  });
  await checkEncoding(connection.client, serverName(warehouseOf(context)));
  const row = await queryRow(
    connection.client,
    `select current_setting('server_version') as version,
      pg_is_in_recovery() as standby`,
  );
  const { isReadOnly } = await readServerMode(connection.client);
  const wrong = row.standby === "t"
    ? ["it is a standby", "Name the primary in WAREHOUSE_URL"]
    : isReadOnly
    ? [
      "it is read-only: default_transaction_read_only is on",
      "Switch that off for the database or the role",
    ]
    : undefined;
  if (wrong !== undefined) throw unfit(wrong[0] ?? "", wrong[1] ?? "");
  const lacking = await missingRight(connection.client, context.sql);
  if (lacking !== undefined) throw unfit(lacking.problem, lacking.hint);
  const [damaged] = await damagedTables(connection.client);
  if (damaged !== undefined) throw damagedError(damaged);
  const dropped = await missingIndexes(connection.client, context.sql);
  if (dropped.length > 0) {
    throw new StageError(
      `Keys or indexes are gone from the warehouse's tables: ${dropped.length}`,
      {
        subject: "warehouse",
        hint: `Make them again, as their owner: ${
          dropped.join("; ")
        }. If a row is there twice, \`./totesys rebuild warehouse\` leaves one`,
      },
    );
  }
  if (isLakeRead) {
    const zone = openStageZone(context, "processed");
    try {
      await checkSameLake(connection.client, new BatchLog(zone, "transform"));
    } finally {
      zone.close();
    }
  }
  const now = await clockOf(connection.client);
  checkClock(context, { of: serverName(settings), now });
  return `PostgreSQL ${row.version}`;
}

function unfit(problem: string, hint: string): StageError {
  return new StageError(`Cannot load into the warehouse: ${problem}`, {
    subject: "warehouse",
    hint,
  });
}

/** The findings as lines for people. */
export function formatFindings(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ what, found, hint }) => [
    `${hint === undefined ? "ok   " : "WRONG"} ${what}: ${found}`,
    ...(hint === undefined ? [] : [`      -> ${hint}`]),
  ]);
  return `${lines.join("\n")}\n`;
}
