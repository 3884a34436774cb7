import assert from "node:assert/strict";
import { unzipSync } from "fflate";
import {
  denoLayer,
  duckdbLayer,
  functionEntries,
  FUNCTIONS,
} from "../../package/functions.ts";
import { zipEntries } from "../../package/zip_entries.ts";
import { modesOf } from "../../package/unzip.ts";

const CACHE = new URL("../../.package", import.meta.url).pathname;

Deno.test("the same function is zipped into the same bytes", async () => {
  const first = await zipEntries(await functionEntries("extract"));
  const reversed = new Map([...await functionEntries("extract")].reverse());

  const second = await zipEntries(reversed);

  assert.deepEqual(second, first);
});

Deno.test("a function's zip holds the files it needs, and its bootstrap is executable", async () => {
  for (const [name, { usesDuckDb }] of Object.entries(FUNCTIONS)) {
    const zip = await zipEntries(await functionEntries(name));

    const files = unzipSync(zip);

    assert.ok(`${name}/lambda.js` in files, name);
    assert.ok("sql/models/fact_payment.sql" in files, name);
    assert.equal(
      "node_modules/@duckdb/node-bindings/index.js" in files,
      usesDuckDb,
    );
    assert.deepEqual(modesOf(zip).get("bootstrap"), 0o755);
    assert.deepEqual(modesOf(zip).get(`${name}/lambda.js`), 0o644);
  }
});

Deno.test("the layers hold native programs of each processor", async () => {
  const machines = { x86_64: 62, arm64: 183 };
  for (const architecture of ["x86_64", "arm64"] as const) {
    const layers = [
      ...await denoLayer(architecture, CACHE),
      ...await duckdbLayer(architecture, CACHE),
    ];
    for (const [path, { from }] of layers) {
      if (typeof from !== "string") continue;
      using file = await Deno.open(from);
      const head = new Uint8Array(20);
      await file.read(head);
      assert.deepEqual([...head.subarray(1, 4)], [
        ...new TextEncoder().encode("ELF"),
      ]);
      assert.equal(head[18], machines[architecture], path);
    }
    assert.equal(layers.length, 4);
  }
});
