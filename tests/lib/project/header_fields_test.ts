import assert from "node:assert/strict";
import { listOf, readHeader } from "../../../lib/project/header_fields.ts";

Deno.test("listOf() reads names with commas and full stops in quotes", () => {
  assert.deepEqual(listOf("a, b. And so on, c."), ["a", "b"]);
  assert.deepEqual(listOf('"Line, no. 1", b.c, "x. y" -> dim_z.'), [
    "Line, no. 1",
    "b.c",
    '"x. y" -> dim_z',
  ]);
  assert.deepEqual(listOf('"a ""b"".", c.'), ['a "b".', "c"]);
  assert.deepEqual(listOf(""), []);
});

Deno.test("readHeader() reads the text before the fields, and fields of several lines", () => {
  const { about, fields } = readHeader(`-- Who
-- buys.
--
-- Key: a,
--   b.
-- Columns:
--   a: what a is
--      and was
select 1`);

  assert.equal(about, "Who buys.");
  assert.equal(fields.get("Key"), "a, b.");
  assert.match(fields.get("Columns") ?? "", /a: what a is\n\s+and was/);
});
