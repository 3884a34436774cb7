import assert from "node:assert/strict";
import { join } from "node:path";
import { query } from "../../lib/postgres/postgres.ts";
import { main as load } from "../../load/main.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { main as rebuild } from "../../operate/rebuild.ts";
import { main as resync } from "../../operate/resync.ts";
import { main as pipeline } from "../../operate/run.ts";
import { main as transformTask } from "../../transform/main.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import { readCatalogue } from "../harness/readers/catalogue.ts";
import { inFolder } from "../harness/in_folder.ts";
import { doctorManifest, processedManifest } from "../harness/manifests.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { projectOf } from "../harness/companies/small_project.ts";
import { type TestIo, testIo } from "../harness/process_io.ts";
import { taskEnv } from "../harness/task.ts";

const SOURCE = `create table item (
    item_id integer primary key, title text not null, weight bigint
);
`;

/** A company's files: an item with these columns, and other models. */
function files(columns: string, others: readonly string[] = []) {
  const model = (columns: string) =>
    `-- Key: item_id.\n\nselect ${columns} from changed.item\n`;
  return {
    "source.sql": SOURCE,
    "models/dim_item.sql": model(columns),
    ...Object.fromEntries(
      others.map((name) => [`models/${name}.sql`, model("item_id, title")]),
    ),
  };
}

const BEFORE = files("item_id, title, weight", ["dim_old"]);
const AFTER = files("item_id, title as name", ["dim_new"]);

async function withTwoBatches(
  test: (platform: Platform) => Promise<void>,
): Promise<void> {
  await using platform = await openPlatform({
    sql: await projectOf(BEFORE),
    sourceSql: SOURCE,
  });
  await execute(platform.source.client, "insert into item values (1, 'a', 5)");
  await platform.run();
  await execute(platform.source.client, "insert into item values (2, 'b', 6)");
  await platform.run();
  await test(platform);
}

/** All that somebody could have written to the warehouse. */
async function stateOf({ warehouse }: Platform): Promise<unknown> {
  return [
    await readCatalogue(warehouse.client),
    await query(warehouse.client, "select * from pipeline.batch"),
  ];
}

/** A terminal with the settings of a platform, and this company's folder. */
function terminalOf(platform: Platform, folder: string): TestIo {
  return testIo(
    { ...taskEnv(platform), SQL_DIRECTORY: folder },
    { isTerminal: true },
  );
}

async function writeCompany(
  folder: string,
  texts: Readonly<Record<string, string>>,
): Promise<void> {
  await Deno.remove(join(folder, "models"), { recursive: true })
    .catch(() => {});
  await Deno.mkdir(join(folder, "models"), { recursive: true });
  for (const [path, text] of Object.entries(texts)) {
    await Deno.writeTextFile(join(folder, path), text);
  }
}

Deno.test("transform() lists what changed SQL removes, and load continues with what was accepted there", () =>
  withTwoBatches(async (platform) => {
    platform.context.sql = await projectOf(
      files("item_id, cast(weight as integer) as weight"),
    );
    const lake = () =>
      Deno.readFile(`${platform.config.processedUrl}/lake.duckdb`);
    const shown = await lake();
    // With nothing to transform there is nothing to refuse, nor to show.
    await platform.transform();
    assert.deepEqual(await lake(), shown);
    await execute(platform.source.client, "insert into item values (3, 'c')");
    await platform.extract();

    await assert.rejects(platform.transform(), {
      name: "StageError",
      message:
        "Cannot continue with the changed sql/ (contract, models or quarantine) after batch 2: it takes away: " +
        "dim_item: no model has the column title; dim_item: the column weight is integer, it was bigint; " +
        "dim_old: the model no longer exists, and it changes: dim_item: weight is computed differently",
      hint: /run transform once with --accept/,
    });
    await assert.rejects(processedManifest(platform, 3));
    await transform(platform.context, { accept: true });
    await platform.load();

    assert.deepEqual(
      await query(
        platform.warehouse.client,
        "select item_id, title, weight from dim_item_current order by 1",
      ),
      [
        { item_id: 1, title: "a", weight: "5" },
        { item_id: 2, title: "b", weight: "6" },
        { item_id: 3, title: null, weight: null },
      ],
    );
    assert.ok(
      platform.logged.includes(
        "warning: dim_item: the column title is null in new rows: no model has it",
      ),
    );
    // Later batches of the same SQL are accepted with it.
    await platform.extract();
    await platform.transform();
    assert.deepEqual((await processedManifest(platform, 4)).sql, {
      since: 3,
      isAccepted: true,
      inParts: true,
    });
    assert.equal((await processedManifest(platform, 2)).sql?.isAccepted, false);
  }));

/** Models that gain a column, with the contract, and each other. */
function withColour(columns: string, others: readonly string[]) {
  return {
    ...files(`${columns}, colour`, others),
    "source.sql": SOURCE.replace("bigint", "bigint,\n    colour text"),
  };
}

