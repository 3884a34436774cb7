import type { Logger } from "@logtape/logtape";
import type { Progress } from "./cli/progress.ts";
import type { openDuckDb } from "./duckdb/duckdb.ts";
import { connect } from "./postgres/postgres.ts";
import type { ProjectSql } from "./project/project_sql.ts";
import type { Config } from "./settings/config.ts";
import { openZone, type Zone } from "./zone/zone.ts";

/** How a stage reaches what is outside of it. */
export interface Resources {
  openZone: typeof openZone;
  connect: typeof connect;
  openDuckDb: typeof openDuckDb;
}

/** The real ones. DuckDB is loaded by the stages only that open it. */
export const RESOURCES: Resources = {
  openZone,
  connect,
  openDuckDb: async (config, options) => {
    const duckdb = await import("./duckdb/duckdb.ts");
    return await duckdb.openDuckDb(config, options);
  },
};

/** When files of the lake are merged. */
export interface CompactionBounds {
  /** So many files of a level become one of the next. */
  fanOut: number;
  /** A batch merges no more bytes; what is larger together is left alone. */
  bytesMax: number;
  /** A batch begins no merge after so long; the others wait for the next one. */
  secondsMax: number;
  /** A batch makes no more merges. */
  mergesMax: number;
}

/** Which of the batches that wait are made in one pass. */
export interface GroupBounds {
  /** Fewer are made one by one. */
  batchesMin: number;
  batchesMax: number;
  /** Of CSV. */
  bytesMax: number;
}

/** What a stage is given of the io. */
export interface StageContext {
  config: Config;
  resources: Resources;
  sql: ProjectSql;
  log: Logger;
  progress: Progress;
  clock: () => Date;
  /** A new id for a run; data files carry it in their names. */
  newRunId: () => string;
  /** Aborted when the process is asked to stop. */
  signal: AbortSignal;
  /** When the run is aborted at the latest, where that is known. */
  deadline?: Date;
  /** In place of what transform keeps to by itself and by its settings. */
  compaction?: Partial<CompactionBounds>;
  /** The same for the batches that it makes in one pass. */
  grouping?: Partial<GroupBounds>;
  /** So many batches share a transaction of load, in place of its own bound. */
  loadBatchesMax?: number;
}

/** What one run of a stage did. */
export interface StageResult {
  stage: "extract" | "transform" | "load";
  /** Committed now; empty when there was nothing to do. */
  batches: number[];
  rows: number;
  bytes: number;
  /** Snapshot time of the newest batch that this stage has committed. */
  snapshotTime?: string;
  /** Rows in quarantine, more than before these batches; left out for none. */
  quarantined?: number;
  /** Another run committed the batch first, or holds the lock. */
  overtaken?: boolean;
}

const OUT_OF_TIME = "out of time";

/** Why a run's signal is aborted whose time is up. */
export function outOfTime(): DOMException {
  return new DOMException(OUT_OF_TIME, "AbortError");
}

/** Whether it was aborted since its time is up: nobody asked to stop. */
export function isOutOfTime({ aborted, reason }: AbortSignal): boolean {
  return aborted && reason instanceof DOMException &&
    reason.message === OUT_OF_TIME;
}

const RUN_HOURS_MAX = 12;
const MS_PER_HOUR = 3_600_000;

/** Opens one of the two zones. */
export function openStageZone(
  { config, resources }: Pick<StageContext, "config" | "resources">,
  zone: "ingestion" | "processed",
): Zone {
  const url = zone === "ingestion" ? config.ingestionUrl : config.processedUrl;
  return resources.openZone(url, { s3: config.s3 });
}

/**
 * The guard of a run that slept: files that no manifest lists are swept after
 * 48 hours, so a run older than 12 must not commit what it wrote. Both clocks
 * count, since one stands still while a machine sleeps and one can be set.
 */
export function startRun(context: StageContext): {
  runId: string;
  isExpired: () => boolean;
} {
  const startDate = context.clock().getTime();
  const startTick = performance.now();
  return {
    runId: context.newRunId(),
    isExpired: () =>
      Math.max(
        context.clock().getTime() - startDate,
        performance.now() - startTick,
      ) > RUN_HOURS_MAX * MS_PER_HOUR,
  };
}

/** A run id: when it began, and what tells it from any other. */
export function createRunId(now: Date): string {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  return `${time}-${crypto.randomUUID().slice(0, 8)}`;
}
