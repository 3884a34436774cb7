import assert from "node:assert/strict";
import { exitCode, StageError } from "../../lib/errors.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { type State, warehouseState } from "../harness/readers/oracle.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { visible } from "../harness/readers/visible.ts";
import {
  type Fault,
  type S3Proxy,
  s3Refusal,
  startS3Proxy,
} from "../lib/zone/s3_proxy.ts";

type Stage = "extract" | "transform" | "load";

/** A store that does not do what it is asked to. */
interface BadStore {
  name: string;
  stages: Stage[];
  fault: (request: Request) => Fault | Promise<Fault>;
  message: RegExp;
}

const BUSY_MS = 300;
const isData = (request: Request) => /batch%3D|batch=/.test(request.url);

/** Ends the connection before the body that it promised has come. */
function cutOff(): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new Uint8Array(100));
      controller.close();
    },
  });
  return new Response(body, { headers: { "content-length": "5000" } });
}

const BAD_STORES: BadStore[] = [
  {
    name: "403, everything is forbidden",
    stages: ["extract", "transform", "load"],
    fault: () => s3Refusal(403, "AccessDenied"),
    message: /Cannot (read|write).*s3:\/\/.*\(AccessDenied, HTTP 403\)/,
  },
  {
    name: "403, data files are forbidden",
    stages: ["extract", "transform", "load"],
    fault: (request) =>
      isData(request) ? s3Refusal(403, "AccessDenied") : undefined,
    message: /Cannot (read|write).*s3:\/\/.*(HTTP 403|Forbidden|403)/,
  },
  {
    name: "404, the bucket is gone",
    stages: ["extract", "load"],
    fault: () => s3Refusal(404, "NoSuchBucket"),
    message: /there is no such bucket/,
  },
  {
    name: "404, a data file is gone",
    stages: ["transform", "load"],
    fault: (request) =>
      isData(request) && request.method !== "PUT"
        ? s3Refusal(404, "NoSuchKey")
        : undefined,
    message: /Cannot read s3:\/\/.*: the manifest lists it, and it is missing/,
  },
  {
    name: "412, whatever is there",
    stages: ["extract", "transform"],
    fault: (request) =>
      request.method === "PUT" && request.url.includes("_batches/")
        ? s3Refusal(412, "PreconditionFailed")
        : undefined,
    message: /says both that its manifest exists and that it doesn't/,
  },
  {
    name: "500, at every request",
    stages: ["extract", "transform", "load"],
    fault: () => s3Refusal(500, "InternalError"),
    message: /Cannot (read|write).*\(InternalError, HTTP 500\)/,
  },
  {
    name: "503 SlowDown, without end",
    stages: ["extract", "load"],
    fault: () => s3Refusal(503, "SlowDown"),
    message: /Cannot (read|write).*\(SlowDown, HTTP 503\)/,
  },
  {
    name: "a body that is cut off on its way there",
    stages: ["extract", "transform"],
    fault: (request) =>
      isData(request) && ["PUT", "POST"].includes(request.method)
        ? "cut"
        : undefined,
    message: /Cannot write/,
  },
  {
    name: "a body that is cut off",
    stages: ["transform", "load"],
    fault: (request) =>
      isData(request) && request.method === "GET" ? cutOff() : undefined,
    message: /Cannot read/,
  },
];

/** A platform whose zones lie behind a proxy that can fail. */
async function behindProxy(
  test: (platform: Platform, proxy: S3Proxy) => Promise<void>,
): Promise<void> {
  const endpoint = Deno.env.get("TEST_S3_ENDPOINT");
  assert(endpoint !== undefined);
  await using proxy = startS3Proxy(endpoint);
  await using platform = await openPlatform({ zones: "S3" });
  const { s3 } = platform.config;
  assert(s3 !== undefined);
  platform.set({ s3: { ...s3, endpoint: proxy.endpoint } });
  await fillSmall(platform.source.client);
  await platform.run();
  await test(platform, proxy);
}

for (const bad of BAD_STORES) {
  Deno.test(`the stages report an S3 of ${bad.name}`, () =>
    behindProxy(async (platform, proxy) => {
      for (const [index, stage] of bad.stages.entries()) {
        await execute(platform.source.client, insertOrder(30 + index));
        if (stage !== "extract") await platform.extract();
        if (stage === "load") await platform.transform();
        const before = await visible(platform);

        proxy.fault = bad.fault;
        await assertEndsClearly(platform[stage](), { stage, bad });
        proxy.fault = undefined;

        assert.deepEqual(await visible(platform), before, stage);
        await execute(platform.source.client, insertOrder(40 + index));
        await platform.run();
        await assertMirrored(platform);
      }
    }));
}

async function assertEndsClearly(
  run: Promise<unknown>,
  { stage, bad }: { stage: Stage; bad: BadStore },
): Promise<void> {
  await assert.rejects(run, (error) => {
    assert(error instanceof StageError, `${stage}: ${error}`);
    assert.match(error.message, bad.message, stage);
    assert.notEqual(error.hint ?? "", "", error.message);
    assert.equal(exitCode(error), 1, stage);
    assert.doesNotMatch(error.message, /testtest/, stage);
    return true;
  });
}

Deno.test("the stages wait for a slow and for a busy S3", () =>
  behindProxy(async (platform, proxy) => {
    let busy = 0;
    proxy.fault = async (request) => {
      busy += 1;
      if (busy % 7 === 0) return s3Refusal(503, "SlowDown");
      if (busy % 5 === 0 && !isData(request)) {
        await new Promise((wake) => setTimeout(wake, BUSY_MS));
      }
    };
    await execute(platform.source.client, insertOrder(30));

    await platform.run();

    await assertMirrored(platform);
  }));

