import assert from "node:assert/strict";
import { withFailureNote } from "../../lib/batches/failure_note.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { resync } from "../../operate/resync.ts";
import { sweep } from "../../sweep/sweep.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { openTestS3 } from "../harness/servers/s3.ts";
import {
  nameShop,
  SALE_SOURCE,
  saleProject,
} from "../harness/companies/sale_company.ts";
import { StoreClock } from "../harness/store_clock.ts";
import { leaveUploadOpen } from "../simulator/leave_upload_open.ts";
import { CALLED, type Kind, kindOf, type ZoneRights } from "./called_rights.ts";
import { type S3Call, s3Rights } from "./s3_actions.ts";
import { accessDenied, startStoreProxy } from "./store_proxy.ts";

const BATCHES = 2;
const OLD_HOURS = 49;
/** More than one part of an upload. */
const LARGE_CHARACTERS = 9_000_000;

/** Notes which rights the requests of a task need. */
class Recorder {
  /** The task that is at work. */
  task = "";
  /** Whether the second part of an upload is refused. */
  refusesParts = false;
  readonly rights: Record<string, Record<string, Record<string, Set<Kind>>>> =
    {};
  readonly keys: string[] = [];
  /** The newest upload in parts. */
  #upload = "";

  async answer(
    request: Request,
    url: URL,
    forward: () => Promise<Response>,
  ): Promise<Response> {
    const { method, headers } = request;
    const { task } = this;
    const isPart = url.searchParams.get("partNumber") === "2";
    const answer = this.refusesParts && isPart
      ? accessDenied()
      : await this.#withUploads(request, url, forward);
    this.#note(task, { method, url, headers, status: answer.status });
    return answer;
  }

  /** The embedded server keeps uploads, but does not list them. */
  async #withUploads(
    { method }: Request,
    url: URL,
    forward: () => Promise<Response>,
  ): Promise<Response> {
    if (!url.searchParams.has("uploads")) return await forward();
    if (method === "GET") {
      return new Response(
        `<ListMultipartUploadsResult>${this.#upload}</ListMultipartUploadsResult>`,
      );
    }
    const answer = await forward();
    const text = await answer.text();
    const [id = ""] = /<UploadId>[^<]*<\/UploadId>/.exec(text) ?? [];
    this.#upload = `<Upload><Key>${pathOf(url)}</Key>${id}` +
      "<Initiated>2020-01-01T00:00:00.000Z</Initiated></Upload>";
    return new Response(text, answer);
  }

  #note(task: string, call: S3Call): void {
    for (const { action, key } of s3Rights(call)) {
      const path = key ?? pathOf(call.url);
      const [, zone = "", rest = ""] = /^[^/]+\/(\w+)\/(.*)$/.exec(path) ?? [];
      const zones = this.rights[task] ??= {};
      const kinds = (zones[zone] ??= {})[action] ??= new Set();
      kinds.add(key === undefined ? "bucket" : kindOf(rest));
      if (key !== undefined) this.keys.push(rest);
    }
  }
}

/** Where a request to a bucket looks: the tests' zones share one. */
function pathOf({ pathname, searchParams }: URL): string {
  const key = decodeURIComponent(pathname).split("/").slice(2).join("/");
  return key === "" ? searchParams.get("prefix") ?? "" : key;
}

/** Rights as sorted lists, to be compared. */
function sorted(
  rights: Partial<Record<string, Record<string, Iterable<Kind>>>>,
): Record<string, Record<string, Kind[]>> {
  return Object.fromEntries(
    Object.entries(rights).map(([zone, actions]) => [
      zone,
      Object.fromEntries(
        Object.entries(actions ?? {}).map(([action, kinds]) => [
          action,
          [...kinds].sort(),
        ]),
      ),
    ]),
  );
}

