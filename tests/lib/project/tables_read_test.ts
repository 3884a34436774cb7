import assert from "node:assert/strict";
import {
  tablesRead,
  withoutComments,
} from "../../../lib/project/tables_read.ts";

for (
  const [sql, tables] of [
    ["select * from changed.a, changed.b join changed.a as c", ["a", "b"]],
    ['select * from CURRENT.A join "current"."b" using (id)', ["a", "b"]],
    ["select 1 -- from changed.a\nfrom changed.b", ["b"]],
    ["select 1 /* from changed.a */ from changed /* x */ . -- y\n b", ["b"]],
    [
      "select 1 /* one /*/ two **/ from changed.a */ from changed.b /* changed.c",
      ["b", "c"],
    ],
    ["select 'from changed.a', 'it''s changed.a' from changed.b", ["b"]],
    [
      "select e'\\' changed.a', $$ changed.a $$, $x$ changed.a $x$ from changed.b",
      ["b"],
    ],
    [
      "select $t1$ changed.a $$ $t1$, $1$changed.b, $été_2$ changed.c $été_2$",
      ["b"],
    ],
    ["select other.changed.a from arrived.b", ["b"]],
    ["select changed.id from x as changed", ["id"]],
    ["select 1", []],
  ] as const
) {
  Deno.test(`tablesRead() finds ${tables.join(", ") || "none"} in: ${sql}`, () => {
    assert.deepEqual(tablesRead(sql), tables);
  });
}

Deno.test("withoutComments() leaves out comments with others in them", () => {
  assert.equal(
    withoutComments("select /* a /* b */ ; 'c /* d */ */ 1 /**//***/ as x"),
    "select 1 as x",
  );
});

Deno.test("withoutComments() leaves texts in dollar quotes as they are", () => {
  assert.equal(
    withoutComments("select $t1$ -- a\n$t1$, $$ /* b */ $$ -- c"),
    "select $t1$ -- a\n$t1$, $$ /* b */ $$",
  );
});
