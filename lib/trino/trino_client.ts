import { StatementError } from "../engine.ts";
import { messageOf, StageError } from "../errors.ts";
import type { TrinoSettings } from "../settings/engine_settings.ts";
import { BUSY_STATUSES } from "../retry.ts";
import { SESSION_TIME_ZONE } from "../time_zone.ts";

/** One answer of the server to a statement that may still run. */
interface Answer {
  id: string;
  nextUri?: string;
  data?: unknown[][];
  updateCount?: number;
  error?: { message: string; errorName: string; errorType: string };
}

/** The result of a statement. */
export interface TrinoResult {
  /** Few: it is for counts and names, not for data. */
  rows: unknown[][];
  /** How many rows it wrote. */
  written: number;
}

/** The server answers within a second, also if the statement still runs. */
const ANSWER_MS_MAX = 60_000;
/** How long a server may not answer, which restarts in less or is dead. */
const SILENCE_MS_MAX = 30_000;
const RETRY_MS = 500;
const CANCEL_MS_MAX = 5_000;
/** A user's errors, of which nobody's query is the cause. */
const OF_SETTINGS = [
  "PERMISSION_DENIED",
  "NOT_SUPPORTED",
  "CATALOG_NOT_FOUND",
  "SCHEMA_NOT_FOUND",
  "MISSING_CATALOG_NAME",
  "MISSING_SCHEMA_NAME",
  "INVALID_SESSION_PROPERTY",
  "INVALID_TABLE_PROPERTY",
  "TABLE_ALREADY_EXISTS",
];

/**
 * Runs statements on a Trino server, by its protocol
 * (https://trino.io/docs/current/develop/client-protocol.html).
 */
export class TrinoClient {
  readonly #settings: TrinoSettings;
  readonly #signal: AbortSignal;

  constructor(settings: TrinoSettings, options: { signal: AbortSignal }) {
    this.#settings = settings;
    this.#signal = options.signal;
  }

  /**
   * Runs a statement to its end, and cancels it if the signal is aborted.
   * Throws a `StatementError` if the statement is at fault, and a `StageError`
   * if the server is, or does not answer for half a minute.
   */
  async run(sql: string): Promise<TrinoResult> {
    let answer: Answer | undefined;
    const rows: unknown[][] = [];
    try {
      answer = await this.#ask(`${this.#settings.origin}/v1/statement`, sql);
      for (;;) {
        rows.push(...answer.data ?? []);
        if (answer.error !== undefined) throw this.#failed(answer.error);
        if (answer.nextUri === undefined) break;
        answer = await this.#ask(answer.nextUri);
      }
    } catch (error) {
      if (answer?.nextUri !== undefined) await this.#cancel(answer.nextUri);
      throw error;
    }
    return { rows, written: answer.updateCount ?? 0 };
  }

  /** One request; a server that is busy or silent is asked again for a while. */
  async #ask(uri: string, statement?: string): Promise<Answer> {
    const start = performance.now();
    for (;;) {
      this.#signal.throwIfAborted();
      const problem = await this.#tryOnce(uri, statement);
      if (!("problem" in problem)) return problem;
      const silentMs = performance.now() - start;
      // A statement whose answer was lost may run: it is not sent twice.
      const isLost = statement !== undefined && !problem.isBusy;
      if (isLost || silentMs > SILENCE_MS_MAX) {
        throw this.#unreachable(problem.problem);
      }
      await new Promise((wake) => setTimeout(wake, RETRY_MS));
    }
  }

  async #tryOnce(
    uri: string,
    statement: string | undefined,
  ): Promise<Answer | { problem: string; isBusy: boolean }> {
    try {
      const response = await fetch(uri, {
        method: statement === undefined ? "GET" : "POST",
        ...statement === undefined ? {} : { body: statement },
        headers: this.#headers(),
        redirect: "error",
        signal: AbortSignal.any([
          this.#signal,
          AbortSignal.timeout(ANSWER_MS_MAX),
        ]),
      });
      if (response.ok) return await response.json();
      await response.body?.cancel();
      const { status } = response;
      if (status === 401 || status === 403) throw this.#loginRefused(status);
      return {
        problem: `HTTP ${status}`,
        isBusy: BUSY_STATUSES.includes(status),
      };
    } catch (error) {
      this.#signal.throwIfAborted();
      if (error instanceof StageError) throw error;
      return { problem: messageOf(error), isBusy: false };
    }
  }

  /** Best effort: the server ends what no client asks for any more. */
  async #cancel(uri: string): Promise<void> {
    try {
      const response = await fetch(uri, {
        method: "DELETE",
        headers: this.#headers(),
        redirect: "error",
        signal: AbortSignal.timeout(CANCEL_MS_MAX),
      });
      await response.body?.cancel();
    } catch {
      // The error that led here says more.
    }
  }

  #headers(): Record<string, string> {
    const { user, password, catalog, schema } = this.#settings;
    return {
      "X-Trino-User": user,
      "X-Trino-Source": "totesys",
      "X-Trino-Catalog": catalog,
      "X-Trino-Schema": schema,
      "X-Trino-Time-Zone": SESSION_TIME_ZONE,
      "X-Trino-Session": `${catalog}.timestamp_precision=MICROSECONDS`,
      ...password === undefined
        ? {}
        : { Authorization: `Basic ${basic(user, password)}` },
    };
  }

  #failed(error: NonNullable<Answer["error"]>): Error {
    const { message, errorName, errorType } = error;
    const isOfQuery = errorType === "USER_ERROR" &&
      !OF_SETTINGS.includes(errorName);
    if (isOfQuery) return new StatementError(`${errorName}: ${message}`);
    const { origin } = this.#settings;
    return new StageError(
      `Trino at ${origin} could not run a statement: ${errorName}: ${message}`,
      {
        subject: origin,
        retryable: errorType !== "USER_ERROR",
        hint: errorType === "USER_ERROR"
          ? 'See "Setting up Trino" in docs/scale.md for the rights and the properties that its catalog needs'
          : "Nothing was committed. Check Trino's nodes, then run it again; or use DuckDB: --engine duckdb, or TRANSFORM_ENGINE=duckdb",
      },
    );
  }

  #unreachable(problem: string): StageError {
    const { origin } = this.#settings;
    return new StageError(`Trino at ${origin} does not answer: ${problem}`, {
      subject: origin,
      retryable: true,
      hint:
        "Nothing was committed. Check TRINO_URL and Trino's coordinator, then run it again; or use DuckDB: --engine duckdb, or TRANSFORM_ENGINE=duckdb",
    });
  }

  #loginRefused(status: number): StageError {
    const { origin, user } = this.#settings;
    return new StageError(
      `Trino at ${origin} refused the user "${user}": HTTP ${status}`,
      {
        subject: origin,
        loginRefused: true,
        hint: "Check the user and the password in TRINO_URL",
      },
    );
  }
}

function basic(user: string, password: string): string {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return btoa(String.fromCharCode(...bytes));
}
