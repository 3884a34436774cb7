import assert from "node:assert/strict";
import { startS3Server } from "../../../embedded/s3_server.ts";
import { BatchLog, manifestKey } from "../../../lib/batches/batch_log.ts";
import { type IngestionManifest } from "../../../lib/batches/manifest.ts";
import { S3Zone } from "../../../lib/zone/s3_zone.ts";
import {
  openZone,
  type S3Settings,
  type Zone,
} from "../../../lib/zone/zone.ts";
import {
  type Fault,
  type S3Proxy,
  s3Refusal,
  startS3Proxy,
} from "./s3_proxy.ts";
import {
  bytesOf,
  patternOf,
  pieces,
  textOf,
  ZONE_CASES,
} from "./zone_cases.ts";
import { encodeManifest } from "../../../lib/batches/encode_manifest.ts";

const SETTINGS: S3Settings = {
  region: "eu-west-2",
  accessKeyId: "demo",
  secretAccessKey: "not-to-be-told",
};
const PART_BYTES = 8 << 20;
const SILENCE_MS_MAX = 300;

for (const { name, run } of ZONE_CASES) {
  Deno.test(`S3Zone ${name}`, () => withZone((zone) => run(zone)));
}

Deno.test("S3Zone serves a whole bucket, and a prefix of it", () =>
  withZone(async (inner, { proxy }) => {
    const outer = openZone("s3://bucket/", {
      s3: { ...SETTINGS, endpoint: proxy.endpoint },
    });
    await inner.put("a", bytesOf("inner"));
    await outer.put("a", bytesOf("outer"));

    const keys = (await Array.fromAsync(outer.list(""))).map(({ key }) => key);
    outer.close();

    assert.deepEqual(keys, ["a", "some/prefix/a"]);
    assert.equal(outer.locate("a"), "s3://bucket/a");
    assert.equal(inner.locate("a"), "s3://bucket/some/prefix/a");
  }));

Deno.test("S3Zone lists every unfinished upload, and aborts it", () =>
  withZone(async (zone, { proxy }) => {
    const page = (upload: string, rest: string) =>
      new Response(
        `<ListMultipartUploadsResult><Upload><Key>some/prefix/${upload}.csv</Key>
        <UploadId>${upload}</UploadId><Initiated>2024-01-02T03:04:05.000Z</Initiated>
        </Upload>${rest}</ListMultipartUploadsResult>`,
        { headers: { "content-type": "application/xml" } },
      );
    proxy.fault = ({ method, url }): Fault => {
      const { searchParams } = new URL(url);
      if (method === "DELETE") return new Response(null, { status: 204 });
      if (!searchParams.has("uploads")) return undefined;
      return searchParams.get("key-marker") === "first"
        ? page("two", "")
        : page(
          "one",
          "<IsTruncated>true</IsTruncated><NextKeyMarker>first</NextKeyMarker>",
        );
    };

    const found = await Array.fromAsync(zone.unfinished());
    for (const file of found) await file.remove();

    assert.deepEqual(found.map(({ name }) => name), ["one.csv", "two.csv"]);
    assert.equal(
      found[0]?.begun.toISOString(),
      "2024-01-02T03:04:05.000Z",
    );
    assert.match(
      proxy.requests.at(-1) ?? "",
      /^DELETE \/bucket\/some\/prefix\/two.csv\?.*uploadId=two/,
    );
  }));

const NO_ANSWER = {
  name: "StageError",
  message: /: no answer came in time$/,
  retryable: true,
};

Deno.test("S3Zone gives up on a server that never answers", () =>
  withSilentServer("", async (zone) => {
    await Promise.all([
      assert.rejects(zone.read("a"), NO_ANSWER),
      assert.rejects(zone.head("a"), NO_ANSWER),
      assert.rejects(zone.create("a", bytesOf("a")), NO_ANSWER),
      assert.rejects(zone.write("a", pieces(bytesOf("a"), 1)), NO_ANSWER),
      assert.rejects(Array.fromAsync(zone.list("")), NO_ANSWER),
    ]);
  }));

Deno.test("S3Zone gives up on a server that stops in the middle of an answer", () =>
  withSilentServer(
    'HTTP/1.1 200 OK\r\netag: "x"\r\ncontent-length: 100\r\n\r\nbegun',
    async (zone) => {
      await assert.rejects(zone.read("a"), NO_ANSWER);
      const content = await zone.stream("a");
      await assert.rejects(Array.fromAsync(content), NO_ANSWER);
    },
  ));

