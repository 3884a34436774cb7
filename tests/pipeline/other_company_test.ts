import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { query } from "../../lib/postgres/postgres.ts";
import {
  type ProjectSql,
  readProjectSql,
} from "../../lib/project/project_sql.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";

const SQL = readProjectSql(
  fileURLToPath(new URL("../harness/companies/other_company", import.meta.url)),
);
const SOURCE = `
  create table stock (warehouse_code varchar(20), item_number integer,
    quantity smallint not null, primary key (warehouse_code, item_number));
  create table item (sku varchar primary key, title text, details jsonb);
  create table reading (reading_id bigint, taken_on date not null,
    taken_at timestamptz not null, amount numeric(10,4),
    primary key (reading_id, taken_on)) partition by range (taken_on);
  create table reading_2023 partition of reading
    for values from ('2023-01-01') to ('2024-01-01');
  create table reading_later partition of reading default;`;

/** The same with a key that is one date. */
const DATED_SQL: ProjectSql = {
  ...SQL,
  tables: SQL.tables.map((table) =>
    table.name === "reading" ? { ...table, key: ["taken_on"] } : table
  ),
  models: SQL.models.map((model) =>
    model.name === "fact_reading" ? { ...model, key: ["taken_on"] } : model
  ),
};
const DATED_SOURCE = SOURCE.replace("(reading_id, taken_on)", "(taken_on)")
  .replace("reading_id bigint", "reading_id bigint not null");

/** Fails unless the source and the warehouse hold the same. */
async function assertSame(platform: Platform): Promise<void> {
  const pairs = [
    ["stock", "fact_stock", "warehouse_code, item_number, quantity"],
    ["reading", "fact_reading", "reading_id, taken_on, amount"],
    ["item", "dim_item", "sku, title, details"],
  ];
  for (const [table = "", model = "", columns = ""] of pairs) {
    const read = async (client: Platform["source"]["client"], from: string) =>
      (await query(
        client,
        `select md5(string_agg(line, e'\\n' order by line)) as digest,
          count(*) as rows
        from (select (row(${columns}))::text as line from ${from}) as lines`,
      ))[0];
    assert.deepEqual(
      await read(platform.warehouse.client, `${model} where to_batch is null`),
      await read(platform.source.client, table),
      table,
    );
  }
}

Deno.test("the pipeline serves another company by its SQL alone", async () => {
  await using platform = await openPlatform({ sql: SQL, sourceSql: SOURCE });
  const { client } = platform.source;
  await execute(
    client,
    `insert into stock select 'w|' || n % 7, n, n % 100
    from generate_series(-300, 3000) as n`,
    `insert into item select 'sku "' || n || ''', \\', 'title ' || n,
      jsonb_build_object('n', n) from generate_series(1, 300) as n`,
    `insert into reading select n, date '2023-01-01' + n, now(), n / 7.0
    from generate_series(1, 700) as n`,
  );
  await platform.run();
  await assertSame(platform);

  await execute(
    client,
    "delete from stock where item_number in (-300, 17, 1999)",
    "update stock set quantity = 101 where item_number between 5 and 9",
    "insert into stock values ('new, \"one\"', 1, 1)",
    "delete from item where sku like '%33%'",
    "update item set details = '{}' where sku like '%44%'",
    "delete from reading where reading_id in (1, 699)",
    "insert into reading values (5000, '2030-01-01', now(), null)",
  );
  await platform.run();
  await assertSame(platform);

  await execute(
    client,
    "insert into stock select 'w|' || n % 7, n, 1 from generate_series(17, 17) as n",
    "alter table reading detach partition reading_2023",
    "alter table reading attach partition reading_2023 for values from ('2023-01-01') to ('2024-01-01')",
    "update item set title = null",
  );
  await platform.run();
  await assertSame(platform);
});

Deno.test("extract() reads the keys of integer buckets with gaps", async () => {
  await using platform = await openPlatform({
    sql: SQL,
    sourceSql: SOURCE.replace(
      "sku varchar primary key",
      "sku text primary key",
    ),
  });
  const { client } = platform.source;
  await execute(
    client,
    `insert into stock select 'a', n * 3, 0 from generate_series(1, 20000) as n`,
  );
  await platform.run();
  await execute(
    client,
    "delete from stock where item_number in (3, 49152, 49155, 60000)",
    "insert into stock values ('a', 49153, 1)",
  );
  await platform.run();
  await assertSame(platform);
});

for (
  const [kind, sql, sourceSql, rowKey] of [
    ["one column", DATED_SQL, DATED_SOURCE, "0044-03-15 BC"],
    ["two columns", SQL, SOURCE, "[6, 0044-03-15 BC]"],
  ] as const
) {
  Deno.test(`a key of ${kind} with an invalid value is quarantined alone`, async () => {
    await using platform = await openPlatform({ sql, sourceSql });
    const { client } = platform.source;
    const quarantined = async () =>
      (await query(
        platform.warehouse.client,
        "select row_key from quarantine where to_batch is null",
      )).map((row) => row.row_key);
    await execute(
      client,
      `insert into reading select n, date '2023-05-01' + n, now(), 1
      from generate_series(1, 5) as n`,
      "insert into reading values (6, '0044-03-15 BC', now(), 1)",
    );
    await platform.run();
    assert.deepEqual(await quarantined(), [rowKey]);

    await execute(client, "delete from reading where reading_id = 6");
    await platform.run();

    assert.deepEqual(await quarantined(), []);
    await assertSame(platform);
  });
}
