/** A call of the function, as the Runtime API delivers it. */
export interface Invocation {
  requestId: string;
  /** When it must be finished, in milliseconds since 1970. */
  deadlineMs: number;
  traceId: string | undefined;
  /** The call's payload; a trigger's has nothing that matters. */
  event: unknown;
}

/** A failure as the Runtime API takes it. */
export interface FunctionError {
  errorType: string;
  errorMessage: string;
}

const VERSION = "2018-06-01";

/**
 * AWS Lambda's Runtime API for custom runtimes:
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
export class RuntimeApi {
  readonly #base: string;

  /** The address is a host and a port, from `AWS_LAMBDA_RUNTIME_API`. */
  constructor(address: string) {
    this.#base = `http://${address}/${VERSION}/runtime`;
  }

  /** Waits for the next call; while it waits, the process may be frozen. */
  async next(signal: AbortSignal): Promise<Invocation> {
    const answer = await fetch(`${this.#base}/invocation/next`, { signal });
    const text = await answer.text();
    const requestId = answer.headers.get("lambda-runtime-aws-request-id");
    if (!answer.ok || requestId === null) {
      throw new Error(`the Runtime API answered HTTP ${answer.status}`);
    }
    return {
      requestId,
      deadlineMs: Number(answer.headers.get("lambda-runtime-deadline-ms")),
      traceId: answer.headers.get("lambda-runtime-trace-id") ?? undefined,
      event: JSON.parse(text || "null"),
    };
  }

  /** Answers a call with a result. */
  async respond(requestId: string, result: unknown): Promise<void> {
    await this.#post(`invocation/${requestId}/response`, result);
  }

  /** Answers a call with a failure. */
  async fail(requestId: string, error: FunctionError): Promise<void> {
    await this.#post(`invocation/${requestId}/error`, error, error.errorType);
  }

  /** Reports that the function can't even start. */
  async failInit(error: FunctionError): Promise<void> {
    await this.#post("init/error", error, error.errorType);
  }

  async #post(path: string, body: unknown, errorType?: string): Promise<void> {
    const answer = await fetch(`${this.#base}/${path}`, {
      method: "POST",
      body: JSON.stringify(body ?? null),
      headers: errorType === undefined
        ? {}
        : { "lambda-runtime-function-error-type": `Function.${errorType}` },
    });
    await answer.body?.cancel();
    if (answer.ok) return;
    throw new Error(`the Runtime API answered ${path} HTTP ${answer.status}`);
  }
}
