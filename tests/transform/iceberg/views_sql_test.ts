import assert from "node:assert/strict";
import { tableFields } from "../../../transform/iceberg/table_schema.ts";
import { modelViewsSql } from "../../../transform/iceberg/views_sql.ts";

Deno.test("a model's views have its names, quoted, and columns that Iceberg has", () => {
  const fields = tableFields([
    { name: 'Key "Ä"', type: "INTEGER" },
    { name: "order", type: "VARCHAR" },
    { name: "tags", type: "VARCHAR[]" },
  ]);

  const sql = modelViewsSql({ name: "dim odd", key: ['Key "Ä"'] }, fields);

  assert.match(sql, /create or replace view "dim odd_history" as/);
  assert.match(sql, /partition by "Key ""Ä"""\n/);
  assert.match(sql, /create or replace view "dim odd_current" as/);
  assert.match(sql, /^ {4}"order",$/m);
  assert.doesNotMatch(sql, /tags/);
});

Deno.test("a model whose key Iceberg lacks has no views", () => {
  const fields = tableFields([{ name: "id", type: "UBIGINT" }]);

  const sql = modelViewsSql({ name: "dim_large", key: ["id"] }, fields);

  assert.equal(
    sql,
    '-- dim_large has no views: Iceberg lacks the type of its key "id".\n',
  );
});