Deno.test("a run needs no --accept for SQL that only adds", () =>
  withTwoBatches(async (platform) => {
    const read = (sql: string) => query(platform.warehouse.client, sql);
    await execute(
      platform.source.client,
      "alter table item add column colour text",
      "update item set colour = 'red' where item_id = 1",
    );
    platform.context.sql = await projectOf(
      withColour("item_id, title, weight", ["dim_old", "dim_new"]),
    );

    await platform.run();

    const colours = [
      { item_id: 1, colour: "red" },
      { item_id: 2, colour: null },
    ];
    const columns = "select item_id, colour from";
    assert.deepEqual(
      await read(`${columns} dim_item_current order by 1`),
      colours,
    );
    assert.deepEqual(
      await read(`${columns} dim_item_as_of_batch(3) order by 1`),
      colours,
    );
    assert.deepEqual(
      await read("select item_id from dim_new_current order by 1"),
      [{ item_id: 1 }, { item_id: 2 }],
    );
    assert.ok((await verify(platform.context)).same);
  }));

Deno.test("load continues with an accepted change that was followed by an addition", () =>
  withTwoBatches(async (platform) => {
    await execute(
      platform.source.client,
      "alter table item add column colour text",
    );
    platform.context.sql = await projectOf(files("item_id, title"));
    await platform.extract();
    await transform(platform.context, { accept: true });
    platform.context.sql = await projectOf(withColour("item_id, title", []));

    await platform.run();

    assert.deepEqual((await processedManifest(platform, 4)).sql, {
      since: 4,
      isAccepted: true,
      inParts: true,
    });
  }));

/** Leaves a lake as a version that kept no parts of its SQL has made it. */
async function forgetParts(platform: Platform): Promise<void> {
  for (const batch of [1, 2]) {
    await doctorManifest(platform, batch, (manifest) => {
      delete manifest.parts;
      delete manifest.sql?.inParts;
    });
  }
}

const MORE = "item_id, title, weight, 1 as one";

Deno.test("transform() asks for --accept when no batch records its SQL, as in the version before", () =>
  withTwoBatches(async (platform) => {
    await forgetParts(platform);
    platform.context.sql = await projectOf(files(MORE, ["dim_old"]));
    await platform.extract();

    await assert.rejects(platform.transform(), {
      message:
        "Cannot continue with the changed sql/ (contract, models or quarantine) after batch 2: what it was is not known, as an earlier version made that batch",
    });
  }));

Deno.test("transform() doesn't ask again after an upgrade and a batch of the same SQL", () =>
  withTwoBatches(async (platform) => {
    await forgetParts(platform);
    await platform.run();
    platform.context.sql = await projectOf(files(MORE, ["dim_old"]));

    await platform.run();

    assert.deepEqual((await processedManifest(platform, 4)).sql, {
      since: 4,
      isAccepted: false,
      inParts: true,
    });
  }));

Deno.test("transform() asks for --accept when a model returns", () =>
  withTwoBatches(async (platform) => {
    platform.context.sql = await projectOf(files("item_id, title, weight"));
    await platform.extract();
    await transform(platform.context, { accept: true });
    platform.context.sql = await projectOf(BEFORE);
    await platform.extract();

    await assert.rejects(platform.transform(), {
      message:
        /: it changes: dim_old: the model is back, and its old rows are still in the lake$/,
    });
  }));

Deno.test("load() writes nothing when models remove columns that nobody accepted", () =>
  withTwoBatches(async (platform) => {
    await platform.extract();
    await platform.transform();
    platform.context.sql = await projectOf(AFTER);
    const before = await stateOf(platform);

    await assert.rejects(platform.load(), (error: Error) => {
      assert.match(
        error.message,
        /^Cannot change .*: sql\/ takes away from it: dim_item: the column title is null in new rows: no model has it; dim_item: the column weight is null in new rows: no model has it; dim_old: its model was removed/,
      );
      return true;
    });
    assert.deepEqual(await stateOf(platform), before);
  }));

Deno.test("load() continues with --accept, and needs none when models only add", () =>
  withTwoBatches(async (platform) => {
    await platform.extract();
    await platform.transform();
    await inFolder(async (folder) => {
      const io = terminalOf(platform, folder);
      await writeCompany(folder, files("item_id, weight", ["dim_old"]));

      assert.equal(await load([], io), 1, io.said);
      assert.match(io.said, /run it again with --accept/);
      assert.equal(await load(["--accept"], io), 0, io.said);
    });

    const sql = await projectOf(
      files("item_id, title, weight, 1 as one", ["dim_old", "dim_new"]),
    );
    platform.context.sql = sql;
    await platform.extract();
    platform.context.sql = await projectOf(BEFORE);
    await platform.transform();
    platform.context.sql = sql;
    await platform.load();
  }));

