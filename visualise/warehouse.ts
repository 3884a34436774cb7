import { join } from "node:path";
import { type PostgresSettings, projectDirectory } from "../lib/config.ts";
import type { TextRow } from "../lib/postgres.ts";
import type { Resources } from "../lib/stage.ts";
import { WarmConnections } from "../lib/warm_connections.ts";

/** Queries at once; more wait. */
const QUERIES_AT_ONCE = 4;
/** The server gives up before; a connection that was cut says nothing. */
const ANSWER_MS = 20_000;
/** Results that are kept, of the batches last asked for. */
const KEPT_MAX = 500;
const SESSION = "set role analyst; set default_transaction_read_only = on; " +
  "set statement_timeout = '15s'; set jit = off; " +
  // For the groups of a scan: without it they are sorted on disk.
  "set work_mem = '64MB'";
const NAMES = [
  "newest",
  "sales",
  "purchases",
  "payments",
  "counterparties",
  "sales_rows",
  "purchase_rows",
  "payment_rows",
  "changes",
  "fact_history",
  "freshness",
  "batches",
  "batch",
  "batch_models",
  "batch_files",
  "batch_findings",
  "verification",
] as const;

/** A query of sql/dashboard. */
export type QueryName = typeof NAMES[number];

/** What the queries of a page are asked with. */
export type Parameters = readonly (string | number | null)[];

/**
 * The warehouse as an analyst may read it. What a batch holds never changes,
 * so a result is kept, and a hundred viewers cost one query.
 */
export class Warehouse implements AsyncDisposable {
  readonly #warm: WarmConnections;
  readonly #sql = new Map<QueryName, string>();
  readonly #kept = new Map<string, Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #free = QUERIES_AT_ONCE;

  constructor(
    private readonly settings: PostgresSettings,
    connect: Resources["connect"],
  ) {
    this.#warm = new WarmConnections(connect);
    const folder = join(projectDirectory(), "sql", "dashboard");
    for (const name of NAMES) {
      this.#sql.set(name, Deno.readTextFileSync(join(folder, `${name}.sql`)));
    }
  }

  /** Asks the warehouse now. */
  async ask(name: QueryName, values: Parameters = []): Promise<TextRow[]> {
    await this.#enter();
    try {
      await using connection = await this.#warm.connect(this.settings, {
        purpose: "dashboard",
      });
      const { client } = connection;
      const within = { query_timeout: ANSWER_MS };
      await client.query({ text: SESSION, ...within });
      const text = this.#sql.get(name) ?? "";
      const asked = { text, values: [...values], ...within };
      return (await client.query<TextRow>(asked)).rows;
    } finally {
      this.#leave();
    }
  }

  /** Asks for what is the same whenever it is asked: of a batch. */
  async askOnce(name: QueryName, values: Parameters): Promise<TextRow[]> {
    return await this.once([name, ...values], () => this.ask(name, values));
  }

  /** Keeps what is made of a batch under its names. */
  async once<T>(names: Parameters, make: () => Promise<T>): Promise<T> {
    const key = JSON.stringify(names);
    const kept = this.#kept.get(key);
    if (kept !== undefined) return await kept as T;
    const asked = make();
    this.#kept.set(key, asked);
    const oldest = this.#kept.keys().next().value;
    if (this.#kept.size > KEPT_MAX && oldest !== undefined) {
      this.#kept.delete(oldest);
    }
    try {
      return await asked;
    } catch (error) {
      this.#kept.delete(key);
      throw error;
    }
  }

  /** Forgets what is kept: the warehouse was made anew. */
  forget(): void {
    this.#kept.clear();
  }

  /** Gives up connections that may be cut; the next query makes new ones. */
  async disconnect(): Promise<void> {
    await this.#warm[Symbol.asyncDispose]();
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((enter) => this.#waiting.push(enter));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
  }
}
