import assert from "node:assert/strict";
import { connect } from "../../../lib/postgres/connect.ts";
import { query } from "../../../lib/postgres/postgres.ts";
import { addPlaceholders } from "../../../load/references/add_placeholders.ts";
import { verify } from "../../../verify/verify.ts";
import { execute, openPlatform } from "../../harness/platform.ts";
import { openTestDatabase } from "../../harness/servers/postgres.ts";
import { differences } from "../../harness/repair.ts";
import {
  HISTORY_SQL,
  smallProject,
} from "../../harness/companies/small_project.ts";

Deno.test("addPlaceholders() inserts a flagged row for each missing key", async () => {
  await using database = await openTestDatabase();
  await database.client.query(
    `create table dim_place (place_id integer primary key, name text,
      is_placeholder boolean not null default false);
    insert into dim_place values (1, 'Leeds');
    create table moved (id integer, from_place integer, to_place integer,
      is_delete boolean);
    insert into moved values (1, 1, 2, false), (2, 2, 3, false),
      (3, null, 3, false), (4, 9, 9, true)`,
  );
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  const { client } = connection;
  const reference = (column: string) => ({
    column,
    dimension: "dim_place",
    dimensionKey: "place_id",
  });

  await addPlaceholders(client, {
    references: [reference("from_place"), reference("to_place")],
  }, { from: "moved", where: "not referring.is_delete" });

  assert.deepEqual(
    await query(client, "select * from dim_place order by place_id"),
    [
      { place_id: "1", name: "Leeds", is_placeholder: "f" },
      { place_id: "2", name: null, is_placeholder: "t" },
      { place_id: "3", name: null, is_placeholder: "t" },
    ],
  );
});

Deno.test("load() numbers versions in the order of the lake's keys, whatever types they have in the warehouse", async () => {
  const source = `create table sale (
    sale_id integer not null,
    amount integer,
    primary key (sale_id)
);
`;
  await using platform = await openPlatform({
    sql: await smallProject({
      source,
      models: [{
        name: "fact_sale",
        key: ["sale_id"],
        kind: "fact",
        sql: "select sale_id, amount from changed.sale",
      }],
      warehouse: `create table fact_sale (sale_record_id bigint primary key,
          sale_id text not null, amount integer, ${HISTORY_SQL});
        create unique index on fact_sale (sale_id) where to_batch is null;
        create unique index on fact_sale (sale_id, from_batch);`,
    }),
    sourceSql: source,
  });
  const { client } = platform.source;
  await execute(client, "insert into sale values (8, 1), (11, 1)");
  await platform.run();
  await execute(
    client,
    "insert into sale values (9, 1), (10, 1), (100, 1)",
    "delete from sale where sale_id = 8",
    "update sale set amount = 2 where sale_id = 11",
  );
  platform.set({ deleteShareMax: 1 });
  await platform.run();

  assert.deepEqual(
    await query(
      platform.warehouse.client,
      "select sale_record_id::text as number, sale_id, amount::text from fact_sale order by 1",
    ),
    [
      { number: "1", sale_id: "8", amount: "1" },
      { number: "2", sale_id: "11", amount: "1" },
      { number: "3", sale_id: "9", amount: "1" },
      { number: "4", sale_id: "10", amount: "1" },
      { number: "5", sale_id: "11", amount: "2" },
      { number: "6", sale_id: "100", amount: "1" },
    ],
  );
  assert.deepEqual(differences(await verify(platform.context)), []);
});
