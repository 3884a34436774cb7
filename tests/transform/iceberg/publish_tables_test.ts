import assert from "node:assert/strict";
import { QUARANTINE_TABLE } from "../../../lib/project/quarantine_model.ts";
import { RESOURCES } from "../../../lib/stage.ts";
import { openZone, type Zone } from "../../../lib/zone/zone.ts";
import { sweep } from "../../../sweep/sweep.ts";
import { rebuildProcessed } from "../../../transform/rebuild_processed.ts";
import { changedZone } from "../../harness/changed_zone.ts";
import { transform } from "../../../transform/transform.ts";
import { copyFolder } from "../../harness/servers/cluster.ts";
import {
  openDuckDbReader,
  openPyiceberg,
  rowsOf,
} from "../../harness/readers/iceberg_readers.ts";
import { lakeRows } from "../../harness/readers/lake_rows.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
  ZONE_KINDS,
} from "../../harness/platform.ts";
import { smallProject } from "../../harness/companies/small_project.ts";
import { fillSmall } from "../../harness/companies/small_source.ts";
import { StoreClock } from "../../harness/store_clock.ts";

const RENAME = (name: string) =>
  `update design set design_name = '${name}' where design_id = 2`;
const DELETE = "delete from design where design_id = 3";

for (const zones of ZONE_KINDS) {
  Deno.test(`Iceberg tables show the lake now and as of older batches, on ${zones}`, async (test) => {
    await using platform = await openIceberg({ zones });
    await changeDesigns(platform, [RENAME("Tin"), DELETE, RENAME("Zinc")]);
    const snapshots = await snapshotsOf(platform, "dim_design");
    const older = snapshots.filter(({ operation }) => operation === "append");
    await using duckdb = await openDuckDbReader(platform.config.s3);
    const pyiceberg = await openPyiceberg(platform.config.s3);
    if (pyiceberg === undefined) {
      console.log("pyiceberg is not installed: only DuckDB reads the tables");
    }

    assert.deepEqual(
      snapshots.map(({ operation, batch }) => `${operation} ${batch}`),
      ["append 1", "append 2", "replace 2", "append 3", "append 4"],
    );
    // Trino's `for version as of` refuses an integer.
    assert.ok(snapshots.every(({ id }) => id > 2 ** 31));
    for (
      const reader of [duckdb, ...pyiceberg === undefined ? [] : [pyiceberg]]
    ) {
      await test.step(reader === duckdb ? "DuckDB" : "pyiceberg", async () => {
        for (const model of ["dim_design", "dim_staff", "fact_sales_order"]) {
          const table = tableOf(platform, model);
          const expected = await lakeRows(platform, { model });
          assert.ok(expected.length > 0);
          assert.deepEqual(await reader.rows(table), expected, model);
        }
        const table = tableOf(platform, "dim_design");
        for (const { id, batch } of older) {
          const expected = await lakeRows(platform, {
            model: "dim_design",
            batchMax: batch,
          });
          assert.deepEqual(
            await reader.rows(table, { snapshot: id }),
            expected,
          );
          assert.deepEqual(
            await reader.rows(table, { batchMax: batch }),
            expected,
          );
        }
      });
    }
  });

  Deno.test(`sweep keeps what Iceberg tables list, and removes the rest, on ${zones}`, async () => {
    await using platform = await openIceberg({ zones });
    const clock = new StoreClock(platform);
    await changeDesigns(platform, [RENAME("Tin"), RENAME("Zinc")]);
    await clock.leap(49);
    const before = await metadataKeys(platform);
    // Tables that are no longer published stay readable.
    platform.set({ icebergCatalogue: undefined });
    await changeDesigns(platform, [RENAME("Iron"), RENAME("Gold")], {
      first: 4,
    });
    await clock.leap(49);
    await using duckdb = await openDuckDbReader(platform.config.s3);
    const table = tableOf(platform, "dim_design");

    const swept = await sweep(platform.context, { zone: "processed" });
    const kept = await metadataKeys(platform);

    assert.equal(swept.foreignFiles, 0);
    assert.ok(kept.length < before.length);
    for (const { id, batch } of await snapshotsOf(platform, "dim_design")) {
      const rows = await duckdb.rows(table, { snapshot: id });
      assert.equal(rows.length, 2 + batch, String(batch));
    }
    platform.set({ icebergCatalogue: "zone" });
    await platform.transform();
    assert.deepEqual(
      await duckdb.rows(table),
      await lakeRows(platform, { model: "dim_design" }),
    );
  });
}

