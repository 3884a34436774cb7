import type pg from "pg";
import { TOTESYS } from "../../demo/examples.ts";
import { changeSql, CYCLE } from "../../demo/measured_trade.ts";
import { extract } from "../../extract/extract.ts";
import { BatchLog } from "../../lib/batches/batch_log.ts";
import type { IngestionManifest } from "../../lib/batches/manifest.ts";
import { openLog } from "../../lib/log.ts";
import { ConnectionPool } from "../../lib/postgres/connection_pool.ts";
import { readProjectSql } from "../../lib/project/project_sql.ts";
import { readConfig } from "../../lib/settings/config.ts";
import {
  openStageZone,
  RESOURCES,
  type StageContext,
} from "../../lib/stage.ts";
import { stageContext } from "../../lib/stage_context.ts";
import { load } from "../../load/load.ts";
import { GROUP_BOUNDS } from "../../transform/batches/group_bounds.ts";
import { transform } from "../../transform/transform.ts";
import { repeatBatches } from "./repeat_batches.ts";

/** How batches are made. */
export interface YearOptions {
  env: Readonly<Record<string, string>>;
  /** A connection to the source, to write with. */
  source: pg.Client;
  /** How many batches are extracted before transform runs for them. */
  group: number;
}

/** Before a measurement, each stage runs for each of this many batches. */
const ONE_BY_ONE_MIN = 10;

/**
 * A lake and a warehouse that get batch after batch from the stages themselves,
 * in this process and with connections kept, as in `./totesys run`. The source
 * keeps its size: only history grows. Most of the batches that `extract` need
 * not make, since its cost is that of the newest manifest and of the source,
 * are copies of its last hundred: transform and load make them like any other,
 * and `verify` finds that lake and warehouse are what the source is.
 */
export class YearOfBatches implements AsyncDisposable {
  #batches = 0;
  #changes = 0;
  #cycles = 0;
  /** Batches of a cycle of changes, and the newest, if it ends a cycle. */
  #cycle = { from: 1, to: 0, newest: -1 };
  /** The first batch after it. */
  #next = 1;

  private constructor(
    private readonly context: StageContext,
    private readonly pool: ConnectionPool,
    private readonly options: YearOptions,
    private readonly ingestion: BatchLog<IngestionManifest>,
  ) {}

  static async open(options: YearOptions): Promise<YearOfBatches> {
    const { env } = options;
    const root = await openLog({
      json: true,
      color: false,
      write: (line) => {
        if (/"level":"(ERROR|FATAL)"/i.test(line)) console.error(line);
      },
    });
    const context = stageContext({
      config: readConfig((name) => env[name], [
        "source",
        "warehouse",
        "ingestion",
        "processed",
      ]),
      sql: readProjectSql(TOTESYS.sqlDirectory),
      log: root.getChild("bench"),
      show: undefined,
      signal: new AbortController().signal,
    });
    const pool = new ConnectionPool(RESOURCES.connect);
    const resources = { ...RESOURCES, connect: pool.connect };
    return new YearOfBatches(
      { ...context, resources },
      pool,
      options,
      new BatchLog(openStageZone(context, "ingestion"), "extract"),
    );
  }

  /** How many batches there are, as far as counted here. */
  get batches(): number {
    return this.#batches;
  }

  /** Changes a few rows of the source, chosen by the number of the change. */
  async change(): Promise<void> {
    await this.options.source.query(changeSql(++this.#changes));
  }

  /** Counts a batch that another process has made, of a change or of none. */
  count(): void {
    this.#batches++;
    if (this.#changes < this.#cycles * CYCLE + CYCLE) return;
    this.#cycles++;
    const newest = this.#batches;
    // The first batch reads the tables in full, which none repeats.
    if (this.#next > 1) this.#cycle = { from: this.#next, to: newest, newest };
    this.#next = newest + 1;
  }

  /**
   * Makes batches up to this number: most in groups, as a transform that was
   * late would, and the last ones one by one. A group gets the same files as
   * its batches would have been merged into, so that readers find what they
   * would find in a lake made batch by batch. While a group is extracted, the
   * one before it is transformed and loaded.
   */
  async growTo(batches: number): Promise<void> {
    const { group } = this.options;
    const to = batches - ONE_BY_ONE_MIN;
    while (this.#batches + GROUP_BOUNDS.batchesMin <= to) {
      await Promise.all([
        this.#append({ upTo: Math.min(this.#batches + group, to), to }),
        this.#deliver(),
      ]);
    }
    await this.#deliver();
    while (this.#batches < batches) {
      await this.#extract();
      await this.#deliver();
    }
  }

  /** Transforms and loads what is extracted. */
  async #deliver(): Promise<void> {
    await transform(this.context);
    await load(this.context);
  }

  /** Extracts batches up to a number, or repeats those of the last cycle. */
  async #append(numbers: { upTo: number; to: number }): Promise<void> {
    const { upTo, to } = numbers;
    while (this.#batches < upTo) {
      const { from, to: last, newest } = this.#cycle;
      const repeated = newest + last - from + 1;
      if (newest !== this.#batches || repeated > to) {
        await this.#extract();
        continue;
      }
      await repeatBatches(this.ingestion, this.#cycle);
      this.#batches = repeated;
      this.#cycle.newest = repeated;
      this.#next = repeated + 1;
    }
  }

  async #extract(): Promise<void> {
    await this.change();
    await extract(this.context);
    this.count();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ingestion.zone.close();
    await this.pool[Symbol.asyncDispose]();
  }
}
