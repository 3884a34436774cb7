import assert from "node:assert/strict";
import { AthenaClient } from "../../../lib/athena/athena_client.ts";
import { StatementError } from "../../../lib/engine.ts";
import { StageError } from "../../../lib/errors.ts";
import { athenaError, TestAthena } from "../../harness/servers/athena.ts";
import {
  AthenaFailure,
  type StatementResult,
} from "../../harness/servers/athena_statements.ts";

const S3 = {
  region: "eu-west-2",
  endpoint: undefined,
  accessKeyId: "test",
  secretAccessKey: "testtest",
  sessionToken: undefined,
  caFile: undefined,
};
const WRITTEN: StatementResult = {
  type: "DML",
  rows: [],
  updateCount: 7,
  scannedBytes: 4096,
};

function open(
  athena: TestAthena,
  options: { signal?: AbortSignal; statementMsMax?: number } = {},
) {
  const { signal = new AbortController().signal, statementMsMax = 60_000 } =
    options;
  const client = new AthenaClient(athena.settings, {
    s3: S3,
    signal,
    patience: { pollMs: 1, statementMsMax },
  });
  return {
    run: (sql: string) => client.run(sql),
    [Symbol.dispose]: () => client.close(),
  };
}

/** An Athena whose statements end so. */
function serve(end: () => StatementResult): TestAthena {
  return new TestAthena(() => Promise.resolve().then(end));
}

Deno.test("run() waits for a statement's end, and returns what it wrote and read", async () => {
  await using athena = serve(() => WRITTEN);
  using client = open(athena);

  const result = await client.run("insert into t select 1");

  assert.deepEqual(result, { rows: [], written: 7, scannedBytes: 4096 });
  const [{ sql, context } = assert.fail()] = athena.executions;
  assert.equal(sql, "insert into t select 1");
  assert.deepEqual(context.QueryExecutionContext, { Database: "totesys" });
  assert.equal(context.ResultConfiguration, undefined);
});

Deno.test("run() sends the location of results if it is set", async () => {
  await using athena = serve(() => WRITTEN);
  athena.settings.resultsUrl = "s3://results/here";
  using client = open(athena);

  await client.run("insert into t select 1");

  assert.deepEqual(athena.executions[0]?.context.ResultConfiguration, {
    OutputLocation: "s3://results/here",
  });
});

Deno.test("run() returns all pages of rows, without the header row", async () => {
  const rows = ["a", "1", "2", "3", "4"].map((one) => [one]);
  for (const type of ["DML", "UTILITY"] as const) {
    await using athena = serve(() => ({ type, rows, scannedBytes: 0 }));
    using client = open(athena);

    const result = await client.run("select a");

    assert.deepEqual(result.rows, type === "DML" ? rows.slice(1) : rows);
  }
});

for (
  const [name, status] of [
    ["TooManyRequestsException", 400],
    ["ThrottlingException", 400],
    ["InternalServerException", 500],
    ["ServiceUnavailable", 503],
  ] as const
) {
  Deno.test(`run() retries a request that is answered ${name}`, async () => {
    await using athena = serve(() => WRITTEN);
    const failed = new Set<string>();
    athena.fault = (action) => {
      if (failed.has(action)) return undefined;
      failed.add(action);
      return athenaError(name, { status });
    };
    using client = open(athena);

    assert.equal((await client.run("insert into t select 1")).written, 7);

    assert.deepEqual([...failed], [
      "StartQueryExecution",
      "GetQueryExecution",
      "GetQueryResults",
    ]);
    assert.equal(athena.executions.length, 1);
  });
}

Deno.test("run() starts a statement once even if the answer is lost", async () => {
  await using athena = serve(() => WRITTEN);
  let lost = 0;
  athena.lose = (action) => action === "StartQueryExecution" && lost++ === 0;
  using client = open(athena);

  await client.run("insert into t select 1");

  assert.equal(lost, 2);
  assert.equal(athena.executions.length, 1);
});

Deno.test("run() gives up when Athena stays busy", async () => {
  await using athena = serve(() => WRITTEN);
  athena.fault = () => athenaError("TooManyRequestsException");
  using client = open(athena);

  await assert.rejects(client.run("select 1"), (error) => {
    assert.ok(error instanceof StageError);
    assert.equal(error.message, "Athena in eu-west-2 does not answer: why");
    assert.ok(error.retryable);
    return true;
  });
});

Deno.test("run() reports that Athena doesn't answer", async () => {
  const athena = serve(() => WRITTEN);
  using client = open(athena);
  await athena[Symbol.asyncDispose]();

  await assert.rejects(client.run("select 1"), (error) => {
    assert.ok(error instanceof StageError);
    assert.match(error.message, /^Athena in eu-west-2 does not answer: ./);
    assert.ok(error.retryable);
    return true;
  });
});

