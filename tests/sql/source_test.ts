import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { StageDatabase } from "./stage_database.ts";

const SAMPLE = new URL("../../../shared/totesys/", import.meta.url);

Deno.test("source.sql makes eleven tables in DuckDB, money exact", async () => {
  await using database = await StageDatabase.open("source");

  const result = await database.connection.runAndReadAll(`
    select
      count(distinct table_name) as tables,
      count(*) filter (where data_type in ('FLOAT', 'DOUBLE')) as floats,
      string_agg(data_type, ' ' order by column_name)
        filter (where data_type like 'DECIMAL%') as money
    from information_schema.columns
    where table_schema = 'source'`);

  assert.deepEqual(result.getRowObjectsJson(), [{
    tables: "11",
    floats: "0",
    money: "DECIMAL(10,2) DECIMAL(15,2) DECIMAL(10,2)",
  }]);
});

Deno.test({
  name: "source.sql takes the sample of real data, column by column",
  ignore: !existsSync(SAMPLE),
  fn: async () => {
    await using database = await StageDatabase.open("source");
    const tables = await database.connection.runAndReadAll(
      "select table_name from information_schema.tables order by 1",
    );

    for (const [table] of tables.getRowsJson()) {
      const file = new URL(`${table}.csv`, SAMPLE).pathname;
      const header = Deno.readTextFileSync(file).split("\n")[0]?.split(",");
      await database.connection.run(
        `copy source."${table}" from '${file.replaceAll("'", "''")}'
          (format csv, header, auto_detect false)`,
      );
      const read = await database.connection.runAndReadAll(
        `from source."${table}"`,
      );
      assert.deepEqual(read.columnNames(), header);
      assert.ok(read.currentRowCount > 0);
    }
  },
});