Deno.test("Iceberg tables follow a model's columns", async () => {
  const project = (columns: string) => ({
    source: `create table design (
    design_id integer not null primary key,
    name text not null,
    width integer
);`,
    models: [{
      name: "dim_design",
      key: ["design_id"],
      sql: `select ${columns} from changed.design`,
    }],
  });
  const first = project("design_id, name");
  const sql = await smallProject(first);
  await using platform = await openIceberg({ sql, sourceSql: first.source });
  const { client } = platform.source;
  await execute(
    client,
    "insert into design values (1, 'Oak', 3), (2, 'Elm', 4)",
  );
  await platform.extract();
  await platform.transform();
  const narrow = await lakeRows(platform, { model: "dim_design" });
  platform.context.sql = await smallProject(
    project("design_id, name, width::bigint as width, name || '!' as shout"),
  );
  await execute(client, "update design set name = 'Ash' where design_id = 2");
  await platform.extract();
  await transform(platform.context, { accept: true });
  await using duckdb = await openDuckDbReader(undefined);
  const pyiceberg = await openPyiceberg(undefined);
  const table = tableOf(platform, "dim_design");
  const [oldest] = await snapshotsOf(platform, "dim_design");

  for (
    const reader of [duckdb, ...pyiceberg === undefined ? [] : [pyiceberg]]
  ) {
    const rows = await reader.rows(table);
    assert.deepEqual(rows, await lakeRows(platform, { model: "dim_design" }));
    assert.equal(rows.filter((row) => /"shout":"Ash!"/.test(row)).length, 1);
    assert.deepEqual(
      await reader.rows(table, { snapshot: oldest?.id ?? 0 }),
      narrow,
    );
  }
});

Deno.test("a model whose columns differ by case alone has no Iceberg table, and the others have", async () => {
  const source = `create table item (id integer primary key, name text);
create table pupil (id integer primary key, "é" integer, "É" text);`;
  const sql = await smallProject({
    source,
    models: ["pupil", "item"].map((name) => ({
      name: `dim_${name}`,
      key: ["id"],
      sql: `select * from changed.${name}`,
    })),
  });
  await using platform = await openIceberg({ sql, sourceSql: source });
  const { client } = platform.source;
  await execute(client, "insert into pupil values (1, 2, 'a')");
  for (const name of ["Oak", "Ash"]) {
    await execute(
      client,
      `insert into item values (${name.length}, '${name}')
      on conflict (id) do update set name = excluded.name`,
    );
    await platform.extract();
    await platform.transform();
  }
  await using duckdb = await openDuckDbReader(undefined);

  assert.deepEqual(
    await duckdb.rows(tableOf(platform, "dim_item")),
    await lakeRows(platform, { model: "dim_item" }),
  );
  assert.equal((await lakeRows(platform, { model: "dim_pupil" })).length, 1);
  const said = platform.logged.filter((line) => line.includes("Iceberg"));
  assert.match(
    said.at(-1) ?? "",
    /"dim_pupil": the columns "é" and "É" are one to readers that ignore case, such as Trino: rename one/,
  );
});

Deno.test("Iceberg tables stay as wide as the files of a column that became narrower", async () => {
  const project = (columns: string) => ({
    source: `create table design (
    design_id integer not null primary key,
    width bigint,
    price numeric(12,2),
    weight double precision,
    "Name" text
);`,
    models: [{
      name: "dim_design",
      key: ["design_id"],
      sql: `select design_id, ${columns} from changed.design`,
    }],
  });
  const wide = project('width, price, weight, "Name"');
  const narrow = project(`case when width < 100 then width end::integer
    as width, price::decimal(6,2) as price, weight::real as weight,
    "Name" as name`);
  const sql = await smallProject(wide);
  await using platform = await openIceberg({ sql, sourceSql: wide.source });
  const { client } = platform.source;
  const change = async (statement: string) => {
    await execute(client, statement);
    await platform.extract();
    await transform(platform.context, { accept: true });
  };
  await change(
    `insert into design values (1, ${2n ** 40n}, 1234567890.12, 0.1, 'Oak')`,
  );
  await using duckdb = await openDuckDbReader(undefined);
  const pyiceberg = await openPyiceberg(undefined);
  const table = tableOf(platform, "dim_design");
  const check = async () => {
    for (
      const reader of [duckdb, ...pyiceberg === undefined ? [] : [pyiceberg]]
    ) {
      const rows = (await reader.rows(table)).map((row) => {
        const { design_id: id, width, price, name }: Record<string, string> =
          JSON.parse(row);
        return [id, width, price, name];
      });
      assert.deepEqual(rows, [
        ["1", String(2n ** 40n), "1234567890.12", "Oak"],
        ["2", "7", "7.50", "Elm"],
      ]);
    }
  };

  platform.context.sql = await smallProject(narrow);
  await change("insert into design values (2, 7, 7.5, 0.1, 'Elm')");
  await check();

  // A table that begins after that has no earlier schema.
  await Deno.remove(`${platform.config.processedUrl}/_iceberg`, {
    recursive: true,
  });
  await platform.transform();
  await check();
});

