/** What a function under test said to a call, or to the API. */
export interface Answer {
  kind: "response" | "error" | "init error";
  // deno-lint-ignore no-explicit-any
  body: any;
}

/** How a function is called. */
export interface CallOptions {
  requestId?: string;
  timeoutMs?: number;
  event?: unknown;
}

interface Call {
  requestId: string;
  deadlineMs: number;
  event: unknown;
  answered: (answer: Answer) => void;
}

/** AWS Lambda's Runtime API as functions under test see it, over HTTP. */
export class TestRuntimeApi implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #waiting: Call[] = [];
  readonly #underWay = new Map<string, Call>();
  #wake: () => void = () => {};
  #ended = false;
  #onInitError: (answer: Answer) => void = () => {};
  /** Resolves when the function says that it can't begin. */
  readonly initError = new Promise<Answer>((done) => this.#onInitError = done);

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(request),
    );
  }

  /** For `AWS_LAMBDA_RUNTIME_API`. */
  get address(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  /** Calls the function, and gives its answer. */
  call(options: CallOptions = {}) {
    const {
      requestId = crypto.randomUUID(),
      timeoutMs = 60_000,
      event = { source: "aws.events" },
    } = options;
    return new Promise<Answer>((answered) => {
      const deadlineMs = Date.now() + timeoutMs;
      this.#waiting.push({ requestId, deadlineMs, event, answered });
      this.#wake();
    });
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const path = pathname.replace("/2018-06-01/runtime/", "");
    if (path === "invocation/next") return await this.#next();
    const body = await request.json();
    if (path === "init/error") {
      this.#onInitError({ kind: "init error", body });
      return accepted();
    }
    const [, requestId = "", kind] = path.split("/");
    const call = this.#underWay.get(requestId);
    if (call === undefined) return new Response(null, { status: 404 });
    this.#underWay.delete(requestId);
    call.answered({ kind: kind === "response" ? kind : "error", body });
    return accepted();
  }

  async #next(): Promise<Response> {
    while (this.#waiting.length === 0 && !this.#ended) {
      await new Promise<void>((wake) => this.#wake = wake);
    }
    const call = this.#waiting.shift();
    if (call === undefined) return new Response(null, { status: 500 });
    this.#underWay.set(call.requestId, call);
    return new Response(JSON.stringify(call.event), {
      headers: {
        "lambda-runtime-aws-request-id": call.requestId,
        "lambda-runtime-deadline-ms": String(call.deadlineMs),
        "lambda-runtime-trace-id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    this.#wake();
    await this.#server.shutdown();
  }
}

function accepted(): Response {
  return new Response("{}", { status: 202 });
}
