import { BatchLog } from "../../lib/batch_log.ts";
import { projectDirectory } from "../../lib/config.ts";
import { messageOf } from "../../lib/errors.ts";
import type { IngestionManifest } from "../../lib/manifest.ts";
import { openStageZone, type StageResult } from "../../lib/stage.ts";
import denoJson from "../../deno.json" with { type: "json" };
import type { Random } from "../../demo/random.ts";
import { sourceState } from "../harness/oracle.ts";
import { openPlatform, type Platform } from "../harness/platform.ts";
import { RandomWriters } from "../harness/random_writers.ts";
import { fillSmall } from "../harness/small_source.ts";
import { checkHistory } from "./check_history.ts";
import type { Outcome } from "./outcome.ts";
import { stream } from "./stream.ts";
import { Truth } from "./truth.ts";
import { untilQuiet } from "./until_quiet.ts";

type StageName = StageResult["stage"];

const ORDER: readonly StageName[] = ["extract", "transform", "load"];
const BATCHES_MIN = 5;
const KILLS_MIN = 10;
const ROUNDS_MAX = 40;
const WRITES_MAX = 12;
/** A stage's process is killed within so long of its start. */
const KILL_MS_MAX = 1200;
/** Every so many seeds keep their zones in S3. */
const S3_EVERY = 40;

/**
 * Runs a history whose stages are real processes, as the tasks start them,
 * and really killed (SIGKILL) at moments that the seed decides. Throws what
 * does not hold afterwards, with the history's story.
 */
export async function simulateProcesses(seed: number): Promise<Outcome> {
  const zones = seed % S3_EVERY === 0 ? "S3" : "directory";
  await using platform = await openPlatform({ zones });
  await fillSmall(platform.source.client);
  const truth = new Truth(platform);
  await using writers = await RandomWriters.open(
    platform.source.url,
    stream(seed, "writes"),
  );
  const { story } = writers;
  const outcome: Outcome = {
    seed,
    zones,
    batches: 0,
    runs: 0,
    failed: 0,
    faults: [],
    reads: 0,
    story,
  };
  const extracted = new ExtractedBatches(platform, truth);
  try {
    for (let round = 1; round <= ROUNDS_MAX; round++) {
      const random = stream(seed, `round ${round}`);
      const writes = random.between(0, WRITES_MAX);
      for (let write = 0; write < writes; write++) await writers.write();
      for (const stages of planRound(random)) {
        const ends = await Promise.all(
          stages.map(({ stage, killMs }) =>
            runStage(stage, { platform, killMs })
          ),
        );
        await extracted.record();
        for (const end of ends) {
          outcome.runs += 1;
          if (end.killed) outcome.faults.push(`killed ${end.what}`);
          else if (end.code !== 0) outcome.failed += 1;
          story.push(`== ${end.what}`);
        }
      }
      const enough = extracted.newest >= BATCHES_MIN &&
        outcome.faults.length >= KILLS_MIN;
      if (enough) break;
    }
    await writers.settle();
    await untilQuiet(platform);
    for (const stage of ORDER) {
      const end = await runStage(stage, { platform, killMs: undefined });
      if (end.code !== 0) {
        throw new Error(`${stage} failed undisturbed: ${end.output}`);
      }
      await extracted.record();
    }
    outcome.batches = extracted.newest;
    await checkHistory(platform, {
      truth,
      lastBatch: extracted.newest,
      spotBatch: stream(seed, "spot").between(1, extracted.newest),
    });
    return outcome;
  } catch (error) {
    throw new Error(`seed ${seed}: ${messageOf(error)}\n${story.join("\n")}`, {
      cause: error,
    });
  }
}

/** Keeps the source's content for each batch that has appeared. */
class ExtractedBatches {
  newest = 0;

  constructor(
    private readonly platform: Platform,
    private readonly truth: Truth,
  ) {}

  /** Called while nobody writes, after each run of extract. */
  async record(): Promise<void> {
    const zone = openStageZone(this.platform.context, "ingestion");
    try {
      const log = new BatchLog<IngestionManifest>(zone, "extract");
      const newest = await log.newest();
      const state = await sourceState(this.platform);
      for (
        let batch = this.newest + 1;
        batch <= (newest?.batch ?? 0);
        batch++
      ) {
        const { snapshotTime } = await log.read(batch);
        this.truth.record(snapshotTime, state);
        this.newest = batch;
      }
    } finally {
      zone.close();
    }
  }
}

interface PlannedRun {
  stage: StageName;
  /** Undefined: it is let to end. */
  killMs: number | undefined;
}

function planRound(random: Random): PlannedRun[][] {
  const { runs } = random.weighted<{ weight: number; runs: StageName[][] }>([
    { weight: 4, runs: [["extract"], ["transform"], ["load"]] },
    { weight: 2, runs: [["extract", "extract"]] },
    { weight: 2, runs: [["extract", "transform", "load"]] },
    { weight: 1, runs: [["transform", "transform"], ["load", "load"]] },
  ]);
  return runs.map((together) =>
    together.map((stage) => ({
      stage,
      killMs: random.fraction() < 0.55
        ? random.between(100, KILL_MS_MAX)
        : undefined,
    }))
  );
}

async function runStage(
  stage: StageName,
  options: { platform: Platform; killMs: number | undefined },
): Promise<{ what: string; killed: boolean; code: number; output: string }> {
  const { platform, killMs } = options;
  const { source, warehouse, config } = platform;
  const [, ...args] = denoJson.tasks[stage].command.split(" ");
  const process = new Deno.Command(Deno.execPath(), {
    args,
    cwd: projectDirectory(),
    env: {
      SOURCE_URL: source.url,
      WAREHOUSE_URL: warehouse.url,
      INGESTION_URL: config.ingestionUrl,
      PROCESSED_URL: config.processedUrl,
      TEMP_DIRECTORY: config.tempDirectory,
      DELETE_SHARE_MAX: "1",
      AWS_ENDPOINT_URL: config.s3?.endpoint ?? "",
      AWS_ACCESS_KEY_ID: config.s3?.accessKeyId ?? "",
      AWS_SECRET_ACCESS_KEY: config.s3?.secretAccessKey ?? "",
      DUCKDB_EXTENSION_DIRECTORY: config.duckDbExtensionDirectory ?? "",
    },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = killMs === undefined ? undefined : setTimeout(() => {
    try {
      process.kill("SIGKILL");
    } catch (error) {
      // It ended of itself in this very moment.
      if (!(error instanceof TypeError)) throw error;
    }
  }, killMs);
  const { code, signal, stdout, stderr } = await process.output();
  clearTimeout(timer);
  const killed = signal === "SIGKILL";
  const output = new TextDecoder().decode(stdout) +
    new TextDecoder().decode(stderr);
  const how = killed ? `killed after ${killMs} ms` : `ended with ${code}`;
  return { what: `${stage} ${how}`, killed, code, output };
}