for (
  const name of [
    "AccessDeniedException",
    "UnrecognizedClientException",
    "ExpiredTokenException",
  ]
) {
  Deno.test(`run() reports a refused role: ${name}`, async () => {
    await using athena = serve(() => WRITTEN);
    athena.fault = () => athenaError(name);
    using client = open(athena);

    await assert.rejects(client.run("select 1"), (error) => {
      assert.ok(error instanceof StageError);
      assert.equal(
        error.message,
        "Athena in eu-west-2 refused the role: why",
      );
      assert.ok(error.loginRefused);
      return true;
    });
  });
}

Deno.test("run() names the workgroup that doesn't exist", async () => {
  await using athena = serve(() => WRITTEN);
  using client = open(athena);
  athena.fault = () =>
    athenaError("InvalidRequestException", {
      message: "WorkGroup totesys is not found.",
    });

  await assert.rejects(client.run("select 1"), (error) => {
    assert.ok(error instanceof StageError);
    assert.equal(
      error.message,
      "Athena in eu-west-2 could not run a statement: WorkGroup totesys is not found.",
    );
    assert.ok(!error.retryable);
    return true;
  });
});

for (
  const reason of [
    "SYNTAX_ERROR: line 1:8: Column 'a' cannot be resolved",
    "INVALID_CAST_ARGUMENT: Cannot cast 'a' to INT",
    "DIVISION_BY_ZERO: Division by zero",
    "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types",
    "FUNCTION_NOT_FOUND: line 1:8: Function 'fail' not registered",
  ]
) {
  Deno.test(`run() throws a StatementError for: ${reason}`, async () => {
    await using athena = serve(() => {
      throw new AthenaFailure(reason);
    });
    using client = open(athena);

    await assert.rejects(client.run("select a"), (error) => {
      assert.ok(error instanceof StatementError);
      assert.equal(error.message, reason);
      return true;
    });
  });
}

for (
  const [reason, error, retryable] of [
    [
      "PERMISSION_DENIED: Access Denied",
      { ErrorCategory: 2, ErrorType: 1000, Retryable: false },
      false,
    ],
    [
      "FAILED: SemanticException Database does not exist: totesys",
      { ErrorCategory: 2, ErrorType: 1003, Retryable: false },
      false,
    ],
    [
      "Query exhausted resources at this scale factor",
      { ErrorCategory: 1, ErrorType: 0, Retryable: true },
      true,
    ],
    [
      "GENERIC_INTERNAL_ERROR: why",
      { ErrorCategory: 1, ErrorType: 200, Retryable: false },
      false,
    ],
    [
      // Not a user's error, whatever it is called.
      "NOT_SUPPORTED: why",
      { ErrorCategory: 3, ErrorType: 300, Retryable: true },
      true,
    ],
  ] as const
) {
  Deno.test(`run() throws a StageError for: ${reason}`, async () => {
    await using athena = serve(() => WRITTEN);
    athena.failure = { reason, error };
    using client = open(athena);

    await assert.rejects(client.run("select a"), (found) => {
      assert.ok(found instanceof StageError);
      assert.equal(
        found.message,
        `Athena in eu-west-2 could not run a statement: ${reason}`,
      );
      assert.equal(found.retryable, retryable);
      return true;
    });
  });
}

Deno.test("run() reports a query that exceeds its workgroup's limit", async () => {
  await using athena = serve(() => WRITTEN);
  athena.gate = () => {
    const [execution] = athena.executions;
    assert.ok(execution !== undefined);
    execution.state = "CANCELLED";
    execution.reason = "Bytes scanned limit was exceeded";
    return Promise.resolve();
  };
  using client = open(athena);

  await assert.rejects(client.run("select a"), {
    name: "StageError",
    message:
      "Athena in eu-west-2 has cancelled a statement: Bytes scanned limit was exceeded",
    retryable: false,
    hint: /raise its limit/,
  });
});

Deno.test("run() stops a statement that takes too long", async () => {
  await using athena = serve(() => WRITTEN);
  const { promise, resolve } = Promise.withResolvers<void>();
  athena.gate = () => promise;
  using client = open(athena, { statementMsMax: 0 });

  await assert.rejects(client.run("select a"), {
    name: "StageError",
    message: /^Athena in eu-west-2 has not ended a statement in 0 s: it is /,
    retryable: true,
  });

  assert.equal(athena.executions[0]?.state, "CANCELLED");
  resolve();
});

Deno.test("run() stops its statement when it is aborted", async () => {
  await using athena = serve(() => WRITTEN);
  const { promise, resolve } = Promise.withResolvers<void>();
  const abort = new AbortController();
  athena.gate = () => {
    abort.abort(new Error("time is up"));
    return promise;
  };
  using client = open(athena, { signal: abort.signal });

  await assert.rejects(client.run("select a"), /time is up/);

  assert.equal(athena.executions[0]?.state, "CANCELLED");
  resolve();
});

Deno.test("run() refuses a workgroup of another version", async () => {
  await using athena = serve(() => WRITTEN);
  athena.engineVersion = "Athena engine version 2";
  using client = open(athena);

  await assert.rejects(client.run("select a"), {
    name: "StageError",
    message:
      'Cannot use Athena\'s workgroup "totesys": it runs "Athena engine version 2", "Athena engine version 3" is expected',
  });
});
