import { DuckDBInstance } from "@duckdb/node-api";
import assert from "node:assert/strict";
import { query } from "../../../lib/postgres/postgres.ts";
import { processedManifest } from "../../harness/manifests.ts";
import { openLake } from "../../harness/readers/oracle.ts";
import { execute, openPlatform, PROJECT_SQL } from "../../harness/platform.ts";
import {
  projectOf,
  smallProject,
} from "../../harness/companies/small_project.ts";
import { NAMES, runTwice } from "./run_twice.ts";

Deno.test("columns named like a parameter of as_of functions stay columns", async () => {
  const source = `create table reading (
    sensor_id integer not null,
    moment timestamp not null,
    batch_number integer,
    note text,
    primary key (sensor_id, moment)
);`;
  const sql = await smallProject({
    source,
    models: [{
      name: "dim_reading",
      key: ["sensor_id", "moment"],
      sql: "select sensor_id, moment, batch_number, note from changed.reading",
    }],
  });
  await using platform = await openPlatform({ sql, sourceSql: source });
  const { client } = platform.source;
  await execute(
    client,
    `insert into reading select n % 2, timestamp '2024-01-01' + n * interval '1 hour',
      10 + n, 'a' from generate_series(0, 3) as n`,
  );
  await platform.extract();
  await platform.transform();
  await execute(
    client,
    "update reading set note = 'b' where batch_number = 11",
  );
  await platform.extract();
  await platform.transform();
  await using lake = await openLake(platform);

  for (
    const relation of [
      "current",
      "as_of_batch(2)",
      "as_of_time(now())",
      "as_of_time(timestamptz '9999-01-01')",
    ]
  ) {
    const rows = await lake.rows(
      `select sensor_id, moment::varchar as moment, batch_number, note
      from totes.dim_reading_${relation} order by batch_number`,
    );
    assert.deepEqual(
      rows.map((row) => Object.values(row).join(" ")),
      [
        "0 2024-01-01 00:00:00 10 a",
        "1 2024-01-01 01:00:00 11 b",
        "0 2024-01-01 02:00:00 12 a",
        "1 2024-01-01 03:00:00 13 a",
      ],
      relation,
    );
  }
});

Deno.test("lake.duckdb shows current, past and all versions, under any alias, without USE", async () => {
  await using platform = await openPlatform();
  await runTwice(platform);
  await using lake = await openLake(platform);

  const names = async (relation: string) =>
    (await lake.rows(`${NAMES} from totes.${relation}`))[0]?.names;
  const before = "Wooden Wooden Wooden";
  const after = "Wooden Tin Wooden";
  assert.equal(await names("dim_design_current"), after);
  assert.equal(await names("dim_design_as_of_batch(1)"), before);
  assert.equal(await names("dim_design_as_of_batch(2)"), after);
  assert.equal(await names("dim_design_as_of_batch(0)"), null);
  assert.equal(await names("dim_design_as_of_time('9999-01-01')"), after);
  assert.equal(await names("dim_design_as_of_time('infinity')"), after);
  assert.equal(await names("dim_design_as_of_time('-infinity')"), null);
  assert.equal(
    await names("dim_design_as_of_batch(9223372036854775807)"),
    after,
  );
  const history = await lake.rows(
    `select design_name, from_batch, to_batch from totes.dim_design_history
    where design_id = 2 order by from_batch`,
  );
  assert.deepEqual(history, [
    { design_name: "Wooden", from_batch: "1", to_batch: "2" },
    { design_name: "Tin", from_batch: "2", to_batch: null },
  ]);
});

Deno.test("lake.duckdb needs no window function for current and past rows", async () => {
  await using platform = await openPlatform();
  platform.context.compaction = { fanOut: 2 };
  await runTwice(platform);
  await execute(
    platform.source.client,
    "delete from design where design_id = 3",
  );
  await platform.extract();
  await platform.transform();
  await using lake = await openLake(platform);
  const plan = async (relation: string) => {
    const rows = await lake.rows(`explain from totes.dim_design_${relation}`);
    return JSON.stringify(rows);
  };

  assert.match(await plan("history"), /WINDOW/);
  for (const relation of ["current", "as_of_batch(2)", "as_of_time(now())"]) {
    assert.doesNotMatch(await plan(relation), /WINDOW/, relation);
  }
  const [design] = await lake.rows(`${NAMES} from totes.dim_design_current`);
  assert.equal(design?.names, "Wooden Tin");
});

