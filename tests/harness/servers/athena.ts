import type { AthenaSettings } from "../../../lib/settings/engine_settings.ts";
import { messageOf } from "../../../lib/errors.ts";
import { AthenaFailure, type StatementResult } from "./athena_statements.ts";

/** A statement that was sent. */
interface Execution {
  id: string;
  sql: string;
  state: "QUEUED" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELLED";
  reason?: string;
  /** As `AthenaError`; https://docs.aws.amazon.com/athena/latest/ug/error-reference.html */
  error?: { ErrorCategory: number; ErrorType: number; Retryable: boolean };
  result?: StatementResult;
  context: Record<string, unknown>;
}

/** An answer in place of the usual one; undefined: the usual one. */
type Fault = (
  action: string,
  input: Record<string, unknown>,
) => Response | undefined | Promise<Response | undefined>;

const PAGE_ROWS = 2;
const TOKEN_CHARACTERS_MIN = 32;

/**
 * A stand-in for Athena's API
 * (https://docs.aws.amazon.com/athena/latest/APIReference/API_Operations.html,
 * AWS JSON 1.1): statements are queued, run by what it is given, and asked
 * about.
 */
export class TestAthena implements AsyncDisposable {
  readonly executions: Execution[] = [];
  /** What was asked, by name. */
  readonly asked: string[] = [];
  /** Applies to each request. */
  fault: Fault = () => undefined;
  /** Whether a request is done, and its answer lost. */
  lose: (action: string) => boolean = () => false;
  /** How statements end in place of being run. */
  failure: Pick<Execution, "reason" | "error"> | undefined;
  /** A statement does not begin while this is pending. */
  gate: (sql: string) => Promise<void> = () => Promise.resolve();
  engineVersion = "Athena engine version 3";
  readonly settings: AthenaSettings;
  readonly #tokens = new Map<string, string>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #run: (sql: string) => Promise<StatementResult>;
  #queue: Promise<void> = Promise.resolve();

  constructor(run: (sql: string) => Promise<StatementResult>) {
    this.#run = run;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        const answer = await this.#answer(request);
        if (!this.lose(this.asked.at(-1) ?? "")) return answer;
        const body = new ReadableStream({ start: (end) => end.error("lost") });
        return new Response(body);
      },
    );
    this.settings = {
      workgroup: "totesys",
      database: "totesys",
      resultsUrl: undefined,
      endpoint: `http://127.0.0.1:${this.#server.addr.port}`,
    };
  }

  /** Waits until what was started has ended. */
  async settled(): Promise<void> {
    await this.#queue;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue;
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const target = request.headers.get("x-amz-target") ?? "";
    const [service, action = ""] = target.split(".");
    const input = await request.json();
    this.asked.push(action);
    const faulty = await this.fault(action, input);
    if (faulty !== undefined) return faulty;
    if (service !== "AmazonAthena") return invalid(`Unknown ${target}`);
    if (action === "StartQueryExecution") return this.#start(input);
    const execution = this.executions.find(({ id }) =>
      id === input.QueryExecutionId
    );
    if (execution === undefined) return invalid("QueryExecution was not found");
    switch (action) {
      case "GetQueryExecution":
        return this.#describe(execution);
      case "GetQueryResults":
        return resultsOf(execution, Number(input.NextToken ?? 0));
      case "StopQueryExecution":
        if (isOpen(execution)) execution.state = "CANCELLED";
        return Response.json({});
      default:
        return invalid(`Unknown ${target}`);
    }
  }

  #start(input: Record<string, string>): Response {
    const { QueryString: sql = "", WorkGroup, ClientRequestToken: token = "" } =
      input;
    if (WorkGroup !== this.settings.workgroup) {
      return invalid(`WorkGroup ${WorkGroup} is not found.`);
    }
    if (token.length < TOKEN_CHARACTERS_MIN) {
      return invalid("clientRequestToken is too short");
    }
    const known = this.#tokens.get(token);
    if (known !== undefined) return Response.json({ QueryExecutionId: known });
    const id = crypto.randomUUID();
    this.#tokens.set(token, id);
    const execution: Execution = { id, sql, state: "QUEUED", context: input };
    this.executions.push(execution);
    this.#queue = this.#queue.then(() => this.#execute(execution));
    return Response.json({ QueryExecutionId: id });
  }

  async #execute(execution: Execution): Promise<void> {
    if (!isOpen(execution)) return;
    execution.state = "RUNNING";
    try {
      await this.gate(execution.sql);
      if (this.failure !== undefined) {
        Object.assign(execution, { ...this.failure, state: "FAILED" });
      }
      if (!isOpen(execution)) return;
      execution.result = await this.#run(execution.sql);
      if (isOpen(execution)) execution.state = "SUCCEEDED";
    } catch (error) {
      execution.state = "FAILED";
      execution.reason = messageOf(error);
      execution.error ??= {
        ErrorCategory: error instanceof AthenaFailure ? 2 : 1,
        ErrorType: error instanceof AthenaFailure ? 1000 : 100,
        Retryable: !(error instanceof AthenaFailure),
      };
    }
  }

  #describe(execution: Execution): Response {
    const { id, sql, state, reason, error, result } = execution;
    return Response.json({
      QueryExecution: {
        QueryExecutionId: id,
        Query: sql,
        StatementType: result?.type,
        EngineVersion: { EffectiveEngineVersion: this.engineVersion },
        Status: {
          State: state,
          StateChangeReason: reason,
          AthenaError: error,
        },
        Statistics: { DataScannedInBytes: result?.scannedBytes },
      },
    });
  }
}

function isOpen({ state }: Execution): boolean {
  return state === "QUEUED" || state === "RUNNING";
}

function resultsOf(
  { state, result }: Execution,
  from: number,
): Response {
  if (state !== "SUCCEEDED" || result === undefined) {
    return invalid(`Query has not yet finished. Current state: ${state}`);
  }
  const { rows, updateCount } = result;
  const page = rows.slice(from, from + PAGE_ROWS);
  return Response.json({
    UpdateCount: updateCount,
    ResultSet: {
      Rows: page.map((row) => ({
        Data: row.map((VarCharValue) => ({ VarCharValue })),
      })),
    },
    ...from + PAGE_ROWS < rows.length
      ? { NextToken: String(from + PAGE_ROWS) }
      : {},
  });
}

/** An error as AWS JSON 1.1 has it. */
export function athenaError(
  name: string,
  options: { message?: string; status?: number } = {},
): Response {
  const { message = "why", status = 400 } = options;
  return Response.json({ __type: name, Message: message }, { status });
}

function invalid(message: string): Response {
  return athenaError("InvalidRequestException", { message });
}
