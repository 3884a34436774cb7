import { messageOf, StageError } from "../errors.ts";
import { query } from "../postgres/postgres.ts";
import { sqlFileNamer } from "../project/sql_files.ts";
import { secretsOf } from "../settings/secret_mask.ts";
import {
  isOutOfTime,
  openStageZone,
  type StageContext,
  type StageResult,
} from "../stage.ts";
import { BatchLog } from "./batch_log.ts";
import type { Manifest } from "./manifest.ts";

/** The note that a failed stage leaves behind, for `status` to show. */
export interface FailureNote {
  /** The batch that it failed at: the first that is not committed. */
  batch: number;
  /** When it failed at this batch for the first time, and for the last. */
  since: string;
  at: string;
  message: string;
  hint?: string;
  retryable: boolean;
}

const CONNECT_TIMEOUT_MS = 5_000;
const TEXT_CHARACTERS_MAX = 2_000;

/**
 * Runs a stage. If it fails, leaves a note where it would have committed:
 * extract and transform in their zone, load in the warehouse. An error in
 * writing the note is ignored. A stage that was asked to stop has not failed;
 * one that ran out of time has.
 */
export async function withFailureNote(
  context: StageContext,
  stage: StageResult["stage"],
  run: (context: StageContext) => Promise<StageResult>,
): Promise<StageResult> {
  try {
    return await run(context);
  } catch (error) {
    const { signal } = context;
    if (!signal.aborted || isOutOfTime(signal)) {
      const note = noteOf(context, error);
      const written = stage === "load"
        ? noteInWarehouse(context, note)
        : noteInZone(context, stage, note);
      await written.catch(() => {});
    }
    throw error;
  }
}

/** Reads the note of the last failure in a zone; undefined if there is none. */
export async function readFailureNote(
  log: Pick<BatchLog<Manifest>, "zone" | "failureKey">,
): Promise<FailureNote | undefined> {
  const stored = await log.zone.read(await log.failureKey());
  if (stored === undefined) return undefined;
  try {
    const note = JSON.parse(new TextDecoder().decode(stored.bytes));
    return Number.isSafeInteger(note.batch) ? note : undefined;
  } catch {
    return undefined;
  }
}

type Failure = Omit<FailureNote, "batch" | "since">;

function noteOf(context: StageContext, error: unknown): Failure {
  const mask = secretsOf(context.config);
  const nameFile = sqlFileNamer(context.config.sqlDirectory);
  const text = (said: string) =>
    mask(nameFile(said)).slice(0, TEXT_CHARACTERS_MAX);
  const { hint, retryable } = error instanceof StageError
    ? error
    : { hint: undefined, retryable: isOutOfTime(context.signal) };
  return {
    at: context.clock().toISOString(),
    message: text(
      isOutOfTime(context.signal)
        ? "Cannot finish before the function's time is up"
        : messageOf(error),
    ),
    ...(hint === undefined ? {} : { hint: text(hint) }),
    retryable,
  };
}

async function noteInZone(
  context: StageContext,
  stage: "extract" | "transform",
  failure: Failure,
): Promise<void> {
  const zone = openStageZone(
    context,
    stage === "extract" ? "ingestion" : "processed",
  );
  try {
    const log = new BatchLog<Manifest>(zone, stage);
    const batch = await log.newestNumber() + 1;
    const before = await readFailureNote(log);
    const since = before?.batch === batch ? before.since : failure.at;
    const note: FailureNote = { batch, since, ...failure };
    await zone.put(
      await log.failureKey(),
      new TextEncoder().encode(`${JSON.stringify(note)}\n`),
    );
  } finally {
    zone.close();
  }
}

async function noteInWarehouse(
  { config, resources }: StageContext,
  { at, message, hint, retryable }: Failure,
): Promise<void> {
  if (config.warehouse === undefined) return;
  const settings = {
    ...config.warehouse,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  };
  await using connection = await resources.connect(settings, {
    purpose: "load",
  });
  await query(
    connection.client,
    `insert into pipeline.failure
      (stage, batch, since, at, message, hint, retryable)
    select 'load', coalesce(max(batch), 0) + 1, $1, $1, $2, $3, $4
    from pipeline.batch
    on conflict (stage) do update set
      since = case
        when failure.batch = excluded.batch then failure.since
        else excluded.since
      end,
      batch = excluded.batch,
      at = excluded.at,
      message = excluded.message,
      hint = excluded.hint,
      retryable = excluded.retryable`,
    [at, message, hint ?? null, String(retryable)],
  );
}
