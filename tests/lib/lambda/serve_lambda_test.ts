import assert from "node:assert/strict";
import { join } from "node:path";
import { StageError } from "../../../lib/errors.ts";
import {
  type LambdaFunction,
  serveLambda,
  withSize,
} from "../../../lib/lambda/serve_lambda.ts";
import type { Environment } from "../../../lib/settings/config.ts";
import type { StageContext } from "../../../lib/stage.ts";
import { inFolder } from "../../harness/in_folder.ts";
import { TestRuntimeApi } from "../../../package/runtime_api.ts";
import { TestSecretsManager } from "../../harness/servers/secrets_manager.ts";
import { withEnv } from "../../harness/with_env.ts";

type Run = (context: StageContext) => Promise<unknown>;

/** Serves a function in this process, while some work calls it. */
async function serving(
  run: Run,
  work: (at: {
    api: TestRuntimeApi;
    lines: string[];
    stop: () => void;
    served: Promise<void>;
    folder: string;
  }) => Promise<void>,
  more: Record<string, string> = {},
): Promise<void> {
  await inFolder(async (folder) => {
    await using api = new TestRuntimeApi();
    const env: Record<string, string> = {
      AWS_LAMBDA_RUNTIME_API: api.address,
      INGESTION_URL: join(folder, "ingestion"),
      TEMP_DIRECTORY: folder,
      METRICS_NAMESPACE: "test",
      ...more,
    };
    const lines: string[] = [];
    const stopping = new AbortController();
    const fn: LambdaFunction<unknown> = {
      name: "stage",
      needs: ["ingestion"],
      run,
      metrics: () => [{ name: "Rows", unit: "Count", value: 7 }],
    };
    const served = serveLambda(fn, {
      env: (name) => env[name],
      write: (line) => lines.push(line),
      signal: stopping.signal,
    });
    served.catch(() => {});
    const stop = () => stopping.abort();
    await work({ api, lines, stop, served, folder });
    stop();
    await served.catch(() => {});
  });
}

Deno.test("serveLambda() answers each call, and records its metrics", async () => {
  const run: Run = async (context) => {
    context.log.info("at work");
    await Promise.resolve();
    return { rows: 7 };
  };
  await serving(run, async ({ api, lines, stop, served }) => {
    const first = await api.call({ requestId: "one" });
    const second = await api.call({ requestId: "two" });
    stop();
    await served;

    assert.deepEqual([first.kind, first.body], ["response", { rows: 7 }]);
    assert.equal(second.kind, "response");
    const events = lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      events.map(({ requestId, message }) => [requestId, message]),
      [["one", "at work"], ["one", undefined], ["two", "at work"], [
        "two",
        undefined,
      ]],
    );
    const [metric] = events[1]._aws.CloudWatchMetrics;
    assert.equal(metric.Namespace, "test");
    assert.deepEqual(metric.Dimensions, [["Stage"]]);
    assert.deepEqual(metric.Metrics, [
      { Name: "Rows", Unit: "Count" },
      { Name: "DurationMs", Unit: "Milliseconds" },
    ]);
    assert.deepEqual([events[1].Stage, events[1].Rows], ["stage", 7]);
  });
});

Deno.test("serveLambda() reports a failure, and serves the next call", async () => {
  let calls = 0;
  const run: Run = () => {
    if (++calls > 1) return Promise.resolve("fine");
    throw new StageError("Cannot load: a rule is broken", {
      subject: "rule",
      dataCheck: true,
    });
  };
  await serving(run, async ({ api, lines }) => {
    const first = await api.call({ requestId: "one" });
    const second = await api.call();

    assert.deepEqual(first, {
      kind: "error",
      body: {
        errorType: "StageError",
        errorMessage: "Cannot load: a rule is broken",
      },
    });
    assert.equal(second.body, "fine");
    const [metrics, fatal] = lines.map((line) => JSON.parse(line));
    assert.equal(metrics.ChecksFailed, 1);
    assert.deepEqual(
      [fatal.level, fatal.stage, fatal.subject, fatal.requestId],
      ["fatal", "stage", "rule", "one"],
    );
  });
});

