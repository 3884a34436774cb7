import assert from "node:assert/strict";
import { StatementError } from "../../../lib/engine.ts";
import { TrinoClient } from "../../../lib/trino/trino_client.ts";

interface Asked {
  method: string;
  path: string;
  headers: Headers;
  body: string;
}

/** A server that answers each request in turn, as the protocol says. */
function serve(answers: ((origin: string) => Response)[]) {
  const asked: Asked[] = [];
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const { method, url, headers } = request;
      const { pathname: path, origin } = new URL(url);
      asked.push({ method, path, headers, body: await request.text() });
      if (method === "DELETE") return new Response(null, { status: 204 });
      return answers.shift()?.(origin) ??
        new Response("no more answers", { status: 500 });
    },
  );
  const origin = `http://127.0.0.1:${server.addr.port}`;
  return { asked, origin, close: () => server.shutdown() };
}

function open(origin: string, signal = new AbortController().signal) {
  return new TrinoClient({
    origin,
    user: "reader",
    password: "pä:ss",
    catalog: "hive",
    schema: "totesys",
  }, { signal });
}

const busy = () => new Response("wait", { status: 503 });
const next = (path: string, more: object = {}) => (origin: string) =>
  Response.json({ id: "q1", nextUri: `${origin}${path}`, ...more });
const last = (more: object) => () => Response.json({ id: "q1", ...more });
const failed = (errorType: string, errorName: string) =>
  last({ error: { message: "why", errorType, errorName } });

Deno.test("run() waits for a statement's end, also when the server is busy", async () => {
  const { asked, origin, close } = serve([
    busy,
    next("/v1/1"),
    next("/v1/2", { data: [[1]] }),
    busy,
    last({ data: [[2]], updateCount: 7 }),
  ]);

  const result = await open(origin).run("select 1");

  await close();
  assert.deepEqual(result, { rows: [[1], [2]], written: 7 });
  assert.deepEqual(
    asked.map(({ method, path }) => `${method} ${path}`),
    [
      "POST /v1/statement",
      "POST /v1/statement",
      "GET /v1/1",
      "GET /v1/2",
      "GET /v1/2",
    ],
  );
  const [, { headers, body } = assert.fail()] = asked;
  assert.equal(body, "select 1");
  assert.equal(headers.get("x-trino-user"), "reader");
  assert.equal(headers.get("x-trino-catalog"), "hive");
  assert.equal(
    headers.get("x-trino-session"),
    "hive.timestamp_precision=MICROSECONDS",
  );
  assert.equal(headers.get("authorization"), "Basic cmVhZGVyOnDDpDpzcw==");
});

Deno.test("run() throws a StatementError for a query's own fault", async () => {
  const { origin, close } = serve([failed("USER_ERROR", "DIVISION_BY_ZERO")]);

  await assert.rejects(open(origin).run("select 1"), (error) => {
    assert.ok(error instanceof StatementError);
    assert.equal(error.message, "DIVISION_BY_ZERO: why");
    return true;
  });
  await close();
});

for (
  const [errorType, errorName, retryable] of [
    ["USER_ERROR", "PERMISSION_DENIED", false],
    ["INTERNAL_ERROR", "REMOTE_HOST_GONE", true],
    ["INSUFFICIENT_RESOURCES", "EXCEEDED_LOCAL_MEMORY_LIMIT", true],
  ] as const
) {
  Deno.test(`run() throws a StageError for ${errorName}`, async () => {
    const { origin, close } = serve([failed(errorType, errorName)]);

    await assert.rejects(open(origin).run("select 1"), {
      name: "StageError",
      message:
        `Trino at ${origin} could not run a statement: ${errorName}: why`,
      subject: origin,
      retryable,
    });
    await close();
  });
}

Deno.test("run() names the refused user, without the password", async () => {
  const { origin, close } = serve([
    () => new Response("no", { status: 401 }),
  ]);

  await assert.rejects(open(origin).run("select 1"), {
    name: "StageError",
    message: `Trino at ${origin} refused the user "reader": HTTP 401`,
    loginRefused: true,
  });
  await close();
});

Deno.test("run() sends a statement whose answer is lost only once", async () => {
  const { asked, origin, close } = serve([
    () => new Response("broken", { status: 500 }),
  ]);

  await assert.rejects(open(origin).run("insert into t select 1"), {
    name: "StageError",
    message: `Trino at ${origin} does not answer: HTTP 500`,
    retryable: true,
  });
  await close();
  assert.equal(asked.length, 1);
});

Deno.test("run() cancels the statement when it is aborted", async () => {
  const stop = new AbortController();
  const { asked, origin, close } = serve([
    next("/v1/1"),
    (origin) => {
      stop.abort(new DOMException("asked to stop", "AbortError"));
      return next("/v1/2")(origin);
    },
  ]);

  await assert.rejects(open(origin, stop.signal).run("select 1"), {
    name: "AbortError",
  });
  await close();
  assert.deepEqual(
    asked.map(({ method, path }) => `${method} ${path}`).at(-1),
    "DELETE /v1/1",
  );
});
