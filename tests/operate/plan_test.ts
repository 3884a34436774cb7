import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { query } from "../../lib/postgres/postgres.ts";
import { formatPlan } from "../../operate/format_plan.ts";
import { main as planTask, makePlan } from "../../operate/plan.ts";
import { runOnce } from "../../operate/run_stages.ts";
import { transform } from "../../transform/transform.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { smallProject } from "../harness/companies/small_project.ts";
import { taskEnv } from "../harness/task.ts";
import { testIo } from "../harness/process_io.ts";

const SOURCE = `create table item (
    item_id integer primary key, title text not null, price numeric(10, 2),
    weight integer
);`;

/** A company with one model of these columns. */
function company(columns: string) {
  return smallProject({
    source: SOURCE,
    models: [{
      name: "dim_item",
      key: ["item_id"],
      sql: `select ${columns} from changed.item`,
    }],
  });
}

/** All that a plan could have written to. */
async function stateOf(platform: Platform): Promise<unknown> {
  const files: string[] = [];
  const { ingestionUrl, processedUrl } = platform.config;
  for (const url of [ingestionUrl, processedUrl]) {
    assert(url !== undefined);
    if (!existsSync(url)) continue;
    for await (const { name } of Deno.readDir(url)) files.push(name);
  }
  const columns = await query(
    platform.warehouse.client,
    `select table_schema, table_name, column_name, data_type, is_nullable
    from information_schema.columns
    where table_schema in ('public', 'pipeline') order by 1, 2, 3`,
  );
  return { files: files.sort(), columns };
}

Deno.test("plan shows what an empty warehouse would get, and writes nothing", async () => {
  await using platform = await openPlatform({
    sql: await company("item_id, title"),
    sourceSql: SOURCE,
  });
  await platform.extract();
  const before = await stateOf(platform);

  const plan = await makePlan(platform.context);

  assert.deepEqual(plan.transform, { from: 1, to: 1 });
  assert.deepEqual(plan.load, { from: 1, to: 1 });
  assert.ok(plan.warehouse.includes("table dim_item"));
  assert.ok(plan.warehouse.includes("migration 0001_pipeline"));
  assert.deepEqual(plan.refusals, []);
  assert.deepEqual(await stateOf(platform), before);
});

Deno.test("plan shows nothing when no work is pending", async () => {
  await using platform = await openPlatform({
    sql: await company("item_id, title"),
    sourceSql: SOURCE,
  });
  await platform.run();

  const plan = await makePlan(platform.context);

  assert.deepEqual(plan, {
    changes: [],
    lacks: [],
    warehouse: [],
    dropped: [],
    lost: [],
    rebuild: [],
    refusals: [],
  });
});

Deno.test("plan shows the effects of a changed model, and the next run has them", async () => {
  await using platform = await openPlatform({
    sql: await company("item_id, title, weight"),
    sourceSql: SOURCE,
  });
  const { client } = platform.source;
  await execute(client, "insert into item values (1, 'Bolt', 0.20, 5)");
  await platform.run();
  const before = await stateOf(platform);
  platform.context.sql = await company(
    "item_id, title, price, cast(weight as bigint) as weight",
  );

  const plan = await makePlan(platform.context);

  assert.equal(plan.changedSince, 1);
  assert.deepEqual(plan.refusals, []);
  assert.deepEqual(plan.warehouse, [
    "dim_item: the column price is new, numeric(10,2)",
    "dim_item: the column weight is bigint, it was integer",
  ]);
  assert.deepEqual(await stateOf(platform), before);
  await execute(client, "update item set price = 0.30");
  await platform.extract();
  await transform(platform.context, { accept: true });
  platform.logged.length = 0;
  await platform.load();
  for (const change of plan.warehouse) {
    assert.ok(platform.logged.includes(`info: ${change}`), change);
  }
});

Deno.test("plan names every refusal with its remedy, and exits with 1", async () => {
  await using platform = await openPlatform({
    sql: await company("item_id, title, weight"),
    sourceSql: SOURCE,
  });
  await platform.run();
  platform.context.sql = await company(
    "item_id, cast(null as date) as title, price",
  );

  const { refusals } = await makePlan(platform.context);

  assert.equal(refusals.length, 1);
  assert.match(
    refusals[0]?.message ?? "",
    /its column "title" is date now, the warehouse has text/,
  );
  assert.match(refusals[0]?.hint ?? "", /\.\/totesys rebuild warehouse/);
});

