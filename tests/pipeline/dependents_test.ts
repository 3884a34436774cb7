import assert from "node:assert/strict";
import { query, queryRow, serverName } from "../../lib/postgres/postgres.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { resyncTables } from "../../load/repair/resync_tables.ts";
import { verify } from "../../verify/verify.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { differences } from "../harness/repair.ts";
import {
  dimensionSql,
  HISTORY_SQL,
  smallProject,
} from "../harness/companies/small_project.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

/** What others may make that depends on our tables, and a proof of it. */
const DEPENDENTS: Readonly<Record<string, readonly string[]>> = {
  "a view that groups by a primary key": [
    `create view report as select dim_staff.staff_id, last_name, count(*)
    from dim_staff inner join fact_sales_order
      on sales_staff_id = dim_staff.staff_id
    group by dim_staff.staff_id`,
  ],
  "a materialized view that groups by one": [
    `create materialized view report as
    select design_id, design_name, count(*) from dim_design group by design_id`,
  ],
  "a foreign key from a table of others": [
    `create table note (staff_id integer references dim_staff, text text)`,
    `create table score (sales_record_id bigint
      references fact_sales_order on delete cascade)`,
  ],
  "a replica identity, a cluster and a comment": [
    `create unique index ours on dim_design (design_id)`,
    `alter table dim_design replica identity using index ours`,
    `alter table dim_currency cluster on dim_currency_pkey`,
    `comment on constraint dim_staff_pkey on dim_staff is 'Ours'`,
    `comment on constraint fact_payment_currency_id_fkey on fact_payment
      is 'Ours too'`,
  ],
  "a publication, a trigger and an exclusion constraint": [
    `create publication ours_NAME for table dim_design, fact_payment`,
    `create function see() returns trigger language plpgsql
      as 'begin return new; end'`,
    `create trigger see before insert or update on dim_staff
      for each row execute function see()`,
    `alter table dim_location
      add constraint once exclude using btree (location_id with =)`,
  ],
};

for (const [name, statements] of Object.entries(DEPENDENTS)) {
  Deno.test(`first load, next ones, rebuild and resync leave ${name} in place`, async () => {
    await using platform = await openPlatform();
    const { source, warehouse, context } = platform;
    const { client } = warehouse;
    await fillSmall(source.client);
    const own = statements.map((sql) =>
      sql.replace("NAME", warehouse.settings.database)
    );
    await execute(client, ...own);
    const objects = () =>
      query(
        client,
        `select 'constraint' as kind, conrelid::regclass || ' ' || conname as name,
          coalesce(obj_description(oid, 'pg_constraint'), '') as comment
        from pg_constraint where contype <> 'n'
        union all
        select 'index', indexrelid::regclass::text,
          concat(indisreplident, indisclustered) from pg_index
        inner join pg_class on pg_class.oid = indrelid
        where relnamespace = 'public'::regnamespace
        union all
        select 'relation', oid::regclass::text, relkind::text from pg_class
        where relnamespace = 'public'::regnamespace
        order by 1, 2`,
      );
    const before = await objects();

    await platform.run();

    assert.deepEqual(await objects(), before);
    await execute(source.client, insertOrder(30));
    await platform.run();
    await execute(
      client,
      "update dim_staff set last_name = 'Wrong' where staff_id = 1",
      "update dim_design set design_name = 'Wrong'",
    );
    await rebuildWarehouse(context);
    await resyncTables(context, { tables: ["design", "staff"] });
    await assertMirrored(platform);
    assert.deepEqual(await objects(), before);
  });
}

Deno.test("a surplus row that others refer to becomes a placeholder", async () => {
  await using platform = await openPlatform();
  const { client } = platform.warehouse;
  await fillSmall(platform.source.client);
  await platform.run();
  await execute(
    client,
    "create table note (staff_id integer references dim_staff)",
    "insert into dim_staff (staff_id, last_name) values (77, 'Unknown'), (78, 'Unknown')",
    "insert into note values (77)",
  );

  await rebuildWarehouse(platform.context);

  const { rows } = await client.query(
    `select staff_id, last_name, is_placeholder from dim_staff
    where staff_id > 70`,
  );
  assert.deepEqual(rows, [
    { staff_id: 77, last_name: null, is_placeholder: true },
  ]);
});

for (
  const [whose, domain, name] of [
    ["its columns", "", "text not null default 'Unknown'"],
    [
      "its columns' domains",
      "create domain label as text default 'Unknown';",
      "label",
    ],
  ] as const
) {
  Deno.test(`a placeholder keeps the defaults that ${whose} have in the warehouse`, async () => {
    const source = `create table item (
    item_id integer not null,
    name text not null,
    primary key (item_id)
);
create table sale (
    sale_id integer not null,
    item_id integer,
    primary key (sale_id)
);
`;
    await using platform = await openPlatform({
      sql: await smallProject({
        source,
        models: [
          {
            name: "dim_item",
            key: ["item_id"],
            sql: "select item_id, name from changed.item",
          },
          {
            name: "fact_sale",
            kind: "fact",
            key: ["sale_id"],
            sql: "select sale_id, item_id from changed.sale",
          },
        ],
        warehouse: `${domain} ${
          dimensionSql("dim_item", `item_id integer primary key, name ${name}`)
        }
      create table fact_sale (sale_record_id bigint primary key,
        sale_id integer not null, item_id integer references dim_item,
        ${HISTORY_SQL});
      create unique index on fact_sale (sale_id) where to_batch is null;
      create unique index on fact_sale (sale_id, from_batch);`,
      }),
      sourceSql: source,
    });
    const { source: { client }, warehouse, context } = platform;
    await execute(client, "insert into sale values (1, 1), (2, 2)");
    await platform.run();
    const items = async () =>
      (await warehouse.client.query(
        "select item_id, name, is_placeholder from dim_item order by item_id",
      )).rows;
    const unknown = { name: "Unknown", is_placeholder: true };
    const right = [{ item_id: 1, ...unknown }, { item_id: 2, ...unknown }];
    assert.deepEqual(await items(), right);
    await execute(
      warehouse.client,
      "update dim_item set is_placeholder = false, from_batch = 1 where item_id = 1",
    );

    assert.equal((await rebuildWarehouse(context)).repaired.dim_item, 1);

    assert.deepEqual(await items(), right);
    assert.deepEqual(differences(await verify(context)), []);
  });
}

