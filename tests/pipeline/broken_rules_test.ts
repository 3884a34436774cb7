import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { changedZones } from "../harness/changed_zone.ts";
import { processedManifest } from "../harness/manifests.ts";
import { openLake, zoneKeys } from "../harness/readers/oracle.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import {
  dimensionSql,
  projectOf,
  smallProject,
} from "../harness/companies/small_project.ts";
import { joinedProject, rowsOf, SOURCE } from "./joined_items.ts";

const ITEMS = "select item_id, title from dim_item where to_batch is null";
const NOTES =
  "select id, note, from_batch, to_batch from fact_note order by id, from_batch";

async function assertJoined(platform: Platform): Promise<void> {
  const truth = await query(
    platform.source.client,
    `select row_text::text as row_text from (select item_id, title from item
      left join label using (code)) as row_text order by 1`,
  );
  assert.deepEqual(
    await rowsOf(platform, ITEMS),
    truth.map((row) => row.row_text),
  );
  await using lake = await openLake(platform);
  assert.equal(
    (await lake.rows("from totes.dim_item_current")).length,
    truth.length,
  );
}

async function openJoined(): Promise<Platform> {
  const platform = await openPlatform({
    sql: await joinedProject(),
    sourceSql: SOURCE,
  });
  await execute(
    platform.source.client,
    "insert into item values (1, 'a', 'x'), (2, 'b', 'y'), (3, null, 'z')",
    "insert into label values (1, 'a', 'A'), (2, 'b', 'B')",
  );
  await platform.run();
  return platform;
}

for (
  const [what, breaks, message, repairs] of [
    [
      "another title",
      "insert into label values (3, 'a', 'Again')",
      /1 key occurs more than once; the first is 1, 2 times/,
      "delete from label where label_id = 1",
    ],
    [
      "the same title",
      "insert into label values (3, 'a', 'A')",
      /1 key occurs more than once; the first is 1, 2 times/,
      "update label set code = 'c' where label_id = 3",
    ],
    [
      "three more",
      "insert into label values (3, 'a', 'A'), (4, 'a', 'B'), (5, 'b', 'C')",
      /2 keys occur more than once; the first is 1, 3 times/,
      "delete from label where label_id > 2",
    ],
  ] as const
) {
  Deno.test(`a duplicate key in a join stops nothing once it is repaired: ${what}`, async () => {
    await using platform = await openJoined();
    const { client } = platform.source;
    await execute(
      client,
      breaks,
      "update item set note = 'n' where item_id = 1",
    );
    await platform.extract();
    const files = await zoneKeys(platform, "processedUrl");

    await assert.rejects(platform.transform(), {
      name: "StageError",
      message: new RegExp(
        `^Cannot make "dim_item" in batch 2: ${message.source}`,
      ),
      subject: "dim_item",
      dataCheck: true,
      hint: /Repair the rows in the source/,
    });
    // A batch that repairs nothing goes on to wait, and leaves no files.
    await execute(client, "insert into item values (9, 'b', 'w')");
    await platform.extract();
    await platform.extract();
    await assert.rejects(platform.transform(), /more than once/);
    assert.deepEqual(await zoneKeys(platform, "processedUrl"), files);

    await execute(
      client,
      repairs,
      "update item set note = 'm' where item_id = 1",
    );
    await platform.run();

    await assertJoined(platform);
    const postponed = await Promise.all(
      [2, 3, 4, 5].map(async (batch) =>
        (await processedManifest(platform, batch)).postponed
      ),
    );
    assert.deepEqual(postponed, [
      ["dim_item"],
      ["dim_item"],
      ["dim_item"],
      undefined,
    ]);
    assert.deepEqual((await rowsOf(platform, NOTES)).slice(0, 3), [
      "(1,m,5,)",
      "(1,n,2,5)",
      "(1,x,1,2)",
    ]);
    await execute(client, "update label set title = title || '!'");
    await platform.run();
    await assertJoined(platform);
  });
}