Deno.test("the views over Iceberg tables show what lake.duckdb shows", async () => {
  await using platform = await openIceberg();
  await changeDesigns(platform, [RENAME("Tin"), DELETE, RENAME("Zinc")]);
  const { processedUrl } = platform.config;
  await using duckdb = await openDuckDbReader(undefined);
  const { connection } = duckdb;
  const models = [...PROJECT_SQL.models, QUARANTINE_TABLE]
    .map(({ name }) => name);

  for (const model of models) {
    await connection.run(`create view "${model}" as
      from iceberg_scan('${tableOf(platform, model)}')`);
  }
  await connection.run(
    await Deno.readTextFile(`${processedUrl}/_iceberg/views.sql`),
  );

  await connection.run(
    `attach '${processedUrl}/lake.duckdb' as lake (read_only)`,
  );
  for (const model of models) {
    for (const view of [`${model}_current`, `${model}_history`]) {
      assert.deepEqual(
        await rowsOf(connection, `from memory."${view}"`),
        await rowsOf(connection, `from lake."${view}"`),
        view,
      );
    }
  }
  const deleted = await rowsOf(
    connection,
    "from dim_design_history where to_batch = 3",
  );
  assert.equal(deleted.length, 1);
});

Deno.test("a lake gets Iceberg tables at the first run with the setting", async () => {
  await using platform = await openIceberg();
  platform.set({ icebergCatalogue: undefined });
  await changeDesigns(platform, [RENAME("Tin")]);
  assert.deepEqual(await metadataKeys(platform), []);
  await using duckdb = await openDuckDbReader(undefined);

  platform.set({ icebergCatalogue: "zone" });
  await platform.transform();

  assert.deepEqual(
    await duckdb.rows(tableOf(platform, "dim_design")),
    await lakeRows(platform, { model: "dim_design" }),
  );
});

