import assert from "node:assert/strict";
import type { Random } from "../../demo/random.ts";
import denoJson from "../../deno.json" with { type: "json" };
import { BatchLog } from "../../lib/batches/batch_log.ts";
import type { IngestionManifest } from "../../lib/batches/manifest.ts";
import { messageOf } from "../../lib/errors.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { openStageZone, type StageResult } from "../../lib/stage.ts";
import { sourceState, type State } from "../harness/readers/oracle.ts";
import { openPlatform, type Platform } from "../harness/platform.ts";
import { RandomWriters } from "../harness/companies/random_writers.ts";
import { checkHistory, checkNothingLeft } from "./check_history.ts";
import { KILL_ME } from "./mortal.ts";
import { emptyTally, type Outcome } from "./outcome.ts";
import { planDeath } from "./plan_faults.ts";
import { Readers } from "./readers.ts";
import type { HistoryOptions } from "./simulated_company.ts";
import type { Fault } from "./simulated_process.ts";
import { sourceTemplate, writersUrl } from "./source_template.ts";
import { stream } from "./stream.ts";
import { SIMULATED_TOTESYS } from "./totesys.ts";
import { Truth } from "./truth.ts";
import { untilQuiet } from "./until_quiet.ts";

type StageName = StageResult["stage"];

const ORDER: readonly StageName[] = ["extract", "transform", "load"];
const BATCHES_MIN = 5;
const KILLS_MIN = 10;
const ROUNDS_MAX = 40;
const WRITES_MAX = 12;
const KILLED_SHARE = 0.6;
/** Every so many seeds keep their zones in S3. */
const S3_EVERY = 40;

/**
 * Runs a history whose stages are real processes, as the tasks start them,
 * and really killed (SIGKILL) at calls that the seed decides, while analysts
 * read. Throws what does not hold, with the history's story.
 */
export async function simulateProcesses(
  seed: number,
  options: HistoryOptions = {},
): Promise<Outcome> {
  const {
    zones = seed % S3_EVERY === 0 ? "S3" : "directory",
    company = SIMULATED_TOTESYS,
  } = options;
  await using platform = await openPlatform({
    zones,
    sql: company.sql,
    sourceTemplate: await sourceTemplate(company),
    warehouse: "empty",
  });
  platform.set({ sqlDirectory: company.sqlDirectory });
  const truth = new ExtractedBatches(platform, company);
  await using readers = await Readers.open(platform, truth);
  await using writers = await RandomWriters.open(
    writersUrl(platform.source.url, company),
    stream(seed, "writes"),
    company.written,
  );
  const { story } = writers;
  const outcome: Outcome = { seed, zones, story, ...emptyTally() };
  const isEnough = () =>
    truth.newest >= BATCHES_MIN && outcome.faults.length >= KILLS_MIN;
  try {
    for (let round = 1; round <= ROUNDS_MAX && !isEnough(); round++) {
      const random = stream(seed, `round ${round}`);
      await writeSome(writers, random);
      for (const stages of planRound(random)) {
        await runStages(stages, { platform, readers, outcome });
        await truth.recordNewest();
      }
    }
    await writers.settle();
    await untilQuiet(platform);
    await runAll(platform);
    await truth.recordNewest();
    outcome.batches = truth.newest;
    outcome.reads = { ...readers.seen };
    await checkHistory(platform, {
      truth,
      lastBatch: truth.newest,
      spotBatch: stream(seed, "spot").between(1, truth.newest),
    });
    await checkNothingLeft(platform);
    // Last, since what was found before tells why.
    assert.ok(isEnough(), "too few batches or kills");
    return outcome;
  } catch (error) {
    throw new Error(`seed ${seed}: ${messageOf(error)}\n${story.join("\n")}`, {
      cause: error,
    });
  }
}

async function writeSome(writers: RandomWriters, random: Random) {
  const writes = random.between(0, WRITES_MAX);
  for (let write = 0; write < writes; write++) await writers.write();
}

/** Runs each stage once, without faults; throws if one fails. */
async function runAll(platform: Platform): Promise<void> {
  for (const stage of ORDER) {
    const { code, output } = await runStage(stage, { platform });
    if (code !== 0) throw new Error(`${stage} failed undisturbed: ${output}`);
  }
}

