import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../demo/random.ts";
import { extract } from "../../extract/extract.ts";
import { messageOf } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import type { StageContext, StageResult } from "../../lib/stage.ts";
import { load } from "../../load/load.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import { sourceState } from "../harness/readers/oracle.ts";
import type { Platform } from "../harness/platform.ts";
import { openClient } from "../harness/servers/postgres.ts";
import type { RandomWriters } from "../harness/companies/random_writers.ts";
import { assertRebuilds } from "../harness/rebuild.ts";
import type { AttachedLake } from "./attached_lake.ts";
import { checkHistory, checkNothingLeft } from "./check_history.ts";
import type { Migrator } from "./migrator.ts";
import { emptyTally } from "./outcome.ts";
import { planFaults } from "./plan_faults.ts";
import { planRun, planStages } from "./plan_round.ts";
import type { Readers } from "./readers.ts";
import { hasTime, isBehind } from "./seed_traits.ts";
import { type Fault, SimulatedProcess } from "./simulated_process.ts";
import type { SourceOwner } from "./source_owner.ts";
import { stream } from "./stream.ts";
import { lakeIsStaleSince, sweepSince } from "./sweep_since.ts";
import { untilQuiet } from "./until_quiet.ts";

type StageName = StageResult["stage"];

const BATCHES_MIN = 5;
const FAULTS_MIN = 10;
const ROUNDS_MIN = 7;
const ROUNDS_MAX = 60;
const ROUNDS_OPEN_MAX = 20;
const WRITES_MAX = 16;
const HOUR_MS = 3_600_000;
const MIGRATED_SHARE = 0.2;
/** The share of moments between runs, and of late calls, with a sweep. */
const SWEPT_SHARE = 0.08;
const SWEPT_LATE_SHARE = 0.15;
/** The share of sweeps between runs after which load must catch up. */
const LOADED_SHARE = 0.4;
/** The shares of rounds that attach the lake, and of sweeps that heed it. */
const ATTACHED_SHARE = 0.4;
const HEEDED_SHARE = 0.6;
const MIGRATION_LEAD_MS_MAX = 100;
/** Every so many seeds are verified, are rebuilt. */
const VERIFY_EVERY = 3;
const REBUILD_EVERY = 5;

const RUNS = {
  extract: (context) => extract(context),
  transform,
  load: (context) => load(context),
} satisfies Record<
  StageName,
  (context: StageContext, options: object) => Promise<StageResult>
>;

/** All that takes part in a history. */
export interface Parts {
  platform: Platform;
  writers: RandomWriters;
  migrator: Migrator;
  owner: SourceOwner;
  readers: Readers;
  attached: AttachedLake;
}

/**
 * One whole history that a seed decides: writers, stages in any order, faults;
 * then, after one run without faults, a check of everything that is promised.
 */
export class History {
  readonly tally = emptyTally();
  readonly #platform: Platform;
  readonly #writers: RandomWriters;
  readonly #migrator: Migrator;
  readonly #owner: SourceOwner;
  readonly #readers: Readers;
  readonly #attached: AttachedLake;
  readonly #late: Random;
  readonly #relabels: Random;
  readonly #sweeps: Random;
  readonly #lateSweeps: Random;
  readonly #compactions: Random;
  readonly #processes: SimulatedProcess[] = [];
  /** Those that may still have an effect, and when each began. */
  readonly #begun = new Map<SimulatedProcess, number>();
  #clockOffsetMs = 0;
  #sourceClockHours = 0;
  /** An error while a call was late: no stage may take it for its own. */
  #found: { error: unknown } | undefined;
  #isSwept = false;

  constructor(
    private readonly seed: number,
    parts: Parts,
  ) {
    this.#platform = parts.platform;
    this.#writers = parts.writers;
    this.#migrator = parts.migrator;
    this.#owner = parts.owner;
    this.#readers = parts.readers;
    this.#attached = parts.attached;
    this.#late = stream(seed, "late");
    this.#relabels = stream(seed, "relabels");
    this.#sweeps = stream(seed, "sweeps");
    this.#lateSweeps = stream(seed, "late sweeps");
    this.#compactions = stream(seed, "compactions");
  }

