import type { Client } from "pg";
import { sqlState } from "../../lib/postgres/postgres.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { assertSame, warehouseState } from "../harness/readers/oracle.ts";
import type { Platform } from "../harness/platform.ts";
import { openClient } from "../harness/servers/postgres.ts";
import { readPublished } from "../harness/readers/read_published.ts";
import type { Truth } from "./truth.ts";

const LOCK_TIMEOUT_MS = 50;
const LOCK_NOT_AVAILABLE = "55P03";
const NO_SUCH_TABLE = "42P01";

/** Analysts who look at the warehouse and the lake at any moment. */
export class Readers implements AsyncDisposable {
  /** How often they saw a batch in each. */
  readonly seen = { warehouse: 0, lake: 0 };
  #turn = Promise.resolve();

  private constructor(
    private readonly platform: Platform,
    readonly truth: Truth,
    private readonly client: Client,
  ) {}

  /** Opens their connection. */
  static async open(platform: Platform, truth: Truth): Promise<Readers> {
    const client = await openClient(platform.warehouse.url);
    await client.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`);
    return new Readers(platform, truth, client);
  }

  /**
   * Reads both; throws when what is seen is no batch, or a mix of two. Those
   * who want to read at once take turns: they share a connection.
   */
  async read(): Promise<void> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      await this.#readWarehouse();
      await this.#readLake();
    } finally {
      resolve();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.end();
  }

  async #readWarehouse(): Promise<void> {
    const { client, truth, seen } = this;
    await client.query("begin isolation level repeatable read read only");
    try {
      const [newest] = await query(
        client,
        "select max(batch) as batch from pipeline.batch",
      );
      if (newest?.batch === null || newest?.batch === undefined) return;
      const batch = Number(newest.batch);
      const { company } = truth;
      const held = await warehouseState({ warehouse: { client } }, { company });
      const expected = await truth.expected(batch);
      assertSame(held, expected, `a reader of the warehouse at ${batch}`);
      seen.warehouse += 1;
    } catch (error) {
      // The first load holds the tables until it commits; no later one may.
      const state = sqlState(error) ?? "";
      const isBeforeAll = seen.warehouse === 0 &&
        [LOCK_NOT_AVAILABLE, NO_SUCH_TABLE].includes(state);
      if (!isBeforeAll) throw error;
    } finally {
      await client.query("rollback");
    }
  }

  async #readLake(): Promise<void> {
    const { platform, truth, seen } = this;
    if (!await isPublished(platform)) return;
    const held = await readPublished(platform, truth.company);
    if (held === undefined) return;
    const expected = await truth.expected(held.batch);
    assertSame(held.state, expected, `a reader of the lake, ${held.batch}`);
    seen.lake += 1;
  }
}

async function isPublished({ context }: Platform): Promise<boolean> {
  const { config, resources } = context;
  const zone = resources.openZone(config.processedUrl, { s3: config.s3 });
  try {
    return await zone.head("lake.duckdb") !== undefined;
  } finally {
    zone.close();
  }
}
