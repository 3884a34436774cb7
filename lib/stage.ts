import type { Logger } from "@logtape/logtape";
import type { Progress } from "./cli/progress.ts";
import type { openDuckDb } from "./duckdb/duckdb.ts";
import type { Engine } from "./engine.ts";
import { StageError } from "./errors.ts";
import { connect } from "./postgres/connect.ts";
import type { ProjectSql } from "./project/project_sql.ts";
import type { Config } from "./settings/config.ts";
import { openZone, type Zone } from "./zone/zone.ts";

/** How a stage reaches zones and databases. */
export interface Resources {
  openZone: typeof openZone;
  connect: typeof connect;
  openDuckDb: typeof openDuckDb;
}

/** The real resources. Only stages that open DuckDB load it. */
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
  /** How many files of a level become one of the next. */
  fanOut: number;
  /** The most bytes that a batch merges; larger sets are left alone. */
  bytesMax: number;
  /** A batch begins no merge after this long: the next batch goes on. */
  secondsMax: number;
  /** The most merges that a batch makes. */
  mergesMax: number;
  /** With fewer rows after the first file, levels alone decide. */
  laterRowsMin: number;
  /**
   * Files with fewer rows of a joined table are rewritten with each change of
   * it.
   */
  stateRowsMin: number;
}

/** Which of the pending batches are made in one pass. */
export interface GroupBounds {
  /** Fewer than this are made one by one. */
  batchesMin: number;
  batchesMax: number;
  /** Of CSV. */
  bytesMax: number;
}

/** All that a stage is given from outside. */
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
  /** When the run will be aborted at the latest, if that is known. */
  deadline?: Date;
  /** A function's share of processors, which its memory gives; 1 if unknown. */
  processors?: number;
  /** Replaces transform's own bounds and its settings. */
  compaction?: Partial<CompactionBounds>;
  /** Replaces its bounds on the batches that it makes in one pass. */
  grouping?: Partial<GroupBounds>;
  /** Replaces the engine that the settings name, for every batch. */
  openEngine?: (zone: Zone) => Promise<Engine>;
  /** Replaces load's bound on the batches of one transaction. */
  loadBatchesMax?: number;
}

/** The result of a stage's run. */
export interface StageResult {
  stage: "extract" | "transform" | "load";
  /** Committed now; empty when there was nothing to do. */
  batches: number[];
  rows: number;
  bytes: number;
  /** Snapshot time of the newest batch that this stage has committed. */
  snapshotTime?: string;
  /** How many rows are in quarantine, of transform. */
  quarantined?: number;
  /** Another run committed the batch first, or holds the lock. */
  overtaken?: boolean;
}

const OUT_OF_TIME = "out of time";

/** The reason with which a run's signal is aborted when its time is up. */
export function outOfTime(): DOMException {
  return new DOMException(OUT_OF_TIME, "AbortError");
}

/** Whether a signal was aborted because time is up, not by a stop request. */
export function isOutOfTime({ aborted, reason }: AbortSignal): boolean {
  return aborted && reason instanceof DOMException &&
    reason.message === OUT_OF_TIME;
}

const RUN_HOURS_MAX = 12;
/** A run commits nothing later than this after it began. */
export const RUN_MS_MAX = RUN_HOURS_MAX * 3_600_000;

/** Opens one of the two zones. */
export function openStageZone(
  { config, resources }: Pick<StageContext, "config" | "resources">,
  zone: "ingestion" | "processed",
): Zone {
  const url = zone === "ingestion" ? config.ingestionUrl : config.processedUrl;
  return resources.openZone(url, { s3: config.s3 });
}

/**
 * Starts a run, and guards it against having slept: files that no manifest
 * lists are swept after 48 hours, so a run older than 12 must not commit what
 * it wrote. Both clocks count, since one stops while a machine sleeps and the
 * other can be set.
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
      ) > RUN_MS_MAX,
  };
}

/** Why `doing` isn't done: a sweep may take the files of such a run. */
export function expiredError(doing: string, subject: string): StageError {
  return new StageError(
    `Cannot ${doing}: this run began over ${RUN_HOURS_MAX} hours ago`,
    { subject, retryable: true, hint: "Nothing was changed. Run it again" },
  );
}

/** Makes a run id: when the run began, and a random part. */
export function createRunId(now: Date): string {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  return `${time}-${crypto.randomUUID().slice(0, 8)}`;
}