for (const zone of ["America/New_York", "Asia/Tokyo"]) {
  Deno.test(`lake.duckdb and the warehouse agree on times in ${zone}`, async () => {
    await using platform = await openPlatform();
    await runTwice(platform);
    await platform.load();
    const { client } = platform.warehouse;
    const { snapshotTime } = await processedManifest(platform, 1);
    const [local] = await query(
      client,
      `select to_char(timestamptz '${snapshotTime}' at time zone '${zone}',
        'YYYY-MM-DD HH24:MI:SS.US') as text`,
    );
    await client.query(`set timezone to '${zone}'`);
    const instance = await DuckDBInstance.create(":memory:");
    const lake = await instance.connect();
    await lake.run(`set timezone = '${zone}'`);
    await lake.run(
      `attach '${platform.config.processedUrl}/lake.duckdb' as totes (read_only)`,
    );
    const before = "Wooden Wooden Wooden";
    const earlier = "- interval '1 microsecond'";

    for (
      const [moment, expected] of [
        [`'${snapshotTime}'`, before],
        [`'${snapshotTime.replace("Z", "+00")}'`, before],
        [`timestamptz '${snapshotTime}'`, before],
        [`timestamptz '${snapshotTime}' ${earlier}`, null],
        [`'${local?.text}'`, before],
        [`timestamp '${local?.text}'`, before],
        [`timestamp '${local?.text}' ${earlier}`, null],
        ["now()", "Wooden Tin Wooden"],
        ["now() - interval '1 hour'", null],
      ] as const
    ) {
      const asOf = `dim_design_as_of_time(${moment})`;
      const inLake = await lake.runAndReadAll(`${NAMES} from totes.${asOf}`);
      const [inWarehouse] = await query(client, `${NAMES} from ${asOf}`);
      assert.deepEqual(inLake.getRowsJson(), [[expected]], moment);
      assert.equal(inWarehouse?.names, expected, moment);
    }
    lake.closeSync();
    instance.closeSync();
  });
}

Deno.test("lake.duckdb has comments on views and columns from the models' headers", async () => {
  const source = `create table reading (
    sensor_id integer primary key, "It's hot" boolean not null
);`;
  const sql = await projectOf({
    "source.sql": source,
    "models/dim_reading.sql": `-- Readings.
--
-- Key: sensor_id.
-- Columns:
--   "It's hot": whether somebody's hand was burnt

select sensor_id, "It's hot" from changed.reading`,
  });
  await using platform = await openPlatform({ sql, sourceSql: source });
  await platform.extract();
  await platform.transform();

  await using lake = await openLake(platform);
  const columns = await lake.rows(
    `select table_name, comment from duckdb_columns()
    where database_name = 'totes' and comment is not null
      and table_name like 'dim%' order by 1`,
  );
  const says = "Whether somebody's hand was burnt.";
  assert.deepEqual(columns, [
    { table_name: "dim_reading_current", comment: says },
    { table_name: "dim_reading_history", comment: says },
  ]);
  const [quarantine] = await lake.rows(
    `select comment from duckdb_views() where view_name = 'quarantine_current'`,
  );
  assert.match(quarantine?.comment ?? "", /^Rows of the source/);
});

Deno.test("lake.duckdb has empty views of models without rows", async () => {
  await using platform = await openPlatform();
  await platform.extract();
  await platform.transform();

  await using lake = await openLake(platform);

  for (const { name } of PROJECT_SQL.models) {
    for (const suffix of ["current", "history", "as_of_batch(1)"]) {
      assert.deepEqual(await lake.rows(`from totes.${name}_${suffix}`), []);
    }
  }
});
