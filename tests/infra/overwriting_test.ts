import assert from "node:assert/strict";
import { join } from "node:path";
import { withFailureNote } from "../../lib/batches/failure_note.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { openZone } from "../../lib/zone/zone.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { openTestS3 } from "../harness/servers/s3.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { accessDenied, startStoreProxy } from "./store_proxy.ts";

/** The keys that the ingestion bucket's policy lets be replaced. */
async function replacedKeys(): Promise<RegExp[]> {
  const file = join(platformDirectory(), "infra", "buckets.tf");
  const text = await Deno.readTextFile(file);
  const [, list = ""] = /replaced_keys += \[(.*)\]/.exec(text) ?? [];
  return [...list.matchAll(/"([^"]+)"/g)].map(([, key = ""]) =>
    new RegExp(`/ingestion/${key.replaceAll("*", ".*")}$`)
  );
}

/** Headers, of which a bucket with Object Lock asks one in each upload. */
const CHECKSUM = /^(content-md5|x-amz-checksum-|x-amz-trailer)/;

/**
 * A store that refuses as the ingestion bucket does: by its policy,
 * NothingIsOverwritten, and by its lock, which takes no upload without a
 * checksum: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
 */
async function startRefusing(endpoint: string, refused: string[]) {
  const replaced = await replacedKeys();
  const mayPass = ({ method, headers }: Request, url: URL) => {
    const { pathname, searchParams } = url;
    const creates = method === "PUT" && !searchParams.has("partNumber") ||
      method === "POST" && searchParams.has("uploadId");
    if (!pathname.includes("/ingestion/")) return true;
    const isChecked = [...headers.keys()].some((name) => CHECKSUM.test(name));
    if (method === "PUT" && !isChecked) return false;
    return !creates || headers.has("if-none-match") ||
      replaced.some((key) => key.test(pathname));
  };
  return startStoreProxy(endpoint, (request, url, forward) => {
    if (mayPass(request, url)) return forward();
    refused.push(url.pathname);
    return accessDenied();
  });
}

Deno.test("extract() works under the ingestion bucket's policy and object lock", async () => {
  const refused: string[] = [];
  await using s3 = await openTestS3();
  await using store = await startRefusing(s3.endpoint, refused);
  await using platform = await openPlatform({
    zones: "S3",
    s3Endpoint: store.endpoint,
  });
  await fillSmall(platform.source.client);

  for (const id of [60, 61, 62]) {
    await execute(platform.source.client, insertOrder(id));
    await platform.extract();
  }
  await assert.rejects(
    withFailureNote(
      platform.context,
      "extract",
      () => Promise.reject(new Error("a failure")),
    ),
    /a failure/,
  );

  assert.deepEqual(refused, []);
  const { config } = platform;
  const zone = openZone(config.ingestionUrl, { s3: config.s3 });
  await assert.rejects(zone.put("sales_order/x.csv", new Uint8Array(1)));
  zone.close();
  assert.equal(refused.length, 1);
});
