import loadFailureSql from "../lib/batches/load_failure.sql" with {
  type: "text",
};
import { StageError } from "../lib/errors.ts";
import { inTransaction } from "../lib/postgres/postgres.ts";
import type { TextRow } from "../lib/sql/quote.ts";
import { ConnectionPool } from "../lib/postgres/connection_pool.ts";
import { type PostgresSettings } from "../lib/settings/config.ts";
import type { Resources } from "../lib/stage.ts";
import batchSql from "./sql/batch.sql" with { type: "text" };
import batchAtSql from "./sql/batch_at.sql" with { type: "text" };
import batchBeforeSql from "./sql/batch_before.sql" with { type: "text" };
import batchFilesSql from "./sql/batch_files.sql" with { type: "text" };
import batchFindingsSql from "./sql/batch_findings.sql" with { type: "text" };
import batchesSql from "./sql/batches.sql" with { type: "text" };
import checksSql from "./sql/checks.sql" with { type: "text" };
import columnsSql from "./sql/columns.sql" with { type: "text" };
import freshnessSql from "./sql/freshness.sql" with { type: "text" };
import ledgerAfterSql from "./sql/ledger_after.sql" with { type: "text" };
import newestSql from "./sql/newest.sql" with { type: "text" };
import quarantineSql from "./sql/quarantine.sql" with { type: "text" };
import verificationSql from "./sql/verification.sql" with { type: "text" };

/** How many queries run at once; others wait. */
const QUERIES_AT_ONCE = 4;
const WAITING_MAX = 500;
/** Longer than the server's own limit: for connections that were cut. */
const ANSWER_MS = 20_000;
export const STATEMENT_TIMEOUT_MS = 15_000;
const ANALYST_SETTINGS = {
  role: "analyst",
  jit: "off",
  // For the groups of a scan, which would be sorted on disk without it.
  work_mem: "64MB",
};
/** Queries of what any warehouse has, by name. */
const QUERIES = {
  batch: batchSql,
  batch_at: batchAtSql,
  batch_before: batchBeforeSql,
  batch_files: batchFilesSql,
  batch_findings: batchFindingsSql,
  batches: batchesSql,
  checks: checksSql,
  columns: columnsSql,
  freshness: freshnessSql,
  ledger_after: ledgerAfterSql,
  load_failure: loadFailureSql,
  newest: newestSql,
  quarantine: quarantineSql,
  verification: verificationSql,
} as const;

/** The name of a query of what any warehouse has. */
export type QueryName = keyof typeof QUERIES;

/** A query of a company's own tables. */
export interface NamedQuery {
  /** What tests and messages call it. */
  name: string;
  text: string;
}

/** The parameters of a query. */
export type QueryValues = readonly (
  | string
  | number
  | null
  | readonly string[]
)[];

/**
 * Reads the warehouse with an analyst's rights, over few connections, and with
 * a time limit on each statement.
 */
export class Warehouse implements AsyncDisposable {
  readonly #pool: ConnectionPool;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(
    private readonly settings: PostgresSettings,
    connect: Resources["connect"],
    private readonly statementTimeoutMs = STATEMENT_TIMEOUT_MS,
    queriesAtOnce = QUERIES_AT_ONCE,
  ) {
    this.#free = queriesAtOnce;
    this.#pool = new ConnectionPool(connect);
  }

  /** Runs a query, as soon as a connection is free. */
  async ask(
    query: QueryName | NamedQuery,
    values: QueryValues = [],
  ): Promise<TextRow[]> {
    const { name, text } = typeof query === "string"
      ? { name: query, text: QUERIES[query] }
      : query;
    await this.#enter(name);
    try {
      await using connection = await this.#pool.connect(this.settings, {
        purpose: "dashboard",
      });
      const { client } = connection;
      const settings = {
        ...ANALYST_SETTINGS,
        statement_timeout: String(this.statementTimeoutMs),
      };
      const asked = {
        text,
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
    await this.#pool[Symbol.asyncDispose]();
  }

  async #enter(name: string): Promise<void> {
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