Deno.test("S3Zone sends a stream in parts, each with a checksum", () =>
  withZone(async (zone, { proxy }) => {
    const checksums: (string | null)[] = [];
    proxy.fault = ({ method, headers }): Fault => {
      if (method === "PUT") checksums.push(headers.get("x-amz-checksum-crc32"));
      return undefined;
    };

    await zone.write("a", pieces(patternOf(2 * PART_BYTES + 1), 100_000));

    assert.equal(checksums.length, 3);
    assert.ok(checksums.every((checksum) => checksum !== null));
    assert.deepEqual(methodsOf(proxy), ["POST", "PUT", "PUT", "PUT", "POST"]);
  }));

Deno.test("S3Zone aborts an upload after its parts when the source fails", () =>
  withZone(async (zone, { proxy }) => {
    const failing = async function* () {
      yield* pieces(patternOf(2 * PART_BYTES), PART_BYTES);
      throw new Error("the source went away");
    };
    const order: string[] = [];
    proxy.fault = async ({ method, url }) => {
      if (url.includes("partNumber=2")) {
        await new Promise((wake) => setTimeout(wake, 200));
      }
      order.push(method);
      return undefined;
    };

    await assert.rejects(zone.write("a", failing()), {
      message: "the source went away",
    });

    assertAborted(proxy);
    assert.deepEqual(order, ["POST", "PUT", "PUT", "DELETE"]);
  }));

Deno.test("S3Zone aborts an upload when a part is refused", () =>
  withZone(async (zone, { proxy }) => {
    proxy.fault = ({ url }) =>
      url.includes("partNumber=2") ? s3Refusal(403, "AccessDenied") : undefined;

    await assert.rejects(
      zone.write("a", pieces(patternOf(5 * PART_BYTES), PART_BYTES)),
      { name: "StageError", message: /AccessDenied it is/ },
    );

    assertAborted(proxy);
    assert.equal(await zone.head("a"), undefined);
  }));

for (
  const [what, size, isAnswered] of [
    ["a file", 10, ({ method }: Request) => method === "PUT"],
    ["a part", 2 * PART_BYTES, ({ url }: Request) => /partNumber=2/.test(url)],
    [
      "the end of an upload",
      2 * PART_BYTES,
      ({ method, url }: Request) => method === "POST" && /uploadId=/.test(url),
    ],
  ] as const
) {
  Deno.test(`S3Zone takes ${what} for written only if the store says so`, () =>
    withZone(async (zone, { proxy }) => {
      proxy.fault = (request) =>
        isAnswered(request) ? new Response("<p>Sign in</p>") : undefined;

      await assert.rejects(zone.write("a", pieces(patternOf(size), 100_000)), {
        name: "StageError",
        message: /^Cannot write to the zone s3:.*/,
        hint: /^This is no answer of an S3 server/,
      });

      proxy.fault = undefined;
      assert.equal(await zone.head("a"), undefined);
    }));
}

Deno.test("S3Zone aborts an upload whose file was created meanwhile", () =>
  withZone(async (zone, { proxy }) => {
    await zone.put("a", bytesOf("first"));

    const won = await zone.create("a", patternOf(PART_BYTES + 1));

    assert.equal(won, false);
    assertAborted(proxy);
  }));

Deno.test("S3Zone tries again when the server is busy", () =>
  withZone(async (zone, { proxy }) => {
    let refusals = 2;
    proxy.fault = () => refusals-- > 0 ? s3Refusal(503, "SlowDown") : undefined;

    assert.equal(await zone.create("a", bytesOf("a")), true);

    assert.deepEqual(methodsOf(proxy), ["PUT", "PUT", "PUT"]);
  }));

Deno.test("S3Zone may mistake its own repeated create for another run's", () =>
  withZone(async (zone, { proxy }) => {
    let losses = 1;
    proxy.fault = () => losses-- > 0 ? "lost" : undefined;

    const won = await zone.create("a", bytesOf("ours"));

    assert.equal(won, false);
    assert.equal(textOf((await zone.read("a"))?.bytes), "ours");
  }));

Deno.test("S3Zone gives way to a concurrent put", () =>
  withZone(async (zone, { proxy }) => {
    await zone.put("a", bytesOf("first"));
    const ifMatch = (await zone.head("a"))?.etag;
    proxy.fault = () => s3Refusal(409, "ConditionalRequestConflict");

    assert.equal(await zone.put("a", bytesOf("second"), { ifMatch }), false);
    await assert.rejects(zone.put("a", bytesOf("second")), /HTTP 409/);
  }));