Deno.test("an error names the rows that refer to a row, and is not retryable", async () => {
  await using platform = await openPlatform();
  const { client } = platform.warehouse;
  await fillSmall(platform.source.client);
  await platform.run();
  await execute(
    client,
    "create table score (id bigint references fact_sales_order)",
    `insert into fact_sales_order
    select 900, 90, created_date, created_time, last_updated_date,
      last_updated_time, sales_staff_id, counterparty_id, 1, unit_price,
      currency_id, design_id, agreed_payment_date, agreed_delivery_date,
      agreed_delivery_location_id, valid_from, valid_to, from_batch, to_batch
    from fact_sales_order where sales_order_id = 1`,
    "insert into score values (900)",
  );

  await assert.rejects(rebuildWarehouse(platform.context), {
    name: "StageError",
    message: /violates foreign key.*is still referenced from table "score"/,
    retryable: false,
  });

  const row = await queryRow(
    client,
    "select sum(units_sold) from score " +
      "inner join fact_sales_order on sales_record_id = id",
  );
  assert.equal(row.sum, "1");
});

Deno.test("a reload deletes dependent rows only with --allow-cascade", async () => {
  await using platform = await openPlatform();
  const { logged, context, warehouse } = platform;
  const { client } = warehouse;
  await fillSmall(platform.source.client);
  await platform.run();
  const reference = "id bigint references fact_sales_order";
  await execute(
    client,
    `create table score (${reference} on delete cascade, unique (id))`,
    "create table score_note (id bigint references score (id) on delete cascade)",
    `create table mark (${reference} on delete set null)`,
    `create table unused (${reference} on delete cascade)`,
    `create table patient (${reference} deferrable initially deferred)`,
    ...["score", "score_note", "mark", "patient"].map((table) =>
      `insert into ${table} values (1), (2)`
    ),
  );
  await rebuildWarehouse(context);
  const warnings = () => logged.filter((line) => line.startsWith("warn"));
  assert.deepEqual(warnings(), []);
  const held = () =>
    queryRow(
      client,
      `select (select string_agg(id::text, ' ') from score) as score,
        (select string_agg(id::text, ' ') from score_note) as score_note,
        (select string_agg(id::text, ' ') from mark) as mark,
        (select string_agg(id::text, ' ' order by id) from patient) as patient,
        (select to_batch from fact_sales_order where sales_record_id = 1)`,
    );

  await execute(
    client,
    `update fact_sales_order set to_batch = 9, valid_to = now()
    where sales_record_id = 1`,
  );
  const before = await held();
  const followers =
    "mark (on delete set null): 1 row, score (on delete cascade): 1 row, score_note (on delete cascade): 1 row";
  const refused = {
    message: `Cannot reload ${
      serverName(warehouse.settings)
    }: rows would be deleted, and with them rows that refer to them in ${followers}`,
    hint:
      "Declare these references `deferrable initially deferred` without `on delete`, and they stay; or run it once with --allow-cascade to lose them",
    retryable: false,
  };
  const tables = ["sales_order"];
  await assert.rejects(rebuildWarehouse(context), refused);
  await assert.rejects(resyncTables(context, { tables }), refused);
  assert.deepEqual(await held(), before);

  await resyncTables(context, { tables, allowCascade: true });

  assert.deepEqual(warnings(), [
    `warning: rows are deleted, and with them rows that refer to them in ${followers}`,
  ]);
  assert.deepEqual({ ...await held() }, {
    score: "2",
    score_note: "2",
    mark: "2",
    // The row that took its place has its number.
    patient: "1 2",
    to_batch: null,
  });
});

Deno.test("a row that others refer to by two columns becomes a placeholder, and no row is deleted with it", async () => {
  const source = `create table place (country text not null, code text not null,
    name text, primary key (country, code));`;
  const sql = await smallProject({
    source,
    models: [{
      name: "dim_place",
      key: ["country", "code"],
      sql: "select country, code, name from changed.place",
    }],
  });
  await using platform = await openPlatform({ sql, sourceSql: source });
  const { client } = platform.warehouse;
  await execute(
    platform.source.client,
    "insert into place values ('A', 'x', 'X')",
  );
  await platform.run();
  await execute(
    client,
    `create table visit (country text, code text,
      foreign key (country, code) references dim_place on delete cascade)`,
    `insert into dim_place (country, code, name)
    values ('B', 'x', 'Unknown'), ('B', 'y', 'Unknown')`,
    "insert into visit values ('B', 'y')",
  );

  await rebuildWarehouse(platform.context);

  assert.deepEqual(
    (await query(
      client,
      "select country, code, is_placeholder::text from dim_place order by 1, 2",
    )).map((row) => ({ ...row })),
    [
      { country: "A", code: "x", is_placeholder: "false" },
      { country: "B", code: "y", is_placeholder: "true" },
    ],
  );
  const { visits } = await queryRow(
    client,
    "select count(*) as visits from visit",
  );
  assert.equal(visits, "1");
});
