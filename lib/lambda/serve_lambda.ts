import type { Logger } from "@logtape/logtape";
import { processIo } from "../cli/command.ts";
import { describeError } from "../describe_error.ts";
import { EXIT, messageOf, StageError } from "../errors.ts";
import { openLog } from "../log.ts";
import { ConnectionPool } from "../postgres/connection_pool.ts";
import { type ProjectSql, readProjectSql } from "../project/project_sql.ts";
import { type Environment, type Need, readConfig } from "../settings/config.ts";
import { secretMask } from "../settings/secret_mask.ts";
import { withSecrets } from "../settings/secrets.ts";
import { sqlFolderNamer } from "../settings/sql_folder.ts";
import { outOfTime, RESOURCES, type StageContext } from "../stage.ts";
import { forStage, stageContext } from "../stage_context.ts";
import { removeDeadTempFolders } from "../temp_folder.ts";
// Loaded while the environment starts, which costs a call nothing.
import "../zone/s3_sdk.ts";
import { type Metric, metricsLine } from "./metrics.ts";
import { type Invocation, RuntimeApi } from "./runtime_api.ts";

/** What a function does on each call. */
export interface LambdaFunction<Result> {
  /** The stage, in logs and metrics. */
  name: string;
  needs: readonly Need[];
  run: (context: StageContext, event: unknown) => Promise<Result>;
  metrics: (result: Result, now: Date) => Metric[];
}

/** What a function may use of the process that it runs in. */
export interface LambdaIo {
  env: Environment;
  /** Writes one line to the log. */
  write: (line: string) => void;
  /** Aborted when the process is asked to stop. */
  signal: AbortSignal;
}

/** A stage stops this long before its time is up, or with a fifth left. */
const SPARE_MS = 10_000;
const SPARE_SHARE = 0.2;
/** Memory that Deno and a reader take beside DuckDB's own. */
const MB_BESIDE_DUCKDB = 400;
const DUCKDB_SHARE = 0.8;
const DUCKDB_MB_MIN = 128;
/** A function with this much memory has one virtual processor. */
const MB_PER_PROCESSOR = 1769;

/** Serves a function in this process, then ends the process; for lambda.ts. */
export async function runLambda<Result>(
  fn: LambdaFunction<Result>,
): Promise<never> {
  const io = lambdaIo();
  try {
    await serveLambda(fn, io);
    Deno.exit(EXIT.ok);
  } catch (error) {
    io.write(fatalLine(fn.name, error));
    Deno.exit(EXIT.failed);
  }
}

/**
 * Serves the calls of an AWS Lambda function until the process is asked to
 * stop. Each ends with a result or a failure; in either case connections stay
 * open for the next. If the function can't start, reports that to the Runtime
 * API and throws.
 */
export async function serveLambda<Result>(
  fn: LambdaFunction<Result>,
  io: LambdaIo,
): Promise<void> {
  const { signal } = io;
  const api = new RuntimeApi(io.env("AWS_LAMBDA_RUNTIME_API") ?? "");
  let served: Served<Result>;
  try {
    served = await Served.open(fn, io);
  } catch (error) {
    // The log of a failed start shows it: what a setting holds is hidden.
    await api.failInit(functionError(error, secretMask(io.env)));
    throw error;
  }
  await using _served = served;
  while (!signal.aborted) {
    const invocation = await api.next(signal).catch((error) => {
      if (signal.aborted) return undefined;
      throw error;
    });
    if (invocation === undefined) return;
    try {
      const result = await served.run(invocation);
      await api.respond(invocation.requestId, result);
    } catch (error) {
      await api.fail(
        invocation.requestId,
        functionError(error, (text) => served.mask(text)),
      );
    }
  }
}

/** The environment with its secrets read, and what hides them in a text. */
interface Settings {
  env: Environment;
  mask: (text: string) => string;
}

async function readSettings(io: LambdaIo): Promise<Settings> {
  const sized = withSize(io.env);
  const folder = sized("TEMP_DIRECTORY") ?? "/tmp";
  const env = await withSecrets(sized, { folder });
  const mask = secretMask(env);
  const nameFolder = sqlFolderNamer(env);
  return { env, mask: (text) => mask(nameFolder(text)) };
}

/** A function that has started, with what it keeps between calls. */
class Served<Result> implements AsyncDisposable {
  readonly #pool = new ConnectionPool(RESOURCES.connect);

  private constructor(
    private readonly fn: LambdaFunction<Result>,
    private readonly io: LambdaIo,
    /** Changed in place when the secrets are read again. */
    private readonly settings: Settings,
    private readonly log: Logger,
    private readonly sql: ProjectSql,
  ) {}

  static async open<Result>(
    fn: LambdaFunction<Result>,
    io: LambdaIo,
  ): Promise<Served<Result>> {
    const settings = await readSettings(io);
    const { sqlDirectory } = readConfig(settings.env, fn.needs);
    const sql = readProjectSql(sqlDirectory);
    const write = (line: string) => io.write(settings.mask(line));
    const log = await openLog({ json: true, color: false, write });
    return new Served(fn, io, settings, log, sql);
  }