Deno.test("S3Zone commits one run's batch after a conflict", () =>
  withZone(async (zone, { proxy }) => {
    const log = new BatchLog<IngestionManifest>(zone, "extract");
    const mine = { format: 1, stage: "extract", runId: "mine" };
    const manifest = (batch: number, more = {}) =>
      ({ ...mine, batch, ...more }) as IngestionManifest;
    let conflicts = 2;
    proxy.fault = ({ method, url }) =>
      method === "PUT" && url.endsWith(".json") && conflicts-- > 0
        ? s3Refusal(409, "ConditionalRequestConflict")
        : undefined;

    assert.equal(await log.commit(manifest(1)), true);
    await zone.create(
      manifestKey(2),
      encodeManifest(manifest(2, { runId: "another" })),
    );
    conflicts = 1;
    assert.equal(await log.commit(manifest(2)), false);
  }));

const REFUSALS = [
  { status: 403, code: "AccessDenied", hint: /s3:PutObject/ },
  { status: 403, code: "InvalidAccessKeyId", hint: /AWS_ACCESS_KEY_ID/ },
  { status: 403, code: "SignatureDoesNotMatch", hint: /AWS_SECRET_ACCESS_KEY/ },
  { status: 403, code: "Strange", hint: /s3:PutObject/ },
  { status: 403, code: "QuotaExceeded", hint: /quota/ },
  { status: 400, code: "ExpiredToken", hint: /Renew/ },
  { status: 400, code: "AuthorizationHeaderMalformed", hint: /AWS_REGION/ },
  { status: 301, code: "PermanentRedirect", hint: /AWS_REGION/ },
  { status: 409, code: "ConditionalRequestConflict", retryable: true },
  { status: 503, code: "ServiceUnavailable", retryable: true },
  { status: 500, code: "InternalError", retryable: true },
  { status: 400, code: "InvalidRequest", hint: /^The store refuses such/ },
  { status: 400, code: "RequestTimeout", retryable: true },
  { status: 400, code: "BadDigest", retryable: true },
  { status: 403, code: "InvalidObjectState", hint: /archival storage/ },
  { status: 400, code: "KMS.DisabledException", hint: /kms:Decrypt/ },
  { status: 403, code: "RequestExpired", hint: /clock/ },
  { status: 403, code: "AccountProblem", hint: /ask their owner/ },
  { status: 405, code: "MethodNotAllowed", hint: /^The store refuses such/ },
  { status: 501, code: "NotImplemented", hint: /conditional writes/ },
  { status: 507, code: "XMinioStorageFull", hint: /^Free space/ },
];

for (const { status, code, hint, retryable = false } of REFUSALS) {
  Deno.test(`S3Zone explains ${status} ${code}`, () =>
    withZone(async (zone, { proxy }) => {
      proxy.fault = () => s3Refusal(status, code);

      const error = await zone.create("a", bytesOf("a")).catch((error) =>
        error
      );

      assert.equal(error.name, "StageError");
      assert.equal(error.subject, "s3://bucket/some/prefix");
      assert.equal(error.retryable, retryable);
      assert.match(
        error.message,
        new RegExp(
          `^Cannot write to the zone s3://bucket/some/prefix at ${proxy.endpoint}: .*\\(${code}, HTTP ${status}\\)$`,
        ),
      );
      if (!retryable && hint) assert.match(error.hint, hint);
      assert.doesNotMatch(error.message + error.hint, /not-to-be-told/);
    }));
}

Deno.test("S3Zone names the region where an answer has a status only", () =>
  withZone(async (zone, { proxy }) => {
    proxy.fault = () => new Response(null, { status: 301 });

    await assert.rejects(zone.head("a"), { hint: /AWS_REGION/ });
  }));

Deno.test("S3Zone says of a missing file that it is to be restored", () =>
  withZone(async (zone) => {
    await assert.rejects(zone.stream("a"), {
      message: /there is no such file/,
      hint: /^Restore/,
    });
  }));

Deno.test("S3Zone tells an answer that is none of S3 from a missing file", () =>
  withZone(async (zone, { proxy }) => {
    await zone.create("a", bytesOf("a"));
    const page = "<html>Sign in</html>";
    for (const status of [200, 302, 400, 404, 407]) {
      proxy.fault = () => new Response(page, { status });

      await assert.rejects(zone.read("a"), {
        name: "StageError",
        message: /^Cannot read "a" in the zone s3:/,
        hint: /^This is no answer of an S3 server/,
      });
    }
    proxy.fault = ({ method }) =>
      method === "PUT" ? new Response(null, { status: 204 }) : undefined;
    await assert.rejects(zone.put("a", bytesOf("b")), {
      hint: /^This is no answer of an S3 server/,
    });
    proxy.fault = () => new Response(page, { status: 413 });
    await assert.rejects(zone.put("a", bytesOf("b")), {
      hint: /^A proxy before the store limits/,
    });
  }));

