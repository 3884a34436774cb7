import { join } from "node:path";
import { StageError } from "../lib/errors.ts";
import { inTransaction, type TextRow } from "../lib/postgres/postgres.ts";
import { WarmConnections } from "../lib/postgres/warm_connections.ts";
import { projectDirectory } from "../lib/project_directory.ts";
import { type PostgresSettings } from "../lib/settings/config.ts";
import type { Resources } from "../lib/stage.ts";

/** How many queries run at once; others wait. */
const QUERIES_AT_ONCE = 4;
const WAITING_MAX = 500;
/** Longer than the server's own limit: for connections that were cut. */
const ANSWER_MS = 20_000;
const STATEMENT_TIMEOUT_MS = 15_000;
const SETTINGS = {
  role: "analyst",
  jit: "off",
  // For the groups of a scan, which would be sorted on disk without it.
  work_mem: "64MB",
};
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
  "batch_at",
  "batch_models",
  "batch_files",
  "batch_findings",
  "checks",
  "verification",
  "load_failure",
  "quarantine",
] as const;

/** A query of sql/dashboard. */
export type QueryName = typeof NAMES[number];

/** The parameters of a query. */
export type QueryValues = readonly (string | number | null)[];

/**
 * Reads the warehouse with an analyst's rights, over few connections, and with
 * a time limit on each statement.
 */
export class Warehouse implements AsyncDisposable {
  readonly #warm: WarmConnections;
  readonly #sql = new Map<QueryName, string>();
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(
    private readonly settings: PostgresSettings,
    connect: Resources["connect"],
    private readonly statementTimeoutMs = STATEMENT_TIMEOUT_MS,
    queriesAtOnce = QUERIES_AT_ONCE,
  ) {
    this.#free = queriesAtOnce;
    this.#warm = new WarmConnections(connect);
    const folder = join(projectDirectory(), "sql", "dashboard");
    for (const name of NAMES) {
      this.#sql.set(name, Deno.readTextFileSync(join(folder, `${name}.sql`)));
    }
  }

  /** Runs a query, as soon as a connection is free. */
  async ask(name: QueryName, values: QueryValues = []): Promise<TextRow[]> {
    await this.#enter(name);
    try {
      await using connection = await this.#warm.connect(this.settings, {
        purpose: "dashboard",
      });
      const { client } = connection;
      const settings = {
        ...SETTINGS,
        statement_timeout: String(this.statementTimeoutMs),
      };
      const asked = {
        text: this.#sql.get(name) ?? "",
        values: [...values],
        query_timeout: ANSWER_MS,
      };
      const within = { readOnly: true, settings, answerMs: ANSWER_MS };
      return await inTransaction(
        client,
        within,
        async () => (await client.query<TextRow>(asked)).rows,
      );
    } finally {
      this.#leave();
    }
  }

  /** Drops connections that may be cut; the next query opens new ones. */
  async disconnect(): Promise<void> {
    await this.#warm[Symbol.asyncDispose]();
  }

  async #enter(name: QueryName): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    if (this.#waiting.length >= WAITING_MAX) {
      throw new StageError(
        `Cannot query the warehouse for "${name}": ${WAITING_MAX} queries are waiting`,
        { subject: name, retryable: true },
      );
    }
    await new Promise<void>((enter) => {
      // The query for the newest batch goes before all others.
      if (name === "newest") this.#waiting.unshift(enter);
      else this.#waiting.push(enter);
    });
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