/** Runs stages beside each other while analysts read. */
async function runStages(
  stages: ReturnType<typeof planRound>[number],
  options: { platform: Platform; readers: Readers; outcome: Outcome },
): Promise<void> {
  const { platform, readers, outcome } = options;
  const running = Promise.all(
    stages.map(({ stage, death }) => runStage(stage, { platform, death })),
  );
  await readWhile(running, readers);
  for (const { code, killedAt, what } of await running) {
    outcome.runs += 1;
    if (killedAt !== undefined) outcome.faults.push(what);
    else if (code !== 0) outcome.failed += 1;
    outcome.story.push(`== ${what}`);
  }
}

/**
 * Keeps the source's content for each batch once it has appeared: here nobody
 * writes while a stage runs.
 */
class ExtractedBatches extends Truth {
  newest = 0;

  override async source(batch: number): Promise<State> {
    if (batch > this.newest) await this.recordNewest();
    return await super.source(batch);
  }

  /** Called before anybody writes again. */
  async recordNewest(): Promise<void> {
    const zone = openStageZone(this.platform.context, "ingestion");
    try {
      const log = new BatchLog<IngestionManifest>(zone, "extract");
      const newest = (await log.newest())?.batch ?? 0;
      const state = await sourceState(this.platform, this.company);
      for (let batch = this.newest + 1; batch <= newest; batch++) {
        this.record((await log.read(batch)).snapshotTime, state);
      }
      this.newest = Math.max(this.newest, newest);
    } finally {
      zone.close();
    }
  }
}

/** Reads lake and warehouse again and again until the work has ended. */
async function readWhile(
  work: Promise<unknown>,
  readers: Readers,
): Promise<void> {
  let isDone = false;
  const done = work.finally(() => isDone = true);
  while (!isDone) await readers.read();
  await done;
}

interface PlannedRun {
  stage: StageName;
  /** Left out: it is let to end. */
  death?: Fault | undefined;
}

function planRound(random: Random): PlannedRun[][] {
  const { runs } = random.weighted<{ weight: number; runs: StageName[][] }>([
    { weight: 4, runs: [["extract"], ["transform"], ["load"]] },
    { weight: 2, runs: [["extract", "extract"]] },
    { weight: 2, runs: [["extract", "transform", "load"]] },
    { weight: 1, runs: [["transform", "transform"], ["load", "load"]] },
  ]);
  return runs.map((together) =>
    together.map((stage) =>
      random.fraction() < KILLED_SHARE
        ? { stage, death: planDeath(stage, random) }
        : { stage }
    )
  );
}

interface StageEnd {
  what: string;
  /** The call at which it was killed. */
  killedAt?: string;
  code: number;
  output: string;
}

async function runStage(
  stage: StageName,
  options: { platform: Platform; death?: Fault | undefined },
): Promise<StageEnd> {
  const { platform, death } = options;
  const { source, warehouse, config } = platform;
  const [, run = "", ...args] = denoJson.tasks[stage].command.split(" ");
  const mortal = new URL("./mortal.ts", import.meta.url);
  if (death !== undefined) {
    mortal.searchParams.set("fault", JSON.stringify(death));
  }
  await using process = new Deno.Command(Deno.execPath(), {
    args: [run, `--preload=${mortal}`, ...args],
    cwd: platformDirectory(),
    env: {
      SQL_DIRECTORY: config.sqlDirectory,
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
  const stdout = process.stdout.text();
  let stderr = "";
  for await (
    const text of process.stderr.pipeThrough(new TextDecoderStream())
  ) {
    stderr += text;
    if (stderr.includes(KILL_ME)) process.kill("SIGKILL");
  }
  const { code, signal } = await process.status;
  const output = await stdout + stderr;
  if (signal !== "SIGKILL") {
    return { what: `${stage} ended with ${code}`, code, output };
  }
  const [, killedAt = ""] = stderr.split(KILL_ME);
  const what = `${stage} killed: ${killedAt.trim()}`;
  return { what, killedAt, code, output };
}