Deno.test("S3Zone explains a refused HEAD, whose answer has no body", () =>
  withZone(async (zone, { proxy }) => {
    await zone.create("a", bytesOf("a"));
    const refused = (isAlsoGet: boolean) => async () => {
      proxy.fault = ({ method }) =>
        method === "HEAD"
          ? new Response(null, { status: 403 })
          : isAlsoGet
          ? s3Refusal(403, "RequestTimeTooSkewed")
          : undefined;
      return await zone.head("a");
    };

    await assert.rejects(refused(true), {
      message: /\(RequestTimeTooSkewed, HTTP 403\)$/,
      hint: "Set this machine's clock.",
    });
    await assert.rejects(refused(false), { message: /HTTP 403\)$/ });
  }));

Deno.test("S3Zone reports a missing bucket", () =>
  withServer(async ({ proxy }) => {
    const s3 = { ...SETTINGS, endpoint: proxy.endpoint };
    await assertRefused(openZone("s3://missing/zone", { s3 }), {
      message: /there is no such bucket \(NoSuchBucket, HTTP 404\)$/,
      hint: /Create the bucket/,
      retryable: false,
    });
  }));

Deno.test("S3Zone reports an endpoint where no server listens", async () => {
  const s3 = { ...SETTINGS, endpoint: "http://127.0.0.1:1" };
  await assertRefused(openZone("s3://bucket/zone", { s3 }), {
    message: /at http:\/\/127\.0\.0\.1:1: the connection was refused$/,
    hint: /AWS_ENDPOINT_URL/,
    retryable: true,
  });
});

Deno.test("S3Zone reports an endpoint with an unknown name", async () => {
  const s3 = { ...SETTINGS, endpoint: "http://s3.invalid" };
  await assertRefused(openZone("s3://bucket/zone", { s3 }), {
    message: /at http:\/\/s3\.invalid: the host's name /,
    hint: /AWS_ENDPOINT_URL/,
    retryable: true,
  });
});

Deno.test("openZone() refuses a URL that can't be a zone", () => {
  for (
    const url of ["", "lake", "./lake", "http://host/lake", "s3://", "s3:/a"]
  ) {
    assert.throws(() => openZone(url, { s3: SETTINGS }), {
      name: "ConfigError",
      message: /neither s3:\/\/bucket\/prefix nor an absolute directory$/,
    });
  }
  assert.throws(() => openZone("s3://bucket/a", { s3: undefined }), {
    name: "ConfigError",
    message: "Cannot open the zone s3://bucket/a: no S3 settings were given",
  });
});

interface Servers {
  proxy: S3Proxy;
}

async function withServer(
  test: (servers: Servers) => Promise<void>,
): Promise<void> {
  await using server = await startS3Server({ buckets: ["bucket"] });
  await using proxy = startS3Proxy(server.endpoint);
  await test({ proxy });
}

/** A server that takes connections and says this, and then nothing more. */
async function withSilentServer(
  said: string,
  test: (zone: Zone) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      open.push(connection);
      await connection.read(new Uint8Array(10_000)).catch(() => null);
      await connection.write(new TextEncoder().encode(said)).catch(() => 0);
    }
  })();
  const endpoint = `http://127.0.0.1:${listener.addr.port}`;
  const zone = new S3Zone("s3://bucket/zone", { ...SETTINGS, endpoint }, {
    connectionTimeoutMs: 1_000,
    answerTimeoutMs: SILENCE_MS_MAX,
    idleTimeoutMs: SILENCE_MS_MAX,
  });
  try {
    await test(zone);
  } finally {
    zone.close();
    listener.close();
    for (const connection of open) connection.close();
    await accepting;
  }
}

async function withZone(
  test: (zone: Zone, servers: Servers) => Promise<void>,
): Promise<void> {
  await withServer(async ({ proxy }) => {
    const zone = openZone("s3://bucket/some/prefix/", {
      s3: { ...SETTINGS, endpoint: proxy.endpoint },
    });
    try {
      await test(zone, { proxy });
    } finally {
      zone.close();
    }
  });
}

async function assertRefused(
  zone: Zone,
  found: { message: RegExp; hint: RegExp; retryable: boolean },
): Promise<void> {
  const refusal = { name: "StageError", subject: zone.url, ...found };
  await assert.rejects(zone.create("a", bytesOf("a")), refusal);
  await assert.rejects(zone.write("a", pieces(bytesOf("a"), 1)), refusal);
  await assert.rejects(zone.read("a"), refusal);
  await assert.rejects(Array.fromAsync(zone.list("")), refusal);
  zone.close();
}

function methodsOf(proxy: S3Proxy): string[] {
  return proxy.requests.map((request) => request.split(" ")[0] ?? "");
}

function assertAborted(proxy: S3Proxy): void {
  assert.match(proxy.requests.at(-1) ?? "", /^DELETE \/bucket\/.*uploadId=/);
}
