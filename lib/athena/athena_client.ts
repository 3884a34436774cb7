import {
  AthenaClient as SdkClient,
  GetQueryExecutionCommand,
  paginateGetQueryResults,
  type QueryExecution,
  StartQueryExecutionCommand,
  StopQueryExecutionCommand,
} from "@aws-sdk/client-athena";
import { StatementError } from "../engine.ts";
import { messageOf, StageError } from "../errors.ts";
import type { AthenaSettings } from "../settings/engine_settings.ts";
import { clientConfig, PATIENCE } from "../zone/s3_client_config.ts";
import type { S3Settings } from "../zone/zone.ts";

/** The result of a statement. */
export interface AthenaResult {
  /** Few, as texts: it is for counts and names, not for data. */
  rows: (string | undefined)[][];
  /** How many rows it wrote. */
  written: number;
  /** What is billed. */
  scannedBytes: number;
}

/** How a client waits. */
export interface AthenaPatience {
  /** The first pause before a statement is asked about again; later 5 s. */
  pollMs: number;
  /** With its time in the queue. */
  statementMsMax: number;
}

/** The version whose SQL is Trino's; version 2 was Presto's. */
const ENGINE_VERSION = "Athena engine version 3";
/**
 * Athena ends a query itself after 30 minutes, or up to 240 where that quota was
 * raised: https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
 */
const PATIENCE_OF_ATHENA: AthenaPatience = {
  pollMs: 250,
  statementMsMax: 5 * 3_600_000,
};
const POLL_MS_MAX = 5_000;
const CANCEL_MS_MAX = 5_000;
const ROWS_MAX = 10_000;
/** Athena's class of errors by the user; their reasons begin with Trino's code. */
const USER_ERROR = 2;
/** What a query's own text or a row causes, among a user's errors. */
const OF_QUERY =
  /^(AMBIGUOUS_NAME|COLUMN_NOT_FOUND|COLUMN_TYPE_UNKNOWN|DIVISION_BY_ZERO|EXPRESSION_\w+|FUNCTION_NOT_FOUND|GENERIC_USER_ERROR|INVALID_CAST_ARGUMENT|INVALID_FUNCTION_ARGUMENT|INVALID_LITERAL|MISSING_\w+|NOT_SUPPORTED|NUMERIC_VALUE_OUT_OF_RANGE|OPERATOR_NOT_FOUND|SUBQUERY_MULTIPLE_ROWS|SYNTAX_ERROR|TYPE_\w+)\b/;
const REFUSED =
  /^(AccessDenied|UnrecognizedClient|ExpiredToken|InvalidSignature|CredentialsProvider|TokenProvider|MissingAuthenticationToken)/;
const USE_DUCKDB = "or use DuckDB: --engine duckdb, or TRANSFORM_ENGINE=duckdb";

/**
 * Runs statements on Amazon Athena, by its API
 * (https://docs.aws.amazon.com/athena/latest/APIReference/Welcome.html).
 */
export class AthenaClient {
  readonly #settings: AthenaSettings;
  readonly #signal: AbortSignal;
  readonly #patience: AthenaPatience;
  readonly #sdk: SdkClient;
  readonly #place: string;

  constructor(
    settings: AthenaSettings,
    options: {
      /** The region, and keys if they are set. */
      s3: S3Settings;
      signal: AbortSignal;
      patience?: AthenaPatience;
    },
  ) {
    const { s3, signal, patience = PATIENCE_OF_ATHENA } = options;
    const { endpoint } = settings;
    this.#settings = settings;
    this.#signal = signal;
    this.#patience = patience;
    this.#place = `Athena in ${s3.region}`;
    this.#sdk = new SdkClient(clientConfig({ ...s3, endpoint }, PATIENCE));
  }

