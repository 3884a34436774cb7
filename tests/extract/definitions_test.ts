import assert from "node:assert/strict";
import { redefinedColumn } from "../../extract/definitions.ts";

const BEFORE = ["mood label 1 aa", "mood label 2 bb", "pair attributes 7 1:23"];

for (
  const [name, before, now, column] of [
    ["nothing", BEFORE, BEFORE, undefined],
    [
      "a label that is added",
      BEFORE,
      [...BEFORE, "mood label 3 cc"],
      undefined,
    ],
    ["a label that is renamed", BEFORE, [
      "mood label 1 ab",
      ...BEFORE.slice(1),
    ], "mood"],
    ["an attribute that is added", BEFORE, [
      ...BEFORE.slice(0, 2),
      "pair attributes 7 1:23 2:25",
    ], "pair"],
    ["a cast that is made", BEFORE, [...BEFORE, "mood cast 9 dd"], "mood"],
    ["what no manifest kept", undefined, BEFORE, undefined],
    [
      "money from before its setting was pinned",
      undefined,
      ["price setting lc_monetary"],
      "price",
    ],
  ] as const
) {
  Deno.test(`redefinedColumn() is ${column ?? "none"} for ${name}`, () => {
    assert.equal(redefinedColumn(before, now), column);
  });
}
