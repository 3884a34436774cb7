import type { BatchLog } from "../../lib/batches/batch_log.ts";
import { type LiveList, readLiveList } from "../../lib/batches/live_files.ts";
import {
  allVersionsOf,
  type IngestionManifest,
  type ProcessedManifest,
  type ProcessedModel,
} from "../../lib/batches/manifest.ts";
import { messageOf } from "../../lib/errors.ts";
import {
  expiredError,
  type StageContext,
  type StageResult,
} from "../../lib/stage.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import type { HeldModel } from "./batch_work.ts";
import { type MadeBatch, makeBatch, type MakeOptions } from "./make_batch.ts";
import { makeGroup, restOfGroup } from "./make_group.ts";
import { sum } from "../../lib/batches/sum.ts";

/** The newest batch after a run. */
export interface Reached {
  committed: ProcessedManifest | undefined;
  /**
   * The live files of the batch made last, which another run's batch may
   * follow.
   */
  live: LiveList;
}

/** How far a run has come. */
interface Progress extends Reached {
  /** Another run committed a batch first. */
  isOvertaken: boolean;
}

/**
 * Makes each batch after `previous`, up to and including `last`, and counts it
 * in the result; ends early, and says so, if another run commits one first. If
 * many wait, groups of them are made in one pass each.
 *
 * A batch that breaks a rule is committed only together with a later one that
 * repairs it. Throws a `StageError` that names the rule if none of the pending
 * batches does; those before it are committed.
 */
export async function makeBatches(
  context: StageContext,
  options: MakeOptions & {
    previous: ProcessedManifest | undefined;
    last: IngestionManifest;
    result: StageResult;
  },
): Promise<Reached> {
  const { output, previous, last, result } = options;
  const work: Progress = {
    committed: previous,
    live: { checkpoint: undefined, base: [], files: [] },
    isOvertaken: false,
  };
  await commitAll(context, {
    ...options,
    work,
    made: previous === undefined ? [] : await restOfGroup(output, previous),
  });
  if ((work.committed?.batch ?? 0) < last.batch && !work.isOvertaken) {
    work.live = await readLiveList(output, work.committed);
  }
  while ((work.committed?.batch ?? 0) < last.batch && !work.isOvertaken) {
    context.signal.throwIfAborted();
    const { committed, live } = work;
    const group = committed === undefined
      ? { oneByOneTo: 1 }
      : await makeGroup(context, { ...options, previous: committed, live });
    if ("oneByOneTo" in group) {
      await makeOneByOne(context, { ...options, work, to: group.oneByOneTo });
    } else {
      work.live = group.live;
      await commitAll(context, { ...options, work, made: group.made });
    }
  }
  if (work.isOvertaken) result.overtaken = true;
  return work;
}

/**
 * Makes the batches up to one, and those after it that are needed to repair a
 * broken rule.
 */
async function makeOneByOne(
  context: StageContext,
  options: MakeOptions & {
    last: IngestionManifest;
    result: StageResult;
    work: Progress;
    to: number;
  },
): Promise<void> {
  const { input, output, last, work, to } = options;
  const held = new Map<string, HeldModel>();
  let known = new Map<string, HeldModel>();
  let repaired: { message: string; batch: number }[] = [];
  let made: MadeBatch[] = [];
  const first = (work.committed?.batch ?? 0) + 1;
  for (
    let batch = first;
    batch <= last.batch && (batch <= to || held.size > 0);
    batch++
  ) {
    context.signal.throwIfAborted();
    const one = await makeBatch(context, {
      ...options,
      next: batch === last.batch ? last : await input.read(batch),
      previous: made.at(-1)?.manifest ?? work.committed,
      live: work.live,
      held,
    });
    made.push(one);
    work.live = one.live;
    for (const [model, { error: { message } }] of known) {
      if (!held.has(model)) repaired.push({ message, batch });
    }
    // The first error of each: those that follow may be its consequences.
    known = new Map(
      [...held].map(([model, now]) => [model, known.get(model) ?? now]),
    );
    if (held.size > 0) continue;
    await commitAll(context, { ...options, made });
    if (work.isOvertaken) return;
    made = [];
    for (const one of repaired) {
      context.log.warn(
        "{message}; batch {batch} repairs it, and what it held up is not in the batches before",
        one,
      );
    }
    repaired = [];
  }
  const [broken] = held.values();
  if (broken === undefined) return;
  await removeMade(context, { zone: output.zone, made });
  throw broken.error;
}

/** Commits batches in order, until another run is first. */
async function commitAll(
  context: StageContext,
  options: {
    output: BatchLog<ProcessedManifest>;
    result: StageResult;
    work: Progress;
    made: readonly Pick<MadeBatch, "manifest" | "isExpired">[];
  },
): Promise<void> {
  const { output, result, work, made } = options;
  for (const { manifest, isExpired } of made) {
    const previous = work.committed;
    if (
      !await commitBatch(context, { output, manifest, previous, isExpired })
    ) {
      work.isOvertaken = true;
      return;
    }
    work.committed = manifest;
    result.batches.push(manifest.batch);
    result.rows += allVersionsOf(manifest);
    result.bytes += count(manifest, bytesOf);
  }
}

/** Resolves to whether this run committed the batch. */
async function commitBatch(
  context: StageContext,
  options: {
    output: BatchLog<ProcessedManifest>;
    manifest: ProcessedManifest;
    previous: ProcessedManifest | undefined;
    isExpired: () => boolean;
  },
): Promise<boolean> {
  const { log } = context;
  const { output, manifest, previous, isExpired } = options;
  const { batch, runId, quarantined } = manifest;
  if (isExpired()) {
    throw expiredError(`commit batch ${batch}`, output.zone.url);
  }
  context.signal.throwIfAborted();
  if (!await output.commit(manifest)) {
    log.warn("batch {batch} was committed by another run first", { batch });
    return false;
  }
  log.info("batch {batch}: {rows} versions in {files} models, {bytes} bytes", {
    batch,
    rows: allVersionsOf(manifest),
    files: Object.keys(manifest.models).length,
    bytes: count(manifest, bytesOf),
    deletes: count(manifest, (model) => model.deletes),
    runId,
  });
  const before = previous?.quarantined ?? 0;
  if (quarantined > before) {
    log.error(
      "{quarantined} rows are in quarantine, {added} more than before: `./totesys status` shows them",
      { quarantined, added: quarantined - before, batch },
    );
  }
  return true;
}

/** Removes what a run wrote but could not commit: the next one rewrites it. */
async function removeMade(
  { log }: StageContext,
  { zone, made }: { zone: Zone; made: readonly MadeBatch[] },
): Promise<void> {
  const keys = made.flatMap(({ manifest, live }) =>
    [
      ...live.files,
      ...Object.values(manifest.state),
      ...live.checkpoint === undefined ? [] : [live.checkpoint],
    ].map(({ key }) => key).filter((key) => key.includes(manifest.runId))
  );
  try {
    for (const key of keys) await zone.remove(key);
  } catch (error) {
    log.warn(
      "files of batches that are not committed stay until a sweep: {reason}",
      {
        reason: messageOf(error),
      },
    );
  }
}

function bytesOf({ files }: ProcessedModel): number {
  return sum(files, "bytes");
}

function count(
  { models }: ProcessedManifest,
  of: (model: ProcessedModel) => number,
): number {
  return Object.values(models).reduce((sum, model) => sum + of(model), 0);
}