for (
  const [name, statement, refusal] of [
    [
      "renamed",
      "rename title to heading",
      /the warehouse's table has no column "title" any more/,
    ],
    [
      "narrowed",
      "alter title type varchar(3)",
      /its column "title" is character varying\(3\), which may cut off/,
    ],
    [
      "retyped in history",
      "alter valid_from type timestamptz(0)",
      /its column "valid_from" is timestamp\(0\) with time zone, not/,
    ],
  ] as const
) {
  Deno.test(`plan refuses what load refuses: a column that somebody has ${name}`, async () => {
    await using platform = await openPlatform({
      sql: await company("item_id, title"),
      sourceSql: SOURCE,
    });
    const { source, warehouse: { client }, context } = platform;
    await execute(source.client, "insert into item values (1, 'Nut')");
    await platform.run();
    await execute(
      client,
      "drop view dim_item_current, dim_item_history cascade",
      `alter table dim_item ${statement}`,
    );
    await execute(source.client, "insert into item values (2, 'Screw')");
    await platform.extract();

    const { warehouse, refusals } = await makePlan(context);

    assert.deepEqual(warehouse, []);
    assert.equal(refusals.length, 1);
    assert.match(refusals[0]?.message ?? "", refusal);
    await transform(context);
    await assert.rejects(platform.load(), {
      message: refusals[0]?.message,
      hint: refusals[0]?.hint,
    });
  });
}

Deno.test("plan names the rows that a run leaves unchanged", async () => {
  await using platform = await openPlatform({
    sql: await company("item_id, title"),
    sourceSql: SOURCE,
  });
  const { source, context } = platform;
  await execute(source.client, "insert into item values (1, 'Nut', 0.20, 5)");
  await platform.run();
  context.sql = await company("item_id, title, price");

  const { lacks, ...plan } = await makePlan(context);

  assert.deepEqual(lacks, [
    "dim_item: price is null in rows that don't change from now on: `./totesys resync item` fills it",
  ]);
  assert.match(
    formatPlan({ lacks, ...plan }),
    /rows that a run leaves as they are:\n {13}dim_item: price is null/,
  );
  await platform.extract();
  await transform(context, { accept: true });
  assert.ok(platform.logged.includes(`warning: ${lacks[0]}`));
  assert.deepEqual((await makePlan(context)).lacks, []);
});

Deno.test("plan names no such rows when extract will read the whole table", async () => {
  await using platform = await openPlatform({
    sql: await company("item_id, title"),
    sourceSql: SOURCE,
  });
  const { source, context } = platform;
  await execute(
    source.client,
    "alter table item add channel text default 'web'",
    "insert into item values (1, 'Nut', 0.20, 5)",
  );
  await platform.run();
  context.sql = await smallProject({
    source: SOURCE.replace("weight integer", "weight integer, channel text"),
    models: [{
      name: "dim_item",
      key: ["item_id"],
      sql: "select item_id, title, channel from changed.item",
    }],
  });

  assert.deepEqual((await makePlan(context)).lacks, []);
  await platform.extract();
  platform.logged.length = 0;
  await transform(context, { accept: true });

  const warnings = platform.logged.filter((line) => line.startsWith("warning"));
  assert.deepEqual(warnings, []);
});

Deno.test("plan asks for no --accept of what has been accepted", async () => {
  const itemOf = (columns: string) =>
    smallProject({
      source: SOURCE,
      models: [{
        name: "dim_item",
        key: ["item_id"],
        sql: `select ${columns} from changed.item`,
      }],
    });
  await using platform = await openPlatform({
    sql: await itemOf("item_id, title"),
    sourceSql: SOURCE,
  });
  const { context, source: { client } } = platform;
  await execute(client, "insert into item values (1, 'Bolt')");
  await platform.run();
  context.sql = await itemOf("item_id");
  const lost = [
    "dim_item: the column title is null in new rows: no model has it",
  ];
  const planned = async () => {
    const { lost, isAccepted } = await makePlan(context);
    return { lost, isAccepted: isAccepted === true };
  };

  assert.deepEqual(await planned(), { lost, isAccepted: false });
  await execute(client, "insert into item values (2, 'Nut')");
  await platform.extract();
  await transform(context, { accept: true });
  assert.deepEqual(await planned(), { lost, isAccepted: true });
  await platform.load();
  context.sql = await itemOf("item_id, item_id + 1 as next");
  assert.deepEqual(await planned(), { lost, isAccepted: true });
  await execute(client, "insert into item values (3, 'Cog')");
  await platform.run();
});