  /** What happened, in order: writes, runs, faults. */
  get story(): string[] {
    return this.#writers.story;
  }

  /** Runs it; throws what does not hold. */
  async run(): Promise<void> {
    const isEnough = () =>
      this.tally.batches >= BATCHES_MIN &&
      this.tally.faults.length >= FAULTS_MIN;
    for (let round = 1; round <= ROUNDS_MAX; round++) {
      await this.#owner.act(stream(this.seed, `owner ${round}`));
      await this.#round(
        stream(this.seed, `round ${round}`),
        stream(this.seed, `migration ${round}`),
      );
      if (hasTime(this.seed)) this.#setClocksRight();
      if (isEnough() && round >= ROUNDS_MIN) break;
      // What is open for long may keep the source from being repaired.
      if (round % ROUNDS_OPEN_MAX === 0) await this.#endWhatIsOpen();
    }
    await this.#settle();
    await this.#check();
    // Last, since what was found before tells why.
    assert.ok(isEnough(), "too few batches or faults");
  }

  async #round(random: Random, migration: Random): Promise<void> {
    const gathering = stream(this.seed, `gathering ${this.tally.runs}`);
    const writes = random.between(0, WRITES_MAX);
    for (let write = 0; write < writes; write++) await this.#writers.write();
    if (random.fraction() < 0.1) this.#setClock(random);
    if (random.fraction() < 0.1) {
      this.#sourceClockHours = random.between(-30, 30);
    }
    let hasExtracted = false;
    for (const planned of planStages(random)) {
      const together = planned.filter((stage) =>
        stage !== "load" || !isBehind(this.seed)
      );
      const runs = together.map((stage) => {
        const plan = { random, gathering, compactions: this.#compactions };
        return planRun(stage, {
          ...plan,
          isBehind: isBehind(this.seed),
          isAfterExtract: hasExtracted,
        });
      });
      const migrating = together.includes("extract")
        ? await this.#beginMigration(migration)
        : undefined;
      await Promise.all([
        migrating?.end,
        ...runs.map((run) => this.#stage(run.stage, run.faults, run)),
      ]);
      hasExtracted ||= together.includes("extract");
      if (this.#sweeps.fraction() < SWEPT_SHARE) await this.#sweepAndCatchUp();
    }
    if (random.fraction() < 0.3) await this.#read();
    if (this.#sweeps.fraction() < ATTACHED_SHARE) await this.#attached.attach();
  }

  /** Now and then a migration begins a little before extract does. */
  async #beginMigration(random: Random): Promise<{ end: Promise<void> }> {
    if (random.fraction() > MIGRATED_SHARE) return { end: Promise.resolve() };
    const leadMs = random.between(0, MIGRATION_LEAD_MS_MAX);
    const end = this.#migrator.migrate(random);
    end.catch(() => {});
    await sleep(leadMs);
    return { end };
  }

  /** Runs a stage in a process of its own; resolves to whether it ended well. */
  async #stage(
    stage: StageName,
    faults: readonly Fault[],
    options: { nested?: boolean; compact?: boolean } = {},
  ): Promise<boolean> {
    const { compact = false } = options;
    if (compact) this.tally.compactions += 1;
    const name = compact ? "transform --compact" : stage;
    const { isWell } = await this.#process(name, {
      ...options,
      faults,
      run: async (context) => {
        const { batches } = await RUNS[stage](context, { compact });
        if (stage === "extract") this.tally.batches += batches.length;
        return batches.length === 0 ? "nothing" : `batches ${batches}`;
      },
    });
    this.tally.runs += 1;
    if (!isWell) this.tally.failed += 1;
    if (this.#found !== undefined) throw this.#found.error;
    return isWell;
  }

  /** Runs something in a process of its own; resolves to how it ended. */
  async #process(
    name: string,
    options: {
      faults: readonly Fault[];
      nested?: boolean;
      run: (context: StageContext) => Promise<string>;
    },
  ): Promise<{ isWell: boolean; hasFault: boolean }> {
    const { faults, nested, run } = options;
    const process = new SimulatedProcess(faults, {
      late: async () => {
        if (nested === true) return;
        await this.#meanwhile().catch((error) => this.#found ??= { error });
      },
      snapshot: (id, time) => this.#recordSnapshot(id, time),
      sourceClock: {
        hours: this.#sourceClockHours,
        microseconds: 1 + this.#processes.length,
      },
    });
    this.#processes.push(process);
    this.#begun.set(process, Date.now());
    let isWell = true;
    const ended = await run({
      ...this.#platform.context,
      resources: process.resources,
      clock: () => new Date(Date.now() + this.#clockOffsetMs),
    }).catch((error) => {
      isWell = false;
      return messageOf(error);
    });
    process.settled().then(() => this.#begun.delete(process));
    this.tally.faults.push(...process.struck);
    this.tally.struckIn.merges += process.struckIn.merges;
    this.tally.struckIn.groups += process.struckIn.groups;
    this.story.push(
      `== ${name} (${process.calls.length} calls): ${ended}${
        process.struck.map((fault) => `; ${fault}`).join("")
      }`,
    );
    // Being late is no reason to fail.
    const hasFault = process.struck.some((one) => !one.startsWith("late "));
    return { isWell, hasFault };
  }

  /**
   * Sweeps as if 48 hours had passed since all that runs began, and since
   * readers had a lake of the newest batch; often also since one of them
   * attached the lake, which must still be readable then.
   */
  async #sweep(
    random: Random,
    options: { nested?: boolean } = {},
  ): Promise<void> {
    const zone = random.fraction() < 0.2 ? "ingestion" : "processed";
    const faults = planFaults("sweep", random);
    const isHeeded = random.fraction() < HEEDED_SHARE;
    const sinceMs = Math.min(
      isHeeded ? this.#attached.sinceMs : Infinity,
      Date.now(),
      ...this.#begun.values(),
      await lakeIsStaleSince(this.#platform),
    );
    // Then its 48 hours are over.
    if (!isHeeded) await this.#attached.detach();
    this.#isSwept ||= zone === "processed";
    this.tally.sweeps += 1;
    const { isWell, hasFault } = await this.#process("sweep", {
      ...options,
      faults,
      run: async (context) => {
        const { filesRemoved } = await sweepSince(context, { zone, sinceMs });
        return `${filesRemoved} files of the ${zone} zone`;
      },
    });
    if (this.#found !== undefined) throw this.#found.error;
    if (!isWell && !hasFault) {
      throw new Error("sweep failed in a run without faults");
    }
    if (isHeeded) await this.#attached.read();
  }

  /** Now and then what was left of the lake must do for a load that waits. */
  async #sweepAndCatchUp(): Promise<void> {
    await this.#sweep(this.#sweeps);
    if (this.#sweeps.fraction() > LOADED_SHARE) return;
    await this.#quiet();
    await this.#undisturbed("load", "after a sweep");
    await this.#read();
  }

  /** What happens while a call is late: anything but the call. */
  async #meanwhile(): Promise<void> {
    const { act } = this.#late.weighted<
      { weight: number; act: () => Promise<void> }
    >([
      {
        weight: 5,
        act: async () => {
          const writes = this.#late.between(1, 6);
          for (let write = 0; write < writes; write++) {
            await this.#writers.write();
          }
        },
      },
      { weight: 3, act: () => this.#read() },
      {
        weight: 1,
        act: () => {
          this.#setClock(this.#late);
          return Promise.resolve();
        },
      },
      ...(["extract", "transform", "load"] as const).map((stage) => ({
        weight: 1,
        act: async () => {
          if (stage === "load" && isBehind(this.seed)) return;
          await this.#stage(stage, [], { nested: true });
        },
      })),
    ]);
    await act();
    if (this.#relabels.fraction() < 0.2) {
      await this.#owner.relabel(this.#relabels);
    }
    if (this.#lateSweeps.fraction() < SWEPT_LATE_SHARE) {
      await this.#sweep(this.#lateSweeps, { nested: true });
    }
  }

  /** The clock of the stages leaps, also in the middle of a run. */
  #setClock(random: Random): void {
    this.#clockOffsetMs = random.between(-30, 30) * HOUR_MS;
  }

  #setClocksRight(): void {
    this.#clockOffsetMs = 0;
    this.#sourceClockHours = 0;
  }

  async #recordSnapshot(id: string, time: string): Promise<void> {
    const client = await openClient(this.#platform.source.url);
    try {
      await client.query("begin isolation level repeatable read read only");
      await client.query(`set transaction snapshot '${id}'`);
      const { company } = this.#readers.truth;
      const state = await sourceState({ source: { client } }, company);
      this.#readers.truth.record(time, state, this.#clockOffsetMs);
    } finally {
      await client.end();
    }
  }

  async #read(): Promise<void> {
    await this.#readers.read();
    const { warehouse, lake } = this.#readers.seen;
    this.tally.reads = { warehouse, lake };
  }

  /** Ends the writers' transactions; then the owner repairs the source. */
  async #endWhatIsOpen(): Promise<void> {
    await this.#writers.settle();
    await this.#owner.settle();
  }

  /** Ends what is open, and runs every stage once without a fault. */
  async #settle(): Promise<void> {
    await this.#endWhatIsOpen();
    await this.#attached.detach();
    this.#setClocksRight();
    await this.#quiet();
    for (const stage of ["extract", "transform", "load"] as const) {
      await this.#undisturbed(stage);
    }
  }

  /** Waits until no process has an effect any more. */
  async #quiet(): Promise<void> {
    for (const process of this.#processes) await process.settled();
    await untilQuiet(this.#platform);
  }

  async #undisturbed(stage: StageName, when = ""): Promise<void> {
    if (await this.#stage(stage, [])) return;
    throw new Error(`${stage} failed in a run without faults ${when}`.trim());
  }

  async #check(): Promise<void> {
    const [newest] = await query(
      this.#platform.warehouse.client,
      "select max(batch) as batch from pipeline.batch",
    );
    const lastBatch = Number(newest?.batch);
    this.tally.batches = lastBatch;
    const promised = {
      truth: this.#readers.truth,
      lastBatch,
      spotBatch: stream(this.seed, "spot").between(1, lastBatch),
      hasTime: hasTime(this.seed),
      isSwept: this.#isSwept,
    };
    await checkHistory(this.#platform, promised);
    await checkNothingLeft(this.#platform);
    if (this.seed % REBUILD_EVERY === 0) {
      await assertRebuilds(this.#platform, { isSwept: this.#isSwept });
      await this.#rebuild();
      await checkHistory(this.#platform, promised);
    }
    if (this.seed % VERIFY_EVERY === 0) {
      const { comparisons } = await verify(this.#platform.context);
      const wrong = comparisons.filter((one) => one.differences > 0);
      assert.deepEqual(wrong, [], "verify");
    }
  }

  /** As a person would, in place of what the history has left. */
  async #rebuild(): Promise<void> {
    const { context } = this.#platform;
    await rebuildProcessed(context);
    await load(context);
    const { repaired } = await rebuildWarehouse(context, { accept: true });
    const wrong = Object.entries(repaired).filter(([, rows]) => rows > 0);
    assert.deepEqual(wrong, [], "rows that the rebuild had to repair");
  }
}
