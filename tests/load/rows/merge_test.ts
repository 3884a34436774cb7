import assert from "node:assert/strict";
import { connect } from "../../../lib/postgres/connect.ts";
import { query } from "../../../lib/postgres/postgres.ts";
import { addPlaceholders } from "../../../load/rows/merge.ts";
import { openTestDatabase } from "../../harness/postgres.ts";

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