Deno.test("rebuildWarehouse() drops columns only with --accept", () =>
  withTwoBatches(async (platform) => {
    platform.context.sql = await projectOf(AFTER);
    await rebuildProcessed(platform.context);
    const before = await stateOf(platform);

    await assert.rejects(rebuildWarehouse(platform.context), {
      name: "StageError",
      message:
        /takes away from it: dim_item: the column title is dropped with its values: no model has it; dim_item: the column weight is dropped .*; dim_old: its model was removed/,
      hint: "Change sql/ back, or run `./totesys rebuild warehouse --accept`",
    });
    assert.deepEqual(await stateOf(platform), before);
    await rebuildWarehouse(platform.context, { accept: true });

    const { fields } = await platform.warehouse.client.query(
      "select * from dim_item_current",
    );
    assert.deepEqual(
      fields.map(({ name }) => name).filter((name) =>
        !/^(valid|from|to)_/.test(name)
      ),
      ["item_id", "name"],
    );
    // What is left by then is no news.
    await rebuildWarehouse(platform.context);
  }));

Deno.test("a company's migration may rename a column without --accept", () =>
  withTwoBatches(async (platform) => {
    platform.context.sql = await projectOf({
      ...files("item_id, title as name, weight", ["dim_old"]),
      "warehouse/0001_name.sql":
        `drop view dim_item_current, dim_item_history cascade;
        alter table dim_item rename title to name;
        alter table dim_item_closed rename title to name;
        call pipeline.make_views('dim_item')`,
    });
    await rebuildProcessed(platform.context);

    await rebuildWarehouse(platform.context);

    assert.deepEqual(
      await query(
        platform.warehouse.client,
        "select name from dim_item_current order by item_id",
      ),
      [{ name: "a" }, { name: "b" }],
    );
  }));

Deno.test("one --accept covers all stages", () =>
  withTwoBatches((platform) =>
    inFolder(async (folder) => {
      const io = terminalOf(platform, folder);
      await writeCompany(folder, AFTER);

      assert.equal(await pipeline([], io), 1, io.said);
      // The company's folder is meant, and not that of the project.
      assert.ok(
        io.said.includes(`the changed ${folder}/ (contract, models`),
      );
      assert.match(
        io.said,
        /takes away: dim_item: no model has the column title/,
      );
      assert.equal(await pipeline(["--accept"], io), 0, io.said);

      await writeCompany(folder, files("item_id, weight"));
      assert.equal(await resync(["item"], io), 1, io.said);
      assert.equal(await resync(["item", "--accept"], io), 0, io.said);

      await writeCompany(folder, files("item_id"));
      assert.equal(await pipeline([], io), 1, io.said);
      // Its name until now is one, too.
      const flag = "--accept-sql-change";
      assert.equal(await transformTask([flag], io), 0, io.said);
      assert.equal(await load([], io), 0, io.said);

      assert.equal(await rebuild(["processed", "--accept"], io), 2);
      assert.match(io.said, /--accept is for the warehouse only/);
      assert.equal(await rebuild(["warehouse"], io), 1);
      assert.equal(
        await rebuild(["warehouse", "--accept"], io),
        0,
        io.said,
      );
    })
  ));

Deno.test("load() warns once of what models took away, whatever they add later", () =>
  withTwoBatches(async (platform) => {
    const said = () =>
      platform.logged.filter((line) =>
        /^warning: dim_\w+: .*(no model has it|was removed)/.test(line)
      );
    const { context, source: { client } } = platform;
    context.sql = await projectOf(files("item_id, title"));
    await platform.extract();
    await transform(context, { accept: true });
    await platform.load();

    await execute(client, "insert into item values (3, 'c', 7)");
    await platform.run();
    context.sql = await projectOf(files("item_id, title, 1 as one"));
    await execute(client, "insert into item values (4, 'd', 8)");
    await platform.run();

    assert.deepEqual(said(), [
      'warning: dim_old: its model was removed, and its rows no longer change; once nobody reads it: drop table "dim_old" cascade',
      "warning: dim_item: the column weight is null in new rows: no model has it",
    ]);
  }));

Deno.test("rebuildProcessed() says which rows earlier batches lack for a column that they don't have", () =>
  withTwoBatches(async (platform) => {
    const { context, source: { client } } = platform;
    await execute(client, "alter table item rename title to name");
    context.sql = await projectOf({
      "source.sql": SOURCE.replace("title", "name"),
      "models/dim_item.sql":
        "-- Key: item_id.\n-- Not null: name.\n\nselect * from changed.item\n",
    });
    await platform.extract();

    await rebuildProcessed(context);

    assert.deepEqual(
      platform.logged.filter((line) => line.includes("repairs it")),
      [
        'warning: Cannot make "dim_item" in batch 1: "name" is null in 1 row, and may not be in the warehouse; the first key is 1; batch 3 repairs it, and what it held up is not in the batches before',
      ],
    );
  }));