Deno.test("a batch that a later one repairs is completed also when the run dies between them", async () => {
  await using platform = await openJoined();
  const { client } = platform.source;
  await execute(
    client,
    "insert into label values (3, 'a', 'Again'), (4, 'z', 'Z')",
    "update item set code = 'z' where item_id = 3",
  );
  await platform.extract();
  await execute(client, "delete from label where label_id = 3");
  await platform.extract();
  const { context } = platform;
  const commits = { left: 1 };
  const { resources } = context;
  context.resources = changedZones(resources, (zone) => ({
    create: (key, bytes) => {
      if (key.startsWith("_batches/0") && commits.left-- === 0) {
        throw new Error("the run dies");
      }
      return zone.create(key, bytes);
    },
  }));
  await assert.rejects(platform.transform(), /the run dies/);
  context.resources = resources;
  assert.deepEqual((await processedManifest(platform, 2)).postponed, [
    "dim_item",
  ]);

  await platform.transform();
  await platform.load();

  await assertJoined(platform);
});

Deno.test("transform says of each broken rule which batch repairs it", async () => {
  const tables = ["item", "part"].map((name) =>
    `create table ${name} (id integer primary key, title text);\n`
  );
  await using platform = await openPlatform({
    sql: await projectOf({
      "source.sql": tables.join(""),
      "models/dim_item.sql":
        "-- Key: id.\n-- Not null: title.\n\nselect * from changed.item\n",
      "models/dim_part.sql":
        "-- Key: id.\n-- Not null: title.\n\nselect * from changed.part\n",
    }),
    sourceSql: tables.join(""),
  });
  const { client } = platform.source;
  for (
    const changes of [
      [
        "insert into item values (1, null)",
        "insert into part values (1, null)",
      ],
      ["update item set title = 'a'"],
      ["update part set title = 'b'"],
    ]
  ) {
    await execute(client, ...changes);
    await platform.extract();
  }

  await platform.transform();

  assert.deepEqual(
    platform.logged.filter((line) => line.includes("repairs it"))
      .map((line) => line.replace(/: "title".*; /, " ... ")),
    ["dim_item", "dim_part"].map((model, index) =>
      `warning: Cannot make "${model}" in batch 1 ... batch ${
        index + 2
      } repairs it, and what it held up is not in the batches before`
    ),
  );
});

Deno.test("a first batch that breaks a rule is repaired by a later one", async () => {
  await using platform = await openPlatform({
    sql: await joinedProject(),
    sourceSql: SOURCE,
  });
  const { client } = platform.source;
  await execute(
    client,
    "insert into item values (1, 'a', null), (2, 'b', 'y')",
    "insert into label values (1, 'a', 'A'), (2, 'a', 'B')",
  );
  await platform.extract();
  await assert.rejects(
    platform.transform(),
    /Cannot make "(dim_item|fact_note)" in batch 1/,
  );
  await execute(client, "delete from label where label_id = 2");
  await platform.extract();
  await assert.rejects(
    platform.transform(),
    /Cannot make "fact_note" in batch 1: "note" is null in 1 row, and may not be in the warehouse; the first key is 1/,
  );
  await execute(client, "update item set note = 'x' where item_id = 1");

  await platform.run();

  await assertJoined(platform);
  assert.deepEqual(await rowsOf(platform, NOTES), ["(1,x,3,)", "(2,y,1,)"]);
});

for (
  const [repairs, rows] of [
    ["update item set note = 'good' where item_id = 1", [
      "(1,good,3,)",
      "(1,x,1,3)",
      "(2,new,2,)",
      "(2,y,1,2)",
      "(3,z,1,)",
    ]],
    ["delete from item where item_id = 1", [
      "(1,x,1,3)",
      "(2,new,2,)",
      "(2,y,1,2)",
      "(3,z,1,)",
    ]],
  ] as const
) {
  Deno.test(`a null in a not-null column keeps the last good version until: ${repairs}`, async () => {
    await using platform = await openJoined();
    const { client } = platform.source;
    await execute(
      client,
      "update item set note = null where item_id = 1",
      "update item set note = 'new' where item_id = 2",
    );
    await platform.extract();
    await assert.rejects(platform.transform(), {
      message:
        'Cannot make "fact_note" in batch 2: "note" is null in 1 row, and may not be in the warehouse; the first key is 1',
      dataCheck: true,
    });

    await execute(client, repairs);
    await platform.run();

    assert.deepEqual(await rowsOf(platform, NOTES), rows);
    // A full read has nothing to repair.
    await platform.extract({ fullRead: true });
    await platform.transform();
    assert.deepEqual((await processedManifest(platform, 4)).models, {});
  });
}

