import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import type { Platform } from "../harness/platform.ts";
import { assertSame, lakeState, openLake } from "../harness/readers/oracle.ts";
import { lakeIsStaleSince } from "./sweep_since.ts";
import type { Truth } from "./truth.ts";

/**
 * An analyst who keeps `lake.duckdb` attached, and queries it for as long as the
 * files that it lists must stay. On S3 a replaced file can't be read on, so
 * there nothing is attached.
 */
export class AttachedLake implements AsyncDisposable {
  #attached: { lake: DuckDb; batch: number; sinceMs: number } | undefined;
  #turn = Promise.resolve();

  constructor(
    private readonly platform: Platform,
    private readonly truth: Truth,
  ) {}

  /** From when on nothing may be swept that it reads; infinite for nothing. */
  get sinceMs(): number {
    return this.#attached?.sinceMs ?? Infinity;
  }

  /** Attaches the lake as it is published now. */
  attach(): Promise<void> {
    return this.#inTurn(async () => {
      const { config } = this.platform;
      if (config.processedUrl.startsWith("s3:")) return;
      await this.#close();
      // What the lake lists may be out of date by now.
      const sinceMs = Math.min(
        Date.now(),
        await lakeIsStaleSince(this.platform),
      );
      const lake = await openLake(this.platform).catch(() => undefined);
      if (lake === undefined) return;
      const [about] = await lake.rows("from totes.lake.about");
      this.#attached = { lake, batch: Number(about?.batch), sinceMs };
    });
  }

  /** Reads it again; throws when it isn't the batch that it was. */
  read(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#attached === undefined) return;
      const { lake, batch } = this.#attached;
      const { company } = this.truth;
      const held = await lakeState(lake, { company });
      const expected = await this.truth.expected(batch);
      assertSame(held, expected, `a reader of the attached lake, ${batch}`);
    });
  }

  /** Lets the lake go. */
  detach(): Promise<void> {
    return this.#inTurn(() => this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.detach();
  }

  async #close(): Promise<void> {
    await this.#attached?.lake[Symbol.asyncDispose]();
    this.#attached = undefined;
  }

  /** Sweeps while several calls are late come side by side. */
  async #inTurn(work: () => Promise<void>): Promise<void> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      await work();
    } finally {
      resolve();
    }
  }
}
