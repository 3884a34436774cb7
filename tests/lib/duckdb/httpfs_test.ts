import { DuckDBInstance, version } from "@duckdb/node-api";
import assert from "node:assert/strict";
import { join } from "node:path";
import { startS3Server } from "../../../embedded/s3_server.ts";
import { fetchHttpfs, HTTPFS_VERSION } from "../../../lib/duckdb/httpfs.ts";
import { openZone } from "../../../lib/zone/zone.ts";
import { inFolder } from "../../harness/in_folder.ts";
import { bytesOf } from "../zone/zone_cases.ts";

Deno.test("fetchHttpfs() fetches the version that fits the DuckDB in use", () => {
  assert.equal(HTTPFS_VERSION, version());
});

Deno.test("fetchHttpfs() fetches an extension that DuckDB loads and reads S3 with", () =>
  inFolder(async (folder) => {
    await using server = await startS3Server({ buckets: ["bucket"] });
    const zone = openZone("s3://bucket/zone", {
      s3: {
        region: "eu-west-2",
        endpoint: server.endpoint,
        accessKeyId: "demo",
        secretAccessKey: "demo",
      },
    });
    await zone.put("t/a.csv", bytesOf('id,name\n1,""\n2,\n'));
    zone.close();

    await fetchHttpfs(folder);
    const duckdb = await DuckDBInstance.create(":memory:", {
      extension_directory: folder,
    });
    const connection = await duckdb.connect();
    await connection.run("load httpfs");
    await connection.run(`create secret (
      type s3, provider config, key_id 'demo', secret 'demo',
      region 'eu-west-2', endpoint '${new URL(server.endpoint).host}',
      url_style 'path', use_ssl false)`);
    const rows = await connection.runAndReadAll(`select * from read_csv(
      's3://bucket/zone/t/a.csv', auto_detect = false, header = true,
      columns = {id: 'integer', name: 'varchar'}, allow_quoted_nulls = false)`);
    connection.closeSync();
    duckdb.closeSync();

    assert.deepEqual(rows.getRows(), [[1, ""], [2, null]]);
  }));

Deno.test("fetchHttpfs() keeps an extension that is already there", () =>
  inFolder(async (folder) => {
    const platform = "linux_arm64";
    const place = join(folder, HTTPFS_VERSION, platform);
    await Deno.mkdir(place, { recursive: true });
    await Deno.writeTextFile(join(place, "httpfs.duckdb_extension"), "there");

    const path = await fetchHttpfs(folder, { platform });

    assert.equal(await Deno.readTextFile(path), "there");
  }));

Deno.test("fetchHttpfs() refuses a platform without an extension", () =>
  inFolder(async (folder) => {
    await assert.rejects(fetchHttpfs(folder, { platform: "plan9_mips" }), {
      name: "StageError",
      subject: "httpfs",
      message:
        "Cannot fetch DuckDB's httpfs extension: there is none for plan9_mips",
    });
  }));

Deno.test("fetchHttpfs() refuses an archive that is not the pinned one", async (test) => {
  const answers = [
    { answer: () => new Response("other bytes"), found: /its sha256 is / },
    { answer: () => new Response("", { status: 403 }), found: /HTTP 403$/ },
  ];
  const platform = "linux_amd64";
  for (const { answer, found } of answers) {
    await test.step(String(found), () =>
      inFolder(async (folder) => {
        const fetched = globalThis.fetch;
        globalThis.fetch = () => Promise.resolve(answer());
        try {
          await assert.rejects(fetchHttpfs(folder, { platform }), {
            name: "StageError",
            subject: "httpfs",
            message: found,
            retryable: true,
          });
        } finally {
          globalThis.fetch = fetched;
        }

        const place = join(folder, HTTPFS_VERSION, platform);
        assert.deepEqual(await Array.fromAsync(Deno.readDir(place)), []);
      }));
  }
});