Deno.test("a null in the key of a join is refused by the column's name", async () => {
  const sql = await smallProject({
    source: SOURCE,
    models: [{
      name: "dim_title",
      key: ["label_id"],
      derivation: "join",
      sql: `select label_id, title, item_id from current.item
        left join current.label on label.code = item.code`,
    }],
    warehouse: dimensionSql(
      "dim_title",
      "label_id integer primary key, title text, item_id integer",
    ),
  });
  await using platform = await openPlatform({ sql, sourceSql: SOURCE });
  const { client } = platform.source;
  await execute(
    client,
    "insert into label values (1, 'a', 'A')",
    "insert into item values (1, 'a', 'x'), (2, 'b', 'y')",
  );
  await platform.extract();
  await assert.rejects(platform.transform(), {
    message:
      'Cannot make "dim_title" in batch 1: its key "label_id" is null in 1 row',
    dataCheck: true,
  });

  await execute(client, "insert into label values (2, 'b', 'B')");
  await platform.run();

  assert.deepEqual(
    await rowsOf(platform, "select label_id, item_id from dim_title"),
    ["(1,1)", "(2,2)"],
  );
});

Deno.test("a duplicate key of an append-only model is repaired by a full read", async () => {
  const sql = await smallProject({
    source: SOURCE,
    models: [{
      name: "dim_code",
      key: ["code"],
      derivation: "set",
      sql: "select distinct code, note from changed.item",
    }],
    warehouse: dimensionSql("dim_code", "code text primary key, note text"),
  });
  await using platform = await openPlatform({ sql, sourceSql: SOURCE });
  const { client } = platform.source;
  await execute(client, "insert into item values (1, 'a', 'x')");
  await platform.run();
  await execute(
    client,
    "insert into item values (2, 'b', 'x'), (3, 'b', 'y'), (4, null, 'z'), (5, 'c', 'z')",
  );
  await platform.extract();
  await assert.rejects(platform.transform(), {
    message:
      'Cannot make "dim_code" in batch 2: its key "code" is null in 1 row',
    hint: /`\.\/totesys extract --full=item` first/,
  });
  await execute(
    client,
    "update item set code = 'd' where item_id = 4",
    "update item set note = 'x' where item_id = 3",
  );
  await platform.extract();
  await assert.rejects(platform.transform(), /is null in 1 row/);

  await platform.extract({ fullRead: ["item"] });
  await platform.transform();
  await platform.load();

  assert.deepEqual(
    await rowsOf(platform, "select code, note from dim_code"),
    ["(a,x)", "(b,x)", "(c,z)", "(d,z)"],
  );
});

Deno.test("rebuild processed repairs a lake with rows that load refuses", async () => {
  await using platform = await openJoined();
  const { client } = platform.source;
  const { context } = platform;
  const { sql } = context;
  await execute(client, "update item set note = null where item_id = 1");
  await platform.extract();
  // As a version did that did not know what the warehouse declares.
  context.sql = { ...sql, migrations: [] };
  await platform.transform();
  context.sql = sql;
  await assert.rejects(platform.load(), /null value in column "note"/);
  await execute(client, "update item set note = 'good' where item_id = 1");
  await platform.extract();
  await platform.transform();
  await assert.rejects(platform.load(), /null value in column "note"/);

  await rebuildProcessed(context);
  await platform.load();

  assert.deepEqual(await rowsOf(platform, NOTES), [
    "(1,good,3,)",
    "(1,x,1,3)",
    "(2,y,1,)",
    "(3,z,1,)",
  ]);
  await assertJoined(platform);
});
