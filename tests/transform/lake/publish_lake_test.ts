import { DuckDBInstance } from "@duckdb/node-api";
import assert from "node:assert/strict";
import { join } from "node:path";
import { BatchLog } from "../../../lib/batches/batch_log.ts";
import type { ProcessedManifest } from "../../../lib/batches/manifest.ts";
import { openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import { query } from "../../../lib/postgres/postgres.ts";
import { quoteText } from "../../../lib/sql/quote.ts";
import { sha256Hex } from "../../../lib/zone/checksum.ts";
import { DirectoryZone } from "../../../lib/zone/directory_zone.ts";
import { readStatus } from "../../../operate/read_status.ts";
import { sweep } from "../../../sweep/sweep.ts";
import { publishLake } from "../../../transform/lake/publish_lake.ts";
import { sealed } from "../../../transform/lake/sealed_file.ts";
import { registerModels } from "../../../lib/models/register_models.ts";
import { transform } from "../../../transform/transform.ts";
import { copyFolder } from "../../harness/cluster.ts";
import { inFolder } from "../../harness/in_folder.ts";
import { processedManifest } from "../../harness/manifests.ts";
import { openLake } from "../../harness/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../../harness/platform.ts";
import { projectOf, smallProject } from "../../harness/small_project.ts";
import { fillSmall } from "../../harness/small_source.ts";

const RENAME = "update design set design_name = 'Tin' where design_id = 2";
const NAMES = "select string_agg(design_name, ' ' order by design_id) as names";

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

/** A lake as an analyst attaches it, in a DuckDB of theirs. */
async function attached(place: string) {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  await connection.run(`attach ${quoteText(place)} as totes (read_only)`);
  return {
    rows: async (sql: string) => {
      const reader = await connection.runAndReadAll(sql);
      return reader.getRowObjectsJson();
    },
    [Symbol.asyncDispose]: () => {
      connection.closeSync();
      instance.closeSync();
      return Promise.resolve();
    },
  };
}

Deno.test("a copied lake reports that it is a copy, until transform makes one there", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform();
    await fillSmall(platform.source.client);
    await platform.run();
    const { processedUrl } = platform.config;
    const copy = join(folder, "copied zone");
    await copyFolder(processedUrl, copy);
    const queries = [
      "select count(*) as rows from totes.fact_payment_current",
      "select count(*) as rows from totes.dim_staff_history",
      "select count(*) as rows from totes.fact_payment_as_of_batch(1)",
      "select count(*) as rows from totes.dim_staff_as_of_time(now())",
    ];
    const counts = async (place: string) => {
      await using lake = await attached(place);
      // One after the other: a connection that is closed under one crashes.
      const counted = [];
      for (const query of queries) {
        counted.push((await lake.rows(query))[0]?.rows);
      }
      return counted;
    };
    await using lake = await attached(`${copy}/lake.duckdb`);
    for (const query of queries) {
      await assert.rejects(
        lake.rows(query),
        (error: Error) => {
          assert.match(error.message, /This lake\.duckdb was moved or copied/);
          assert.ok(error.message.includes(`${processedUrl}/lake.duckdb`));
          return true;
        },
        query,
      );
    }
    const single = join(folder, "mine.duckdb");
    await Deno.copyFile(`${processedUrl}/lake.duckdb`, single);
    await assert.rejects(counts(single), /was moved or copied/);
    await Deno.symlink(processedUrl, join(folder, "link"));
    assert.deepEqual(
      await counts(join(folder, "link", "lake.duckdb")),
      await counts(`${processedUrl}/lake.duckdb`),
    );
    const before = await counts(`${processedUrl}/lake.duckdb`);

    platform.set({ processedUrl: copy });
    await platform.transform();
    await Deno.remove(processedUrl, { recursive: true });

    assert.deepEqual(await counts(`${copy}/lake.duckdb`), before);
  }));

Deno.test("runs that see a zone by two paths don't replace each other's lake", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform();
    await fillSmall(platform.source.client);
    await platform.run();
    const one = platform.config.processedUrl;
    const other = join(folder, "mounted");
    const lakeAt = async (zone: string) => {
      platform.set({ processedUrl: zone });
      await platform.transform();
      return await Deno.readFile(`${zone}/lake.duckdb`);
    };
    // As by a mount on another machine: each path is there for one of them.
    const visit = async (from: string, to: string) => {
      await Deno.rename(from, to);
      return await lakeAt(to);
    };

    const mounted = await visit(one, other);
    platform.logged.length = 0;
    const back = await visit(other, one);
    const again = await lakeAt(one);

    assert.deepEqual(back, mounted);
    assert.deepEqual(again, mounted);
    const warned = platform.logged.filter((line) =>
      /stays unchanged/.test(line)
    );
    assert.equal(warned.length, 2);
    assert.ok(warned[0]?.includes(`was published for ${other}`));
    assert.ok(warned[0]?.includes(`here it is ${one}`));
    await Deno.remove(`${one}/lake.duckdb`);
    await lakeAt(one);
    await using lake = await attached(`${one}/lake.duckdb`);
    await lake.rows("from totes.fact_payment_current");
  }));