  /**
   * Runs a statement to its end, and stops it if the signal is aborted or it
   * takes too long. Throws a `StatementError` if the statement is at fault, and
   * a `StageError` if Athena or its settings are.
   */
  async run(sql: string): Promise<AthenaResult> {
    const { workgroup, database, resultsUrl } = this.#settings;
    const { QueryExecutionId: id } = await this.#ask(() =>
      // The SDK adds a token, so a repeated request starts nothing twice. It is
      // not aborted: what it started could not be stopped without its id.
      this.#sdk.send(
        new StartQueryExecutionCommand({
          QueryString: sql,
          WorkGroup: workgroup,
          QueryExecutionContext: { Database: database },
          ...resultsUrl === undefined
            ? {}
            : { ResultConfiguration: { OutputLocation: resultsUrl } },
        }),
      )
    );
    if (id === undefined) throw this.#unreachable("it named no query");
    try {
      const done = await this.#untilDone(id);
      this.#checkVersion(done);
      const isSelect = done.StatementType === "DML";
      const { rows, written } = done.StatementType === "DDL"
        ? { rows: [], written: 0 }
        : await this.#results(id);
      return {
        // A query's first row has the names of its columns.
        rows: isSelect ? rows.slice(1) : rows,
        written,
        scannedBytes: done.Statistics?.DataScannedInBytes ?? 0,
      };
    } catch (error) {
      await this.#stop(id);
      throw error;
    }
  }

  close(): void {
    this.#sdk.destroy();
  }

  async #untilDone(id: string): Promise<QueryExecution> {
    const { pollMs, statementMsMax } = this.#patience;
    const start = performance.now();
    for (
      let pauseMs = pollMs;;
      pauseMs = Math.min(pauseMs * 1.5, POLL_MS_MAX)
    ) {
      const { QueryExecution: found } = await this.#ask((abortSignal) =>
        this.#sdk.send(new GetQueryExecutionCommand({ QueryExecutionId: id }), {
          abortSignal,
        })
      );
      const state = found?.Status?.State;
      if (found !== undefined && state === "SUCCEEDED") return found;
      if (state === "FAILED") throw this.#failed(found ?? {});
      if (state === "CANCELLED") throw this.#cancelled(found ?? {});
      if (performance.now() - start > statementMsMax) {
        throw new StageError(
          `${this.#place} has not ended a statement in ${
            Math.round(statementMsMax / 1000)
          } s: it is ${state}`,
          {
            subject: this.#settings.workgroup,
            retryable: true,
            hint:
              `Nothing was committed. Look at the workgroup's queue and quotas, then run it again; ${USE_DUCKDB}`,
          },
        );
      }
      await sleep(pauseMs, this.#signal);
    }
  }

  async #results(
    id: string,
  ): Promise<{ rows: (string | undefined)[][]; written: number }> {
    const rows: (string | undefined)[][] = [];
    let written = 0;
    await this.#ask(async (abortSignal) => {
      const pages = paginateGetQueryResults(
        { client: this.#sdk },
        { QueryExecutionId: id },
        { abortSignal },
      );
      for await (const { ResultSet, UpdateCount } of pages) {
        written += UpdateCount ?? 0;
        for (const { Data = [] } of ResultSet?.Rows ?? []) {
          rows.push(Data.map(({ VarCharValue }) => VarCharValue));
        }
        if (rows.length > ROWS_MAX) break;
      }
    });
    return { rows, written };
  }

  /** A request that the SDK repeats while Athena is busy or fails. */
  async #ask<Answer>(
    send: (abortSignal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> {
    this.#signal.throwIfAborted();
    try {
      return await send(this.#signal);
    } catch (error) {
      this.#signal.throwIfAborted();
      throw this.#refused(error);
    }
  }

  /** Best effort: the error that led here says more. */
  async #stop(id: string): Promise<void> {
    try {
      await this.#sdk.send(
        new StopQueryExecutionCommand({ QueryExecutionId: id }),
        { abortSignal: AbortSignal.timeout(CANCEL_MS_MAX) },
      );
    } catch {
      // What it writes is garbage, which sweep removes.
    }
  }

  #checkVersion({ EngineVersion }: QueryExecution): void {
    const version = EngineVersion?.EffectiveEngineVersion;
    if (version === undefined || version === ENGINE_VERSION) return;
    const { workgroup } = this.#settings;
    throw new StageError(
      `Cannot use Athena's workgroup "${workgroup}": it runs "${version}", "${ENGINE_VERSION}" is expected`,
      { subject: workgroup, hint: "Choose that version in the workgroup" },
    );
  }

  #failed({ Status }: QueryExecution): Error {
    const { StateChangeReason, AthenaError } = Status ?? {};
    const reason = StateChangeReason ?? AthenaError?.ErrorMessage ?? "unknown";
    const isOfUser = AthenaError?.ErrorCategory === USER_ERROR;
    if (isOfUser && OF_QUERY.test(reason)) return new StatementError(reason);
    return new StageError(
      `${this.#place} could not run a statement: ${reason}`,
      {
        subject: this.#settings.workgroup,
        retryable: AthenaError?.Retryable ?? !isOfUser,
        hint: isOfUser
          ? 'See "Setting up Athena" in docs/scale.md for the rights and the database that it needs'
          : `Nothing was committed. Run it again; ${USE_DUCKDB}`,
      },
    );
  }

  /** By somebody, or by the workgroup's limit of what a query may read. */
  #cancelled({ Status }: QueryExecution): StageError {
    const { workgroup } = this.#settings;
    return new StageError(
      `${this.#place} has cancelled a statement: ${
        Status?.StateChangeReason ?? "no reason is given"
      }`,
      {
        subject: workgroup,
        hint:
          `Nothing was committed. If it reads more than the workgroup allows, raise its limit; ${USE_DUCKDB}`,
      },
    );
  }

  #refused(error: unknown): Error {
    const name = error instanceof Error ? error.name : "";
    const message = messageOf(error);
    const { workgroup } = this.#settings;
    if (REFUSED.test(name)) {
      return new StageError(`${this.#place} refused the role: ${message}`, {
        subject: workgroup,
        loginRefused: true,
        hint:
          'See "Setting up Athena" in docs/scale.md for the rights that it needs',
        cause: error,
      });
    }
    if (name !== "InvalidRequestException") return this.#unreachable(message);
    return new StageError(
      `${this.#place} could not run a statement: ${message}`,
      {
        subject: workgroup,
        hint: "Check ATHENA_WORKGROUP, ATHENA_DATABASE and ATHENA_RESULTS_URL",
        cause: error,
      },
    );
  }

  #unreachable(problem: string): StageError {
    return new StageError(`${this.#place} does not answer: ${problem}`, {
      subject: this.#settings.workgroup,
      retryable: true,
      hint: `Nothing was committed. Run it again; ${USE_DUCKDB}`,
    });
  }
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => resolve();
  const timer = setTimeout(wake, ms);
  signal.addEventListener("abort", wake, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", wake);
}