/** Has each function do all that it can, and the operator's commands. */
async function recordAll(platform: Platform, recorder: Recorder) {
  const { context, source: { client } } = platform;
  const clock = new StoreClock(platform);
  const as = async (task: string, run: () => Promise<unknown>) => {
    recorder.task = task;
    await run();
  };
  const fail = () => Promise.reject(new Error("a failure"));
  const sell = (id: number) =>
    execute(
      client,
      nameShop(`Shop ${id}`),
      `insert into sale values (${id}, 1, 1)`,
    );

  for (let batch = 1; batch <= BATCHES; batch++) {
    await sell(batch);
    await as("extract", platform.extract);
    await as("transform", platform.transform);
    await as("load", platform.load);
  }
  await as(
    "extract",
    () => assert.rejects(withFailureNote(context, "extract", fail)),
  );
  await as(
    "transform",
    () => assert.rejects(withFailureNote(context, "transform", fail)),
  );
  await execute(
    client,
    `insert into shop values (2, repeat('x', ${LARGE_CHARACTERS}))`,
  );
  recorder.refusesParts = true;
  await as("extract", () => assert.rejects(platform.extract()));
  recorder.refusesParts = false;
  await execute(client, "delete from shop where shop_id = 2");
  await sell(BATCHES + 1);
  await as("verify", () => verify(context));
  await sell(BATCHES + 2);
  await as("resync", () => resync(context, { tables: ["sale"] }));
  await as("rebuild processed", () => rebuildProcessed(context));
  await as("rebuild warehouse", () => rebuildWarehouse(context));
  recorder.task = "a run that died";
  const { processedUrl, s3 } = platform.config;
  await leaveUploadOpen(
    `${processedUrl}/sale/batch=000000009/dead.parquet`,
    { s3: s3 ?? assert.fail(), part: new Uint8Array(10) },
  );
  await clock.leap(OLD_HOURS);
  await as("sweep", () => sweep(context, { zone: "processed" }));
}

Deno.test("each function makes only the S3 calls that its role allows, and commands make no others", async () => {
  const recorder = new Recorder();
  await using s3 = await openTestS3();
  await using store = startStoreProxy(
    s3.endpoint,
    (...call) => recorder.answer(...call),
  );
  await using platform = await openPlatform({
    zones: "S3",
    s3Endpoint: store.endpoint,
    sql: await saleProject(),
    sourceSql: SALE_SOURCE,
  });
  platform.set({ icebergCatalogue: "zone" });
  platform.context.compaction = { fanOut: 2 };

  await recordAll(platform, recorder);

  const recorded = Object.keys(CALLED).map((name) => [
    name,
    sorted(recorder.rights[name] ?? {}),
  ]);
  assert.deepEqual(
    Object.fromEntries(recorded),
    Object.fromEntries(
      Object.entries(CALLED).map(([name, rights]) => [name, sorted(rights)]),
    ),
  );
  assert.ok(recorder.keys.some((key) => key.includes("-merged.")));
  const stages = [CALLED.extract, CALLED.transform, CALLED.load];
  for (const command of ["resync", "rebuild processed", "rebuild warehouse"]) {
    for (
      const [zone, actions] of Object.entries(recorder.rights[command] ?? {})
    ) {
      const granted = stages.flatMap((rights) =>
        Object.keys(rights?.[zone as keyof ZoneRights] ?? {})
      );
      for (const action of Object.keys(actions)) {
        assert.ok(granted.includes(action), `${command}: ${action} in ${zone}`);
      }
    }
  }
});

Deno.test("s3Rights() names the rights for a copy, a version, a lock and a condition", () => {
  const rights = (
    method: string,
    path: string,
    headers: Record<string, string> = {},
  ) =>
    s3Rights({
      method,
      url: new URL(`http://127.0.0.1${path}`),
      headers: new Headers(headers),
      status: 200,
    }).map(({ action, bucket, key }) => [action, bucket, key ?? ""].join(" "));

  assert.deepEqual(
    rights("PUT", "/b/new", {
      "x-amz-copy-source": "/a/old%20one?versionId=1",
    }),
    ["PutObject b new", "GetObjectVersion a old one"],
  );
  assert.deepEqual(
    rights("PUT", "/b/k", {
      "if-match": '"e"',
      "x-amz-object-lock-mode": "GOVERNANCE",
    }),
    ["PutObject b k", "GetObject b k", "PutObjectRetention b k"],
  );
  assert.deepEqual(
    rights("DELETE", "/b/k?versionId=1", {
      "x-amz-bypass-governance-retention": "true",
    }),
    ["DeleteObjectVersion b k", "BypassGovernanceRetention b k"],
  );
  assert.deepEqual(rights("DELETE", "/b/k?uploadId=1"), [
    "AbortMultipartUpload b k",
  ]);
  assert.deepEqual(rights("GET", "/b?versions"), ["ListBucketVersions b "]);
  assert.throws(() => rights("POST", "/b?delete"), /no action is known/);
  assert.throws(() => rights("PUT", "/b/k?tagging"), /no action is known/);
  assert.throws(() => rights("GET", "/b?policy"), /no action is known/);
});
