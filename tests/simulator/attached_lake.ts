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

  constructor(
    private readonly platform: Platform,
    private readonly truth: Truth,
  ) {}

  /** From when on nothing may be swept that it reads; infinite for nothing. */
  get sinceMs(): number {
    return this.#attached?.sinceMs ?? Infinity;
  }

  /** Attaches the lake as it is published now. */
  async attach(): Promise<void> {
    const { config } = this.platform;
    if (config.processedUrl.startsWith("s3:")) return;
    await this[Symbol.asyncDispose]();
    // What the lake lists may be out of date by now.
    const sinceMs = Math.min(Date.now(), await lakeIsStaleSince(this.platform));
    const lake = await openLake(this.platform).catch(() => undefined);
    if (lake === undefined) return;
    const [about] = await lake.rows("from totes.lake.about");
    this.#attached = { lake, batch: Number(about?.batch), sinceMs };
  }

  /** Reads it again; throws when it isn't the batch that it was. */
  async read(): Promise<void> {
    if (this.#attached === undefined) return;
    const { lake, batch } = this.#attached;
    const { company } = this.truth;
    const held = await lakeState(lake, { company });
    const expected = await this.truth.expected(batch);
    assertSame(held, expected, `a reader of the attached lake, ${batch}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#attached?.lake[Symbol.asyncDispose]();
    this.#attached = undefined;
  }
}