Deno.test("serveLambda() shows no secret in an answer", async () => {
  const run: Run = () => {
    throw new Error("the server was sent a-long-secret");
  };
  const secret = { SOURCE_URL: "postgres://me:a-long-secret@host/db" };
  await serving(run, async ({ api, lines }) => {
    const { body } = await api.call();

    assert.match(body.errorMessage, /^the server was sent (?!a-long-secret)/);
    assert.doesNotMatch(lines.join("\n"), /a-long-secret/);
  }, secret);
});

Deno.test("serveLambda() stops a run before its time is up", async () => {
  const run: Run = ({ signal }) =>
    new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason))
    );
  await serving(run, async ({ api }) => {
    const { kind, body } = await api.call({ timeoutMs: 500 });

    assert.equal(kind, "error");
    assert.match(body.errorMessage, /^Cannot finish stage in \d+ s$/);
  });
});

Deno.test("serveLambda() removes the temporary files of a killed run", async () => {
  await serving(() => Promise.resolve(), async ({ api, folder }) => {
    const left = join(folder, "totesys-run-0123456789abcdef");
    await Deno.mkdir(join(left, "spill"), { recursive: true });
    await Deno.writeTextFile(join(left, ".lock"), "");
    await Deno.writeTextFile(join(folder, "other"), "");

    await api.call();

    const names = await Array.fromAsync(Deno.readDir(folder));
    assert.deepEqual(names.map(({ name }) => name), ["other"]);
  });
});

Deno.test("serveLambda() reports that it can't start", async () => {
  await serving(() => Promise.resolve(), async ({ api, served }) => {
    const { body } = await api.initError;

    assert.equal(body.errorType, "ConfigError");
    assert.match(body.errorMessage, /INGESTION_URL is missing/);
    await assert.rejects(served, { name: "ConfigError" });
  }, { INGESTION_URL: "" });
});

Deno.test("serveLambda() reads secrets again when a server refuses them", async () => {
  await using manager = new TestSecretsManager({
    here: "postgres://me:first-secret@localhost/x",
  });
  const settings = {
    AWS_ENDPOINT_URL_SECRETS_MANAGER: manager.url,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "testtest",
  };
  const seen: (string | undefined)[] = [];
  const run: Run = ({ config, log }) => {
    const { password } = config.source ?? {};
    seen.push(password);
    log.info("with {password}", { password });
    if (password !== "first-secret") return Promise.resolve("in");
    manager.secrets.set(
      "here",
      '{"url":"postgres://me:new-secret@localhost/x"}',
    );
    throw new StageError("refused", { subject: "x", loginRefused: true });
  };
  await withEnv(settings, () =>
    serving(run, async ({ api, lines }) => {
      const { kind } = await api.call();

      assert.equal(kind, "response");
      assert.deepEqual(seen, ["first-secret", "new-secret"]);
      assert.doesNotMatch(lines.join(), /(first|new)-secret/);
    }, { SOURCE_SECRET_ID: "here", AWS_REGION: "us-east-1" }));
});

Deno.test("withSize() gives DuckDB the function's memory and disk", () => {
  const of = (env: Record<string, string>): [unknown, unknown] => {
    const read: Environment = withSize((name) => env[name]);
    return [read("DUCKDB_MEMORY_LIMIT"), read("DUCKDB_THREADS")];
  };

  assert.deepEqual(of({}), [undefined, undefined]);
  assert.deepEqual(of({ AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "512" }), [
    "128MB",
    "1",
  ]);
  assert.deepEqual(of({ AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "2048" }), [
    "1318MB",
    "2",
  ]);
  assert.deepEqual(
    of({ AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "2048", DUCKDB_THREADS: "4" }),
    ["1318MB", "4"],
  );
});
