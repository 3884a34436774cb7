import { BatchLog } from "../../lib/batches/batch_log.ts";
import type { FailureNote } from "../../lib/batches/failure_note.ts";
import type { Manifest } from "../../lib/batches/manifest.ts";
import {
  loadFailureOf,
  pendingFor,
  readStageProgress,
} from "../../lib/batches/stage_progress.ts";
import { messageOf } from "../../lib/errors.ts";
import type { TextRow } from "../../lib/sql/quote.ts";
import { openStageZone, type StageContext } from "../../lib/stage.ts";
import type { Zone } from "../../lib/zone/zone.ts";

/** Where a stage stands, for the page. */
export interface StageState {
  stage: "extract" | "transform" | "load";
  /** Its newest batch; null if there is none, or if it is hidden. */
  batch: number | null;
  committed_at: string | null;
  /** Batches of the stage before it that it has not processed yet. */
  pending: number | null;
  /** What its newest run failed with, while that batch is still pending. */
  failure: StageFailure | null;
  /** Why its own state can't be seen from here. */
  hidden: string | null;
}

/** What a stage fails with. */
export interface StageFailure {
  batch: number;
  /** When it failed for the first time at this batch, and for the last. */
  since: string;
  at: string;
  message: string;
  hint: string | null;
  retryable: boolean;
}

/** Reads the state of extract and of transform from their zones. */
export type ReadZones = () => Promise<StageState[]>;

const ZONES = [
  { zone: "ingestion", stage: "extract" },
  { zone: "processed", stage: "transform" },
] as const;
/** A page that shows the warehouse does not wait for a zone for long. */
const ANSWER_MS = 5_000;

/** Reads the zones as `status` does, as far as this process has the rights. */
export function zoneReader(
  context: Pick<StageContext, "config" | "resources">,
): ReadZones {
  const { ingestionUrl, processedUrl } = context.config;
  const urls = { ingestion: ingestionUrl, processed: processedUrl };
  return () =>
    Promise.all(ZONES.map(async ({ zone, stage }) => {
      if (urls[zone] === "") {
        return hiddenStage(stage, `${zone.toUpperCase()}_URL is not set here`);
      }
      const opened = openStageZone(context, zone);
      try {
        return await within(ANSWER_MS, readZone(opened, stage));
      } catch (error) {
        return hiddenStage(stage, messageOf(error));
      } finally {
        opened.close();
      }
    }));
}

/** The states of extract and transform where the zones can't be read. */
export function hiddenZones(): Promise<StageState[]> {
  return Promise.resolve(
    ZONES.map(({ zone, stage }) =>
      hiddenStage(stage, `the ${zone} zone can't be read from here`)
    ),
  );
}

/**
 * The three stages, with what is pending between them. A zone that lacks what the
 * warehouse has loaded is not the one it was loaded from.
 */
export function joinStages(
  zones: readonly StageState[],
  { newest, failure }: {
    newest: TextRow | undefined;
    failure: TextRow | undefined;
  },
): StageState[] {
  const loaded = Number(newest?.batch ?? 0);
  const load: StageState = {
    stage: "load",
    batch: loaded === 0 ? null : loaded,
    committed_at: newest?.loaded_at ?? null,
    pending: null,
    failure: failureState(loadFailureOf(failure)),
    hidden: null,
  };
  const seen = zones.map((zone) =>
    zone.hidden === null && (zone.batch ?? 0) < loaded
      ? hiddenStage(
        zone.stage,
        "its zone is another one than the warehouse was loaded from",
      )
      : zone
  );
  return [...seen, load].map((stage, index, all) => {
    const before = all[index - 1];
    if (before === undefined || before.hidden || stage.hidden) return stage;
    const { pending, failure = null } = pendingFor(stage, before.batch ?? 0);
    return { ...stage, pending, failure };
  });
}

async function readZone(
  zone: Zone,
  stage: "extract" | "transform",
): Promise<StageState> {
  const log = new BatchLog<Manifest>(zone, stage);
  const { newest, failure } = await readStageProgress(log);
  return {
    stage,
    batch: newest?.batch ?? null,
    committed_at: newest?.committedAt ?? null,
    pending: null,
    failure: failureState(failure),
    hidden: null,
  };
}

/** The part of a note that the page shows. */
function failureState(note: FailureNote | undefined): StageState["failure"] {
  if (note === undefined) return null;
  const { batch, since, at, message, hint = null, retryable } = note;
  return { batch, since, at, message, hint, retryable };
}

function hiddenStage(stage: StageState["stage"], why: string): StageState {
  return {
    stage,
    batch: null,
    committed_at: null,
    pending: null,
    failure: null,
    hidden: why,
  };
}

async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error("its zone does not answer")),
    ms,
  );
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
