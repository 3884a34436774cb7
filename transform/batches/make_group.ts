import { type BatchLog, dataKey } from "../../lib/batches/batch_log.ts";
import {
  LAKE_WAY_BACK,
  type LiveList,
  nextLiveFiles,
} from "../../lib/batches/live_files.ts";
import type {
  IngestionManifest,
  LiveFile,
  LiveFiles,
  ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import { messageOf } from "../../lib/errors.ts";
import { readJsonList, writeJsonList } from "../../lib/batches/json_list.ts";
import { type StageContext, startRun } from "../../lib/stage.ts";
import { compactionBounds } from "../files/compact.ts";
import { sqlSince } from "./continuity.ts";
import { type GroupContent, type GroupedModel } from "./group_work.ts";
import { groupBounds } from "./group_bounds.ts";
import { type GroupCandidate, groupCandidates } from "./group_candidates.ts";
import {
  duckDbVersion,
  extractedOf,
  type MadeBatch,
  type MakeOptions,
  manifestOf,
  mergeFiles,
} from "./make_batch.ts";
import { transformGroup } from "./transform_group.ts";
import { sum } from "../../lib/batches/sum.ts";

const MANIFESTS = "_group";
/** Batches to commit one after another, and the live files of the last. */
export interface MadeGroup {
  made: Pick<MadeBatch, "manifest" | "isExpired">[];
  live: LiveList;
}

/** Options for the batches of a group. */
export interface GroupOptions extends MakeOptions {
  /** The batch before them, and its live files. */
  previous: ProcessedManifest;
  live: LiveList;
  last: IngestionManifest;
}

/**
 * Makes the batches after `previous` in one pass: one file for each model, with
 * the versions of all. If too few wait, or one differs from the others (a table
 * was read in full, a row can't be read, a rule is broken), returns the number
 * up to which they must be made one by one.
 */
export async function makeGroup(
  context: StageContext,
  options: GroupOptions,
): Promise<MadeGroup | { oneByOneTo: number }> {
  const { log, signal } = context;
  const bounds = groupBounds(context);
  const first = options.previous.batch + 1;
  if (options.last.batch - first + 1 < bounds.batchesMin) {
    return { oneByOneTo: options.last.batch };
  }
  let inputs = await groupCandidates(context, { ...options, bounds });
  while (inputs.length >= bounds.batchesMin) {
    const to = first + inputs.length - 1;
    try {
      const made = await tryGroup(context, { ...options, inputs });
      if (!("stopsAt" in made)) return made;
      inputs = inputs.filter(({ batch }) => batch < made.stopsAt);
    } catch (error) {
      signal.throwIfAborted();
      // Made one by one, they show which is at fault and what can be committed.
      log.warn("batches {from} to {to} are made one by one: {reason}", {
        from: first,
        to,
        reason: messageOf(error),
      });
      return { oneByOneTo: to };
    }
  }
  return { oneByOneTo: first + inputs.length };
}

async function tryGroup(
  context: StageContext,
  options: GroupOptions & { inputs: readonly GroupCandidate[] },
): Promise<MadeGroup | { stopsAt: number }> {
  const { config, sql, progress } = context;
  const { input, output, inputs, previous } = options;
  const processed = output.zone;
  const next = lastOf(inputs);
  const run = startRun(context);
  const startedAt = context.clock().toISOString();
  progress.begin(`transform ${inputs[0]?.batch} to ${next.batch}`, {
    rows: sum(inputs.map(extractedOf), "rows"),
  });
  const written: string[] = [];
  try {
    const content = await transformGroup({
      ...await options.prepare(),
      sql,
      ingestion: input.zone,
      processed,
      input: next,
      inputs,
      previous,
      runId: run.runId,
      progress,
      quarantineRowsMax: config.quarantineRowsMax,
      stateRowsMin: compactionBounds(context).stateRowsMin,
      held: new Map(),
      earlierFiles: () => Promise.resolve([]),
      written,
    });
    if ("stopsAt" in content) return content;
    return await finishGroup(context, { ...options, run, startedAt, content });
  } catch (error) {
    for (const key of written) await processed.remove(key).catch(() => {});
    throw error;
  } finally {
    progress.end();
  }
}

/** Merges the files that are due, and describes the group's batches. */
async function finishGroup(
  context: StageContext,
  options: GroupOptions & {
    inputs: readonly GroupCandidate[];
    run: ReturnType<typeof startRun>;
    startedAt: string;
    content: GroupContent;
  },
): Promise<MadeGroup> {
  const { output, inputs, run: { runId, isExpired }, content } = options;
  const { batch } = lastOf(inputs);
  const merged = await mergeFiles(context, { ...options, batch, runId });
  const { live, list } = await nextLiveFiles(output.zone, {
    batch,
    before: options.live,
    merged,
    own: liveFilesOf(context, { inputs, models: content.models }),
    runId,
    inCheckpoint: true,
  });
  const manifests = await listGroup(context, { ...options, runId, live });
  return {
    made: manifests.map((manifest) => ({ manifest, isExpired })),
    live: list,
  };
}

/** The manifests of a group's batches, each with a file that holds them all. */
async function listGroup(
  context: StageContext,
  options: Omit<GroupOptions, "live"> & {
    inputs: readonly GroupCandidate[];
    runId: string;
    startedAt: string;
    content: GroupContent;
    live: LiveFiles;
  },
): Promise<ProcessedManifest[]> {
  const { output, prepare, inputs, previous, runId, startedAt, content, live } =
    options;
  const { batch } = lastOf(inputs);
  const version = await duckDbVersion(prepare);
  const since = await sqlSince(context.sql, {
    ...options,
    batch: previous.batch + 1,
  });
  const manifests = inputs.map((next, index) =>
    manifestOf(context, {
      next,
      inputSha256: next.inputSha256,
      previous,
      runId,
      startedAt,
      duckdb: version,
      content: {
        ...index === 0 ? since : { sql: since.sql },
        models: modelsOf(content.models, next.batch),
        state: content.state,
        quarantined: previous.quarantined,
        live,
      },
    })
  );
  const key = dataKey(MANIFESTS, { batch, runId, part: "group.json" });
  const file = await writeJsonList(output.zone, key, manifests);
  const group = { to: batch, manifests: file };
  return manifests.map((manifest) => ({ ...manifest, group }));
}

/**
 * The batches of a group that a run made but ended too early to commit: nothing
 * else may follow those that it did commit.
 */
export async function restOfGroup(
  output: BatchLog<ProcessedManifest>,
  newest: ProcessedManifest,
): Promise<Pick<MadeBatch, "manifest" | "isExpired">[]> {
  const { group, batch } = newest;
  if (group === undefined || group.to === batch) return [];
  const manifests = await readJsonList<ProcessedManifest>(
    output.zone,
    group.manifests,
    { what: "manifests of the group", hint: LAKE_WAY_BACK },
  );
  return manifests.filter((one) => one.batch > batch).map((manifest) => ({
    manifest: { ...manifest, group },
    isExpired: () => false,
  }));
}

/** A group's file gets the level that as many merges would have reached. */
function liveFilesOf(
  context: StageContext,
  options: {
    inputs: readonly GroupCandidate[];
    models: ReadonlyMap<string, GroupedModel>;
  },
): LiveFile[] {
  const { inputs, models } = options;
  const { fanOut } = compactionBounds(context);
  const level = Math.floor(Math.log(inputs.length) / Math.log(fanOut));
  return [...models].map(([model, { file, columns, holdsUntilBy }]) => ({
    model,
    from: inputs[0]?.batch ?? 0,
    to: lastOf(inputs).batch,
    level,
    ...file,
    columns,
    holdsUntilBy,
  }));
}

/** The files that one batch of the group added to each model. */
function modelsOf(
  models: ReadonlyMap<string, GroupedModel>,
  batch: number,
): ProcessedManifest["models"] {
  return Object.fromEntries(
    [...models].flatMap(([name, { columns, batches }]) => {
      const counts = batches.get(batch);
      return counts === undefined
        ? []
        : [[name, { files: [], ...counts, columns }]];
    }),
  );
}

function lastOf(inputs: readonly GroupCandidate[]): GroupCandidate {
  const last = inputs.at(-1);
  if (last === undefined) throw new Error("No batches");
  return last;
}