Deno.test("the stages name an S3 that is down", async () => {
  await using platform = await openPlatform({ zones: "S3" });
  await fillSmall(platform.source.client);
  await platform.run();
  const before = await visible(platform);
  const { s3 } = platform.config;
  assert(s3 !== undefined);
  platform.set({ s3: { ...s3, endpoint: "http://127.0.0.1:1" } });

  for (const stage of ["extract", "transform", "load"] as const) {
    await assert.rejects(platform[stage](), (error) => {
      assert(error instanceof StageError);
      assert.match(error.message, /at http:\/\/127.0.0.1:1.*refused/);
      assert.equal(error.retryable, true);
      return true;
    });
  }

  platform.set({ s3 });
  assert.deepEqual(await visible(platform), before);
  await execute(platform.source.client, insertOrder(40));
  await platform.run();
  await assertMirrored(platform);
});

/**
 * Runs the tasks on a disk of its own, which is filled and freed again. Linux
 * lets anybody mount one in a namespace of their own.
 */
const ON_A_SMALL_DISK = `
set -e
mount -t tmpfs -o size=3m tmpfs "$DISK"
run() { deno run -A "$1/main.ts" 2>&1 || echo "exit code $?"; }
visible() {
  find "$DISK" -name '0*.json' -o -name lake.duckdb | sort | xargs sha256sum
}
for stage in extract transform load; do run $stage; done
echo "== the next change"
read changed
$BEFORE
echo "== visible before"
visible
head -c 10m /dev/zero > "$DISK/filler" 2>/dev/null || true
echo "== the disk is full"
run $FULL
echo "== visible after"
visible
echo "== the warehouse"
read looked
rm "$DISK/filler"
echo "== the disk has room"
for stage in extract transform load; do run $stage; done
cp -r "$DISK/." "$KEPT"
`;

/** What comes before the stage that is to meet the full disk. */
const BEFORE = {
  extract: ":",
  transform: "run extract",
  load: "run extract; run transform",
};

for (const stage of ["extract", "transform", "load"] as const) {
  Deno.test({
    name:
      `${stage} commits nothing on a full disk, and continues once there is space`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      await using platform = await openPlatform();
      const { client } = platform.source;
      await fillSmall(client);
      const disk = await Deno.makeTempDir({ prefix: "totesys-disk-" });
      const kept = await Deno.makeTempDir({ prefix: "totesys-disk-" });
      const script = ON_A_SMALL_DISK
        .replaceAll("deno run", `"${Deno.execPath()}" run`)
        .replace("$BEFORE", BEFORE[stage]);
      await using process = new Deno.Command("unshare", {
        args: ["-Urm", "sh", "-c", script],
        cwd: platformDirectory(),
        env: {
          DISK: disk,
          KEPT: kept,
          FULL: stage,
          SOURCE_URL: platform.source.url,
          WAREHOUSE_URL: platform.warehouse.url,
          INGESTION_URL: `${disk}/ingestion`,
          PROCESSED_URL: `${disk}/processed`,
          TEMP_DIRECTORY: stage === "load"
            ? `${disk}/temp`
            : platform.config.tempDirectory,
          NO_COLOR: "1",
        },
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      const writer = process.stdin.getWriter();
      const goOn = () => writer.write(new TextEncoder().encode("go on\n"));
      let output = "";
      let answered = 0;
      let before: State = {};
      for await (
        const text of process.stdout.pipeThrough(new TextDecoderStream())
      ) {
        output += text;
        const asked = [...output.matchAll(/== the (next change|warehouse)/g)]
          .slice(answered).map(([, what]) => what);
        answered += asked.length;
        if (asked.includes("next change")) {
          before = await warehouseState(platform);
          await execute(client, insertOrder(30));
          await goOn();
        }
        if (asked.includes("warehouse")) {
          assert.deepEqual(await warehouseState(platform), before);
          await goOn();
        }
      }
      await writer.close();

      const parts = output.split("== ");
      const [
        ,
        ,
        visibleBefore = "",
        full = "",
        visibleAfter = "",
        ,
        room = "",
      ] = parts;
      assert.match(full, /No space left|ENOSPC|space/i, output);
      assert.match(full, /exit code 1/, output);
      assert.match(visibleBefore, /_batches\/0*1.json/, output);
      assert.equal(
        visibleAfter.replace("visible after", ""),
        visibleBefore.replace("visible before", ""),
      );
      assert.doesNotMatch(room, /exit code/, output);
      // Where its paths lead, now that the disk is gone.
      await Deno.remove(disk);
      await Deno.rename(kept, disk);
      platform.set({ processedUrl: `${disk}/processed` });
      await assertMirrored(platform);
      await Deno.remove(disk, { recursive: true });
    },
  });
}

Deno.test("transform() names a link in a zone that leads out of it", async () => {
  await using platform = await openPlatform();
  const { source, config } = platform;
  await fillSmall(source.client);
  await platform.run();
  for (
    const { zone, folder, change } of [
      {
        zone: config.ingestionUrl,
        folder: "sales_order",
        change: insertOrder(30),
      },
      {
        zone: config.processedUrl,
        folder: "dim_staff",
        change: "update staff set first_name = 'Other'",
      },
    ]
  ) {
    const [here, there] = [`${zone}/${folder}`, `${zone}-${folder}`];
    await Deno.rename(here, there);
    await Deno.symlink(there, here);
    await execute(source.client, change);
    await platform.extract();

    await assert.rejects(platform.transform(), {
      name: "StageError",
      hint: /^A symbolic link in the zone leads out of it/,
      retryable: false,
    });

    await Deno.remove(here);
    await Deno.rename(there, here);
    await platform.run();
    await assertMirrored(platform);
  }
});