Deno.test("a link to a zone is the same zone", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform();
    await fillSmall(platform.source.client);
    await platform.run();
    const { processedUrl } = platform.config;
    const hash = async () =>
      sha256Hex(await Deno.readFile(`${processedUrl}/lake.duckdb`));
    const before = await hash();
    await Deno.symlink(processedUrl, join(folder, "link"));

    platform.set({ processedUrl: join(folder, "link") });
    await platform.transform();

    assert.equal(await hash(), before);
  }));

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

Deno.test("transform() repairs a lake.duckdb that lags behind, with nothing else to do", async () => {
  await using platform = await openPlatform();
  const path = lakeOf(platform);
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();
  const stale = await Deno.readFile(path);
  await execute(platform.source.client, RENAME);
  await platform.extract();
  await platform.transform();
  await Deno.writeFile(path, stale);

  const { batches } = await platform.transform();

  assert.deepEqual(batches, []);
  assert.deepEqual(await about(platform), ["2"]);
});

Deno.test("transform() replaces the views of another SQL", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();
  await platform.extract();
  platform.context.sql = { ...PROJECT_SQL, transformHash: "another" };

  await transform(platform.context, { accept: true });

  await using lake = await openLake(platform);
  assert.deepEqual(await lake.rows("from totes.lake.about"), [
    {
      ...(await lake.rows("from totes.lake.about"))[0],
      batch: "2",
      transform_hash: "another",
    },
  ]);
  const [designs] = await lake.rows(
    "select count(*) as designs from totes.dim_design_current",
  );
  assert.equal(designs?.designs, "3");
});

for (
  const { lake: kind, fill } of [
    { lake: "a full lake", fill: runTwice },
    { lake: "a lake of empty models", fill: runWithDesigns },
  ]
) {
  Deno.test(`transform() replaces only the views of models with new files, of ${kind}`, async () => {
    await using platform = await openPlatform();
    await fill(platform);
    await edit(platform, [
      "comment on view fact_payment_current is 'kept'",
      "comment on view dim_design_current is 'kept'",
    ]);
    await seal(platform);
    await execute(
      platform.source.client,
      "update design set design_name = 'Zinc' where design_id = 1",
    );
    await platform.extract();

    await platform.transform();

    await using published = await openLake(platform);
    const kept = await published.rows(
      "select view_name from duckdb_views() where comment = 'kept'",
    );
    assert.deepEqual(kept, [{ view_name: "fact_payment_current" }]);
    const [now] = await published.rows(
      `${NAMES} from totes.dim_design_current`,
    );
    assert.equal(now?.names, "Zinc Tin Wooden");
    assert.deepEqual(await about(platform), ["3"]);
  });
}

for (
  const statement of [
    "create or replace view dim_staff_current as select 'ours' as mark",
    "create or replace macro dim_staff_as_of_batch(batch_number) as table select 1",
    "drop view dim_staff_history",
    "create view of_ours as select 1 as one",
    "delete from lake.lake.files",
  ]
) {
  Deno.test(`transform() replaces a lake in which somebody ran: ${statement}`, async () => {
    await using platform = await openPlatform();
    await runTwice(platform);
    await edit(platform, [statement]);

    await platform.transform();

    await using published = await openLake(platform);
    const counts = await published.rows(
      `select count(*) as staff from totes.dim_staff_current
      union all select count(*) from totes.dim_staff_history
      union all select count(*) from totes.dim_staff_as_of_batch(2)`,
    );
    assert.deepEqual(counts.map(({ staff }) => staff), ["4", "4", "4"]);
    const [ours] = await published.rows(
      "select count(*) as views from duckdb_views() where view_name = 'of_ours'",
    );
    assert.equal(ours?.views, "0");
  });
}

Deno.test("transform() replaces all views made by other code", async () => {
  await using platform = await openPlatform();
  await runTwice(platform);
  await edit(platform, [
    "alter table lake.lake.about drop column views",
    "create or replace view dim_staff_current as select 'old' as mark",
  ]);
  await seal(platform);

  await platform.transform();

  await using published = await openLake(platform);
  const [staff] = await published.rows(
    "select count(*) as staff from totes.dim_staff_current",
  );
  assert.equal(staff?.staff, "4");
});

Deno.test("publishLake() never replaces a lake by one of an earlier batch", async () => {
  await using platform = await openPlatform();
  await runTwice(platform);
  const published = sha256Hex(await Deno.readFile(lakeOf(platform)));

  await publish(platform, { batch: 1 });

  assert.equal(sha256Hex(await Deno.readFile(lakeOf(platform))), published);
});

