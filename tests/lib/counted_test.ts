import assert from "node:assert/strict";
import { counted } from "../../lib/counted.ts";
import { openLog } from "../../lib/log.ts";

Deno.test("counted() puts noun and verb into the singular for 1 only", () => {
  const words = ["rows are late", "batches", "keys occur twice", "rowsize"];
  assert.deepEqual(words.map((one) => counted(1, one)), [
    "1 row is late",
    "1 batch",
    "1 key occurs twice",
    "1 rowsize",
  ]);
  assert.deepEqual(words.map((one) => counted("0", one)), [
    "0 rows are late",
    "0 batches",
    "0 keys occur twice",
    "0 rowsize",
  ]);
});

Deno.test("log lines agree with the numbers in them", async () => {
  const lines: string[] = [];
  const log = await openLog({
    json: true,
    color: false,
    write: (line) => lines.push(JSON.parse(line).message),
  });

  for (const rows of [1, 11]) {
    log.info("batch {batch}: {rows} rows in {files} models, {what} rows", {
      batch: 1,
      rows,
      files: 1,
      what: "1 row and 1",
    });
  }

  assert.deepEqual(lines, [
    "batch 1: 1 row in 1 model, 1 row and 1 rows",
    "batch 1: 11 rows in 1 model, 1 row and 1 rows",
  ]);
});