Deno.test("plan and load name a table whose model is gone, until it is dropped", async () => {
  const both = (names: string[]) =>
    smallProject({
      source: SOURCE,
      models: names.map((name) => ({
        name,
        key: ["item_id"],
        sql: "select item_id, title from changed.item",
      })),
    });
  await using platform = await openPlatform({
    sql: await both(["dim_item", "dim_old"]),
    sourceSql: SOURCE,
  });
  await execute(platform.source.client, "insert into item values (1, 'Bolt')");
  await platform.run();
  assert.deepEqual((await makePlan(platform.context)).rebuild, []);
  platform.context.sql = await both(["dim_item"]);
  const note = /^dim_old: its model was removed.*drop table "dim_old" cascade$/;

  const { warehouse, lost, rebuild } = await makePlan(platform.context);

  assert.deepEqual(warehouse, []);
  assert.equal(lost.length, 1);
  assert.match(lost[0] ?? "", note);
  assert.deepEqual(rebuild, lost);
  await execute(platform.source.client, "update item set title = 'Nut'");
  await platform.extract();
  await transform(platform.context, { accept: true });
  await platform.load();
  const warned = platform.logged.filter((line) =>
    line.startsWith("warning: dim_old: its model was removed")
  );
  assert.equal(warned.length, 1);
  assert.match(warned[0]?.replace("warning: ", "") ?? "", note);
  const after = await makePlan(platform.context);
  assert.deepEqual([after.lost, after.rebuild], [[], rebuild]);
  await execute(platform.warehouse.client, "drop table dim_old cascade");
  assert.deepEqual((await makePlan(platform.context)).rebuild, []);
});

Deno.test("plan shows what a rebuild of the warehouse drops, and a load takes away", async () => {
  await using platform = await openPlatform({
    sql: await company("item_id, title, weight"),
    sourceSql: SOURCE,
  });
  await execute(
    platform.source.client,
    "insert into item values (1, 'Bolt', 0.20, 5)",
  );
  await platform.run();
  platform.context.sql = await company("item_id, title, price");
  const before = await stateOf(platform);

  const plan = await makePlan(platform.context);

  assert.deepEqual(plan.warehouse, [
    "dim_item: the column price is new, numeric(10,2)",
  ]);
  assert.deepEqual(plan.lost, [
    "dim_item: the column weight is null in new rows: no model has it",
  ]);
  assert.deepEqual(plan.rebuild, [
    "dim_item: the column weight is dropped with its values: no model has it",
  ]);
  assert.deepEqual(await stateOf(platform), before);
  // Once it is accepted, a rebuild alone would still change it.
  await runOnce(platform.context, { accept: true });
  const after = await makePlan(platform.context);
  assert.deepEqual([after.lost, after.rebuild], [[], plan.rebuild]);
});

Deno.test("formatPlan() lists what the warehouse gains and loses", () => {
  const nothing = {
    changes: [],
    lacks: [],
    warehouse: [],
    dropped: [],
    lost: [],
    rebuild: [],
    refusals: [],
  };

  assert.equal(
    formatPlan(nothing),
    "transform  nothing pending\nload       nothing pending\n" +
      "warehouse  unchanged\nNothing was written.\n",
  );
  assert.match(
    formatPlan({ ...nothing, dropped: ["a: the foreign key b"] }),
    /pending\nwarehouse {2}will no longer have:\n {2}a: the foreign key b\nNothing/,
  );
  assert.match(
    formatPlan({ ...nothing, lost: ["a"], isAccepted: true }),
    /will lose, as was accepted:\n {2}a\n/,
  );
  assert.match(
    formatPlan({ ...nothing, lost: ["a: the column b"], rebuild: ["c"] }),
    /pending\nwarehouse {2}will lose, only with --accept:\n {2}a: the column b\nrebuild {4}would also drop columns that no model has \(tables stay\):\n {2}c\nNothing/,
  );
});

Deno.test("plan prints readable text on a terminal", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await platform.extract();
  const io = testIo(taskEnv(platform), { isTerminal: true });

  const code = await planTask([], io);

  const { said: out } = io;
  assert.equal(code, 0, out);
  assert.match(out, /^transform {2}batch 1$/m);
  assert.match(out, /^load {7}batch 1$/m);
  assert.match(out, /^warehouse {2}will gain:\n {2}migration 0001_pipeline$/m);
  assert.match(out, /^Nothing was written\.$/m);
});