Deno.test("publishLake() keeps the lake of a run that came first, and continues from it", async () => {
  await using platform = await openPlatform();
  await runTwice(platform);
  const newest = await Deno.readFile(lakeOf(platform));
  await Deno.remove(lakeOf(platform));
  const zone = new DirectoryZone(platform.config.processedUrl);
  const create = zone.create.bind(zone);
  let created = 0;
  zone.create = async (key, content) => {
    created++;
    await create(key, newest);
    return await create(key, content);
  };

  await publish(platform, { zone });

  assert.equal(created, 1);
  assert.equal(
    sha256Hex(await Deno.readFile(lakeOf(platform))),
    sha256Hex(newest),
  );
});

Deno.test("publishLake() reports that other runs always come first", async () => {
  await using platform = await openPlatform();
  await runTwice(platform);
  await Deno.remove(lakeOf(platform));
  const zone = new DirectoryZone(platform.config.processedUrl);
  let tries = 0;
  zone.create = () => {
    tries++;
    return Promise.resolve(false);
  };

  await publish(platform, { zone });

  assert.equal(tries, 5);
  assert.deepEqual(platform.logged.slice(-1), [
    "warning: lake.duckdb was not replaced: other runs came first 5 times",
  ]);
});

Deno.test("transform() commits and warns when lake.duckdb can't be written", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.extract();
  await Deno.mkdir(lakeOf(platform), { recursive: true });

  const { batches } = await platform.transform();

  assert.deepEqual(batches, [1]);
  assert.match(
    platform.logged.at(-1) ?? "",
    /^error: lake.duckdb can't be replaced, and stays unchanged/,
  );
});

Deno.test("status reports that lake.duckdb can't be replaced, until it is replaced", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { context } = platform;
  const transformed = async () => {
    const { stages } = await readStatus(context);
    return stages.find(({ stage }) => stage === "transform");
  };
  await fillSmall(platform.source.client);
  await platform.extract();
  await Deno.mkdir(lakeOf(platform), { recursive: true });
  await platform.transform();
  await platform.load();
  const first = await transformed();
  await platform.transform();

  const again = await transformed();

  assert.match(
    first?.problem ?? "",
    /^lake\.duckdb can't be replaced since 20/,
  );
  assert.match(first?.hint ?? "", /the next transform replaces it/);
  const since = (problem = "") => problem.slice(0, problem.indexOf(": "));
  assert.equal(since(again?.problem), since(first?.problem));
  assert.equal((await sweep(context, { zone: "processed" })).foreignFiles, 0);
  await Deno.remove(lakeOf(platform));
  await platform.transform();
  assert.equal((await transformed())?.problem, undefined);
});

async function runTwice(platform: Platform): Promise<void> {
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();
  await execute(platform.source.client, RENAME);
  await platform.extract();
  await platform.transform();
}

/** Two batches of `design` alone: no fact has a row. */
async function runWithDesigns(platform: Platform): Promise<void> {
  await execute(
    platform.source.client,
    `insert into design select id, '2022-11-03', 'Wooden', '/lib', 'file',
      '2022-11-03' from generate_series(1, 3) as id`,
  );
  await platform.extract();
  await platform.transform();
  await execute(platform.source.client, RENAME);
  await platform.extract();
  await platform.transform();
}

/** Publishes a lake as transform does. */
async function publish(
  platform: Platform,
  options: { batch?: number; zone?: DirectoryZone },
): Promise<void> {
  const { batch = 2 } = options;
  const zone = options.zone ?? new DirectoryZone(platform.config.processedUrl);
  await using duckdb = await openDuckDb(platform.config, { zones: [zone.url] });
  await publishLake(duckdb, {
    zone,
    batches: new BatchLog<ProcessedManifest>(zone, "transform"),
    newest: await processedManifest(platform, batch),
    sql: PROJECT_SQL,
    columns: await registerModels(duckdb, PROJECT_SQL),
    log: platform.context.log,
  });
}

async function about(platform: Platform): Promise<unknown[]> {
  await using lake = await openLake(platform);
  const rows = await lake.rows("select batch from totes.lake.about");
  return rows.map((row) => row.batch);
}

/** Changes the published lake, as an analyst who may write would. */
async function edit(
  platform: Platform,
  statements: readonly string[],
): Promise<void> {
  const instance = await DuckDBInstance.create(lakeOf(platform));
  const lake = await instance.connect();
  for (const statement of statements) await lake.run(statement);
  lake.closeSync();
  instance.closeSync();
}

/** Makes an edited lake the one that a run has published. */
async function seal(platform: Platform): Promise<void> {
  const path = lakeOf(platform);
  await Deno.writeFile(path, sealed(await Deno.readFile(path), ""));
}

function lakeOf(platform: Platform): string {
  return `${platform.config.processedUrl}/lake.duckdb`;
}