Deno.test("the next run publishes Iceberg tables that a killed run did not", async (test) => {
  for (
    const part of [
      ".avro",
      ".metadata.json",
      "version-hint.text",
      "published.json",
    ]
  ) {
    await test.step(part, async () => {
      await using platform = await openIceberg();
      await changeDesigns(platform, []);
      await execute(platform.source.client, RENAME("Tin"));
      await platform.extract();
      failWrites(platform, part);
      await using duckdb = await openDuckDbReader(undefined);
      const table = tableOf(platform, "dim_design");

      await platform.transform();
      const between = await duckdb.rows(table);
      platform.context.resources = RESOURCES;
      await platform.transform();

      const logged = platform.logged.join("\n");
      assert.match(logged, /error: the Iceberg tables can't all be published/);
      const rows = await lakeRows(platform, { model: "dim_design" });
      assert.equal(rows.length, 4);
      assert.equal(between.length, part === "published.json" ? 4 : 3);
      assert.deepEqual(await duckdb.rows(table), rows);
      const snapshots = await snapshotsOf(platform, "dim_design");
      assert.deepEqual(snapshots.map(({ batch }) => batch), [1, 2]);
    });
  }
});

Deno.test("Iceberg tables of a zone that was moved list its files where they are", async () => {
  await using platform = await openIceberg();
  await changeDesigns(platform, [RENAME("Tin")]);
  const { processedUrl } = platform.config;
  const moved = `${processedUrl}-moved`;
  await copyFolder(processedUrl, moved);
  await Deno.remove(processedUrl, { recursive: true });
  platform.set({ processedUrl: moved });
  await using duckdb = await openDuckDbReader(undefined);

  await platform.transform();

  assert.deepEqual(
    await duckdb.rows(tableOf(platform, "dim_design")),
    await lakeRows(platform, { model: "dim_design" }),
  );
  assert.equal((await snapshotsOf(platform, "dim_design")).length, 1);
});

Deno.test("Iceberg tables of a rebuilt zone are overwritten", async () => {
  await using platform = await openIceberg();
  await changeDesigns(platform, [RENAME("Tin")]);
  await using duckdb = await openDuckDbReader(undefined);

  await rebuildProcessed(platform.context);

  const snapshots = await snapshotsOf(platform, "dim_design");
  assert.equal(snapshots.at(-1)?.operation, "overwrite");
  assert.deepEqual(
    await duckdb.rows(tableOf(platform, "dim_design")),
    await lakeRows(platform, { model: "dim_design" }),
  );
});

Deno.test("a damaged Iceberg table is created again", async (test) => {
  for (const part of ["metadata.json", "avro"]) {
    await test.step(part, async () => {
      await using platform = await openIceberg();
      await changeDesigns(platform, []);
      for (const key of await metadataKeys(platform)) {
        if (!key.endsWith(part)) continue;
        await Deno.writeTextFile(
          `${platform.config.processedUrl}/${key}`,
          "{}",
        );
      }
      await using duckdb = await openDuckDbReader(undefined);

      await changeDesigns(platform, [RENAME("Tin")], { first: 2 });

      assert.deepEqual(
        await duckdb.rows(tableOf(platform, "dim_design")),
        await lakeRows(platform, { model: "dim_design" }),
      );
    });
  }
});

/** A platform that publishes Iceberg tables, and merges two files at once. */
async function openIceberg(
  options: Parameters<typeof openPlatform>[0] = {},
): Promise<Platform> {
  const platform = await openPlatform(options);
  platform.set({ icebergCatalogue: "zone" });
  platform.context.compaction = { fanOut: 2 };
  return platform;
}

/** Runs the pipeline's first batch, and one more for each change. */
async function changeDesigns(
  platform: Platform,
  changes: readonly string[],
  { first = 1 }: { first?: number } = {},
): Promise<void> {
  const { client } = platform.source;
  if (first === 1) {
    await fillSmall(client);
    await platform.extract();
    await platform.transform();
  }
  for (const change of changes) {
    await execute(client, change);
    await platform.extract();
    await platform.transform();
  }
}

function tableOf({ config }: Platform, model: string): string {
  return `${config.processedUrl}/_iceberg/${model}`;
}

/** A table's snapshots as its newest metadata lists them. */
async function snapshotsOf(
  { config }: Platform,
  model: string,
): Promise<{ id: number; operation: string; batch: number }[]> {
  const zone = openZone(config.processedUrl, { s3: config.s3 });
  const read = async (name: string) => {
    const stored = await zone.read(`_iceberg/${model}/metadata/${name}`);
    return new TextDecoder().decode(stored?.bytes);
  };
  const version = await read("version-hint.text");
  const { snapshots }: {
    snapshots: { "snapshot-id": number; summary: Record<string, string> }[];
  } = JSON.parse(await read(`v${version}.metadata.json`));
  zone.close();
  return snapshots.map(({ summary, "snapshot-id": id }) => ({
    id,
    operation: summary.operation ?? "",
    batch: Number(summary["totesys.batch"]),
  }));
}

async function metadataKeys({ config, context }: Platform): Promise<string[]> {
  const zone = context.resources.openZone(config.processedUrl, {
    s3: config.s3,
  });
  const files = await Array.fromAsync(zone.list("_iceberg/"));
  zone.close();
  return files.map(({ key }) => key);
}

/** Lets no file of the Iceberg tables with such a name be written. */
function failWrites({ context }: Platform, part: string): void {
  const refuse = (key: string) => {
    if (key.startsWith("_iceberg/") && key.endsWith(part)) {
      throw new Error(`no ${part} today`);
    }
  };
  context.resources = {
    ...RESOURCES,
    openZone: (url, options) => {
      const zone = RESOURCES.openZone(url, options);
      const changed: Partial<Zone> = {
        create: async (key, content) => {
          refuse(key);
          return await zone.create(key, content);
        },
        put: async (key, content, putOptions) => {
          refuse(key);
          return await zone.put(key, content, putOptions);
        },
      };
      return changedZone(zone, changed);
    },
  };
}