  /** Hides the secrets that it has. */
  mask(text: string): string {
    return this.settings.mask(text);
  }

  async run(invocation: Invocation): Promise<Result> {
    const { fn, settings, io } = this;
    const started = performance.now();
    const { requestId, traceId } = invocation;
    try {
      const result = await this.#runOnce(invocation).catch(async (error) => {
        if (!(error instanceof StageError && error.loginRefused)) throw error;
        // The password may have changed since it was read.
        Object.assign(settings, await readSettings(io));
        await this.#pool[Symbol.asyncDispose]();
        return await this.#runOnce(invocation);
      });
      this.#measure(fn.metrics(result, new Date()), { requestId, started });
      return result;
    } catch (error) {
      const isCheck = error instanceof StageError && error.dataCheck;
      this.#measure([
        { name: "ChecksFailed", unit: "Count", value: isCheck ? 1 : 0 },
      ], { requestId, started });
      const line = fatalLine(fn.name, error, { requestId, traceId });
      io.write(settings.mask(line));
      throw error;
    }
  }

  async #runOnce(invocation: Invocation): Promise<Result> {
    const { fn } = this;
    const { requestId, traceId, deadlineMs } = invocation;
    const config = readConfig(this.settings.env, fn.needs);
    await removeDeadTempFolders(config.tempDirectory);
    const leftMs = deadlineMs - Date.now();
    using deadline = abortAfter(
      leftMs - Math.min(SPARE_MS, leftMs * SPARE_SHARE),
    );
    const context: StageContext = {
      ...stageContext({
        config,
        sql: this.sql,
        log: this.log.with({ requestId, traceId }),
        show: undefined,
        signal: AbortSignal.any([this.io.signal, deadline.signal]),
      }),
      resources: { ...RESOURCES, connect: this.#pool.connect },
      deadline: new Date(deadlineMs),
      processors: (memoryMb(this.settings.env) || MB_PER_PROCESSOR) /
        MB_PER_PROCESSOR,
    };
    try {
      return await fn.run(forStage(context, fn.name), invocation.event);
    } catch (error) {
      if (!deadline.signal.aborted) throw error;
      throw new StageError(
        `Cannot finish ${fn.name} in ${Math.round(leftMs / 1000)} s`,
        {
          subject: fn.name,
          retryable: true,
          hint:
            "Committed batches stay, and the next call continues from there. If it is a first load, run `./totesys pipeline` once on the same zones: docs/deploy.md",
          cause: error,
        },
      );
    }
  }

  #measure(
    metrics: readonly Metric[],
    { requestId, started }: { requestId: string; started: number },
  ): void {
    const namespace = this.io.env("METRICS_NAMESPACE") ?? "";
    if (namespace === "") return;
    const duration: Metric = {
      name: "DurationMs",
      unit: "Milliseconds",
      value: Math.round(performance.now() - started),
    };
    this.io.write(
      metricsLine([...metrics, duration], {
        namespace,
        stage: this.fn.name,
        requestId,
        now: new Date(),
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}

/**
 * The environment; DuckDB's memory and threads follow from the function's size
 * unless they are set.
 */
export function withSize(env: Environment): Environment {
  const sizeMb = memoryMb(env);
  if (!(sizeMb > 0)) return env;
  const duckDbMb = Math.max(
    DUCKDB_MB_MIN,
    Math.floor((sizeMb - MB_BESIDE_DUCKDB) * DUCKDB_SHARE),
  );
  const sized: Record<string, string> = {
    DUCKDB_MEMORY_LIMIT: `${duckDbMb}MB`,
    DUCKDB_THREADS: String(Math.ceil(sizeMb / MB_PER_PROCESSOR)),
  };
  return (name) => env(name) ?? sized[name];
}

function memoryMb(env: Environment): number {
  return Number(env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") ?? 0);
}

function abortAfter(ms: number): Disposable & { signal: AbortSignal } {
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(outOfTime()),
    Math.max(0, ms),
  );
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}

/** What the caller is answered, which is no place for secrets either. */
function functionError(error: unknown, mask: (text: string) => string) {
  return {
    errorType: error instanceof Error ? error.name : "Error",
    errorMessage: mask(messageOf(error)),
  };
}

function fatalLine(
  stage: string,
  error: unknown,
  more: Record<string, unknown> = {},
): string {
  const line = describeError(error, { command: stage, json: true });
  return JSON.stringify({ ...JSON.parse(line), ...more });
}

/**
 * The real process. Lambda ends it without a word, or with SIGTERM if some
 * extension is registered.
 */
function lambdaIo(): LambdaIo {
  const { env, write, onStop } = processIo();
  const stopping = new AbortController();
  onStop(() => stopping.abort(new DOMException("asked to stop", "AbortError")));
  return {
    env,
    write: (line) => write(`${line}\n`, "out"),
    signal: stopping.signal,
  };
}
