import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { join } from "node:path";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { SERVED_FILES } from "../../visualise/http/served_files.ts";

const BYTES_MAX = 150_000;

Deno.test("the page's scripts are under 150 KB compressed, and all are preloaded", async () => {
  const scripts = SERVED_FILES.filter(({ file }) => file.endsWith(".js"));
  const page = await Deno.readTextFile(
    join(platformDirectory(), "visualise/page/index.html"),
  );
  let bytes = 0;
  for (const { file, path } of scripts) {
    bytes += gzipSync(await Deno.readFile(join(platformDirectory(), file)))
      .byteLength;
    assert.ok(page.includes(`href="${path.slice(1)}"`) || path === "/app.js");
  }

  assert.ok(bytes > 10_000 && bytes < BYTES_MAX, `${bytes} bytes`);
});
