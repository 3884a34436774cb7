import assert from "node:assert/strict";
import { trinoProblem, trinoSql } from "../../../transform/engine/trino_sql.ts";
import { PROJECT_SQL } from "../../harness/platform.ts";

const named = (schema: string, table: string) => `t.${schema}_${table}`;

Deno.test("trinoProblem() finds no problem in the project's own models", () => {
  for (const { name, sql } of PROJECT_SQL.models) {
    assert.equal(trinoProblem(sql), undefined, name);
  }
});

for (
  const [sql, found] of [
    ["select upper(a) as a from changed.t", "upper() was not tried in Trino"],
    ["select a / b as c from changed.t", '"/" is not in the SQL'],
    [
      "select date_diff('month', a, b) as c from changed.t",
      "date_diff() in another unit than 'day' was not tried",
    ],
    ["select cast(a as decimal) as a from changed.t", "a cast to decimal"],
    ["select cast(a as varchar(3)) as a from changed.t", "varchar with a"],
    ["select e'\\n' as a from changed.t", "a string with escapes"],
    ["select 1e5 as a from changed.t", "a number with an exponent"],
  ]
) {
  Deno.test(`trinoProblem() refuses ${sql}`, () => {
    assert.match(
      trinoProblem(sql ?? "") ?? "",
      new RegExp(`^line 1: .*${RegExp.escape(found ?? "")}`),
    );
  });
}

Deno.test("trinoSql() reads the tables under their other names", () => {
  assert.equal(
    trinoSql(
      `select changed.a -- from changed.b
      from changed."Sales ""Order" as changed join CURRENT.staff on true`,
      named,
    ),
    `select t.changed_a from t.changed_Sales "Order as changed join t.current_staff on true`,
  );
});

Deno.test("trinoSql() keeps the microseconds of times", () => {
  assert.equal(
    trinoSql("select cast(a as time) as b, cast(c as Timestamp) as d", named),
    "select cast(regexp_extract(cast(a as varchar), '[^ ]+$') as time(6)) as b , cast(c as Timestamp(6)) as d",
  );
});

Deno.test("trinoSql() counts days between dates", () => {
  assert.equal(
    trinoSql("select date_diff('day', min(a, b), c) % 7 as d", named),
    "select date_diff('day', cast(min ( a , b ) as date), cast(c as date)) % 7 as d",
  );
});

Deno.test("trinoSql() writes a time as text without zeros at its end", () => {
  const sql = trinoSql("select cast(cast(a as time) as varchar) as b", named);

  assert.match(
    sql,
    /when typeof\(cast\(regexp_extract\(.* as time\(6\)\)\) like 'time\(%' then regexp_replace/,
  );
});
