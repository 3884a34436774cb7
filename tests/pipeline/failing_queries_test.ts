import assert from "node:assert/strict";
import { execute, openPlatform } from "../harness/platform.ts";
import {
  dimensionSql,
  smallProject,
} from "../harness/companies/small_project.ts";
import { joinedProject, rowsOf, SOURCE } from "./joined_items.ts";

Deno.test("a row model that multiplies its rows by a list of values is refused", async () => {
  const sql = await smallProject({
    source: SOURCE,
    models: [{
      name: "dim_item",
      key: ["item_id"],
      sql: `select item_id, name from changed.item left join
        (values ('a', 'A'), ('twice', 'B'), ('twice', 'C')) as codes (code, name)
        on codes.code = item.code`,
    }],
    warehouse: dimensionSql(
      "dim_item",
      "item_id integer primary key, name text",
    ),
  });
  await using platform = await openPlatform({ sql, sourceSql: SOURCE });
  const { client } = platform.source;
  await execute(client, "insert into item values (1, 'a'), (2, 'x')");
  await platform.run();
  await execute(client, "update item set code = 'twice' where item_id = 1");
  await platform.extract();

  await assert.rejects(platform.transform(), {
    message:
      'Cannot make "dim_item" in batch 2: 1 key occurs more than once; the first is 1, 2 times',
  });

  await execute(client, "update item set code = null where item_id = 1");
  await platform.run();
  assert.deepEqual(
    await rowsOf(platform, "select item_id, name from dim_item"),
    ["(1,)", "(2,)"],
  );
});

for (const derivation of ["row", "join"] as const) {
  Deno.test(`a ${derivation} model whose query failed at a row continues after the repair`, async () => {
    const schema = derivation === "row" ? "changed" : "current";
    await using platform = await openPlatform({
      sourceSql: SOURCE,
      sql: await smallProject({
        source: SOURCE,
        models: [{
          name: "dim_item",
          key: ["item_id"],
          derivation,
          sql:
            `select item_id, cast(code as integer) as number from ${schema}.item`,
        }],
        warehouse: dimensionSql(
          "dim_item",
          "item_id integer primary key, number integer",
        ),
      }),
    });
    const { client } = platform.source;
    await execute(client, "insert into item values (1, '10'), (2, '20')");
    await platform.run();
    await execute(
      client,
      "update item set code = 'no' where item_id = 1",
      "insert into item values (3, '30')",
    );
    await platform.extract();

    await assert.rejects(platform.transform(), {
      subject: "dim_item",
      message: /^Cannot make "dim_item" in batch 2: its query failed at a row/,
      dataCheck: true,
      retryable: false,
    });

    await execute(client, "update item set code = '11' where item_id = 1");
    await platform.extract(derivation === "row" ? { fullRead: ["item"] } : {});
    await platform.transform();
    await platform.load();
    assert.deepEqual(
      await rowsOf(
        platform,
        "select item_id, number from dim_item where to_batch is null",
      ),
      ["(1,11)", "(2,20)", "(3,30)"],
    );
  });
}

Deno.test("a quarantine rule that gives no reason still quarantines its row", async () => {
  await using platform = await openPlatform({
    sourceSql: SOURCE,
    sql: {
      ...await joinedProject(),
      quarantine: new Map([[
        "item",
        "select item_id, 'note is ' || note as reason from arrived.item where code is null",
      ]]),
    },
  });
  await execute(
    platform.source.client,
    "insert into item values (1, 'a', 'x'), (2, null, null)",
  );

  await platform.run();

  assert.deepEqual(
    await rowsOf(
      platform,
      "select row_key, reason from quarantine where to_batch is null",
    ),
    ['(2,"sql/quarantine/item.sql gives no reason")'],
  );
});
