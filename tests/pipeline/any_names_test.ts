import assert from "node:assert/strict";
import { join } from "node:path";
import { query } from "../../lib/postgres/postgres.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { resync } from "../../operate/resync.ts";
import { verify } from "../../verify/verify.ts";
import { inFolder } from "../harness/in_folder.ts";
import { openLake } from "../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../harness/platform.ts";
import { BUCKET } from "../harness/servers/s3.ts";
import {
  dimensionSql,
  smallProject,
} from "../harness/companies/small_project.ts";
import { fillSmall } from "../harness/companies/small_source.ts";

const LOT = `create table lot (
    lot_id integer not null,
    batch text,
    filename text,
    zone text,
    primary key (lot_id)
);
`;

function lotProject(): Promise<ProjectSql> {
  return smallProject({
    source: LOT,
    models: [{
      name: "dim_lot",
      key: ["lot_id"],
      sql: "select lot_id, batch as lot_batch, filename, zone from changed.lot",
    }],
    warehouse: dimensionSql(
      "dim_lot",
      "lot_id integer primary key, lot_batch text, filename text, zone text",
    ),
  });
}

const LOTS = ["(1,L7,f,z)", "(2,L8,,)"];

async function assertLots(platform: Platform): Promise<void> {
  const rows = await query(
    platform.warehouse.client,
    `select row_text::text as row_text from (select lot_id, lot_batch,
      filename, zone from dim_lot where to_batch is null) as row_text order by 1`,
  );
  assert.deepEqual(rows.map((row) => row.row_text), LOTS);
  await using lake = await openLake(platform);
  assert.deepEqual(
    (await lake.rows(
      "select lot_batch from totes.dim_lot_current order by lot_id",
    )).map((row) => row.lot_batch),
    ["L7", "L8"],
  );
}

for (const folder of ["plain", "zone=north/BATCH=9/filename=x", "a[1]*b"]) {
  Deno.test(`a zone's folder is not read as a column or a pattern: ${folder}`, () =>
    inFolder(async (base) => {
      await using platform = await openPlatform({
        sql: await lotProject(),
        sourceSql: LOT,
      });
      await Deno.mkdir(join(base, folder), { recursive: true });
      platform.set({
        ingestionUrl: join(base, folder, "in"),
        processedUrl: join(base, folder, "out"),
        tempDirectory: join(base, folder, "lot_id=5"),
      });
      const { client } = platform.source;
      await execute(
        client,
        "insert into lot values (1, 'L7', 'f', 'z'), (2, 'x', 'y', 'z')",
      );
      await platform.run();
      await execute(
        client,
        "update lot set batch = 'L8', filename = null, zone = null where lot_id = 2",
        "insert into lot values (3, 'gone')",
      );
      await platform.run();
      await execute(client, "delete from lot where lot_id = 3");
      await platform.run();

      await assertLots(platform);
    }));
}

Deno.test("a bucket's prefix is not read as a column", async () => {
  await using platform = await openPlatform({
    zones: "S3",
    sql: await lotProject(),
    sourceSql: LOT,
  });
  const base = `s3://${BUCKET}/${crypto.randomUUID()}/zone=x/BATCH=1`;
  platform.set({ ingestionUrl: `${base}/in`, processedUrl: `${base}/out` });
  await execute(
    platform.source.client,
    "insert into lot values (1, 'L7', 'f', 'z'), (2, 'L8', null, null)",
  );
  await platform.run();

  await assertLots(platform);
});

Deno.test("a table of the source may have the pipeline's own names", async () => {
  const source = ["quarantine", "bad", "arrived", "source"].map((name) =>
    `create table ${name} (
    row_key integer not null,
    _row_key text,
    _unreadable date,
    reason text,
    bad text,
    primary key (row_key)
);
`
  ).join("");
  const sql = await smallProject({
    source,
    models: [{
      name: "dim_bad",
      key: ["row_key"],
      sql: "select row_key, _row_key, _unreadable, reason from changed.bad",
    }, {
      // What Postgres calls a row that an upsert can't insert.
      name: "excluded",
      key: ["row_key"],
      derivation: "join",
      sql: `select quarantine.row_key, arrived.reason
        from current.quarantine left join current.arrived using (row_key)`,
    }],
    warehouse: dimensionSql(
      "dim_bad",
      "row_key integer primary key, _row_key text, _unreadable date, reason text",
    ) + dimensionSql("excluded", "row_key integer primary key, reason text"),
  });
  await using platform = await openPlatform({ sql, sourceSql: source });
  const { client } = platform.source;
  await execute(
    client,
    ...["quarantine", "bad", "arrived", "source"].map((name) =>
      `insert into ${name} values (1, 'k', '2022-01-01', 'r1', 'b'),
        (2, 'k', '0044-03-15 BC', 'r2', 'b')`
    ),
  );
  await platform.run();
  await execute(client, "update arrived set reason = 'r3'");
  await platform.run();

  const read = async (table: string) =>
    (await query(
      platform.warehouse.client,
      `select row_text::text as row_text from (${table}) as row_text order by 1`,
    )).map((row) => row.row_text);
  assert.deepEqual(
    await read("select row_key, _row_key, _unreadable, reason from dim_bad"),
    ["(1,k,2022-01-01,r1)"],
  );
  assert.deepEqual(await read("select row_key, reason from excluded"), [
    "(1,r3)",
  ]);
  assert.deepEqual(
    await read(
      "select table_name, row_key from quarantine where to_batch is null",
    ),
    ["(arrived,2)", "(bad,2)", "(quarantine,2)", "(source,2)"],
  );
  assert.equal((await verify(platform.context)).same, true);
});

/** The project's SQL with designs that have a file only. */
const FILTERED: ProjectSql = {
  ...PROJECT_SQL,
  models: PROJECT_SQL.models.map((model) =>
    model.name === "dim_design"
      ? { ...model, sql: `${model.sql} where file_name <> 'none'` }
      : model
  ),
};

Deno.test("a row that a model stops selecting ends its version, also in a full read", async () => {
  await using platform = await openPlatform({ sql: FILTERED });
  const { client } = platform.source;
  const designs = async () =>
    (await query(
      platform.warehouse.client,
      "select design_id from dim_design_current order by 1",
    )).map((row) => row.design_id);
  await fillSmall(client);
  await execute(
    client,
    "insert into design values (9, now(), 'New', 'a', 'none', now())",
  );
  await platform.run();
  assert.deepEqual(await designs(), [1, 2, 3]);

  await execute(
    client,
    "update design set file_name = 'none' where design_id = 1",
  );
  await platform.run();
  assert.deepEqual(await designs(), [2, 3]);
  const { comparisons } = await verify(platform.context);
  assert.ok(comparisons.every(({ differences }) => differences === 0));

  await execute(
    client,
    "update design set file_name = 'again' where design_id in (1, 9)",
    "update design set file_name = 'none' where design_id = 2",
  );
  await platform.extract({ fullRead: true });
  await platform.transform();
  await platform.load();
  assert.deepEqual(await designs(), [1, 3, 9]);
  const after = await verify(platform.context);
  assert.ok(after.comparisons.every(({ differences }) => differences === 0));
});

Deno.test("a full read ends versions that an older release left open", async () => {
  await using platform = await openPlatform({ sql: PROJECT_SQL });
  const { client } = platform.source;
  await fillSmall(client);
  await execute(
    client,
    "update design set file_name = 'none' where design_id = 2",
    "update design set created_at = 'infinity' where design_id = 3",
  );
  await platform.run();
  platform.context.sql = FILTERED;
  await platform.extract({ fullRead: ["design"] });
  await platform.transform();

  await using lake = await openLake(platform);
  assert.deepEqual(
    await lake.rows("select design_id from totes.dim_design_current"),
    [{ design_id: "1" }],
  );
});

const PAIR = `create table pair (
    a integer not null,
    b integer not null,
    c integer,
    primary key (a, b)
);
`;

Deno.test("the columns of a key are matched by their names", async () => {
  const sql = await smallProject({
    source: PAIR,
    models: [{
      name: "dim_pair",
      key: ["b", "x"],
      sql: "select c, b, a as x from changed.pair",
    }],
    warehouse: dimensionSql(
      "dim_pair",
      "c integer, b integer not null, x integer not null",
    ) + "alter table dim_pair add primary key (b, x);",
  });
  await using platform = await openPlatform({ sql, sourceSql: PAIR });
  const { client } = platform.source;
  const pairs = async () =>
    (await query(
      platform.warehouse.client,
      "select x, b from dim_pair where to_batch is null order by 1, 2",
    )).map(({ x, b }) => [x, b]);
  await execute(client, "insert into pair values (1, 2), (2, 1), (3, 4)");
  await platform.run();
  await execute(client, "delete from pair where a = 1");
  platform.set({ deleteShareMax: 1 });
  await platform.run();
  assert.deepEqual(await pairs(), [[2, 1], [3, 4]]);

  await execute(client, "delete from pair where a = 3");
  await platform.extract({ fullRead: true });
  await platform.transform();
  await platform.load();
  assert.deepEqual(await pairs(), [[2, 1]]);
});

Deno.test("two rows of 1,500 columns fit into little memory", async () => {
  const types = ["integer", "numeric(10,2)", "timestamp", "date", "text"];
  const columns = Array.from(
    { length: 1500 },
    (_, index) => `c${index} ${types[index % types.length]}`,
  );
  const source = `create table wide (
    id integer not null,
    ${columns.join(",\n    ")},
    primary key (id)
);
`;
  const sql = await smallProject({
    source,
    models: [{
      name: "dim_wide",
      key: ["id"],
      sql: `select id, ${
        columns.map((column) => column.split(" ")[0]).join(", ")
      } from changed.wide`,
    }],
  });
  await using platform = await openPlatform({ sql, sourceSql: source });
  platform.set({ duckDbMemoryLimit: "400MB", duckDbThreads: 4 });
  const { client } = platform.source;
  await execute(
    client,
    "insert into wide (id, c0, c3) values (1, 1, '2022-01-01'), (2, 2, '0044-03-15 BC')",
  );
  await platform.extract();
  await platform.transform();
  await execute(client, "update wide set c1 = 2.5, c3 = '2022-01-01'");
  await platform.extract({ fullRead: true });
  await platform.transform();

  await using lake = await openLake(platform);
  assert.deepEqual(
    await lake.rows(
      "select id, c0, c1, c3 from totes.dim_wide_current order by id",
    ),
    [
      { id: "1", c0: "1", c1: "2.50", c3: "2022-01-01" },
      { id: "2", c0: "2", c1: "2.50", c3: "2022-01-01" },
    ],
  );
});

const DUMPED = `CREATE TYPE sales.mood AS ENUM ('sad', 'ok');

CREATE TABLE sales."Order Details" (
    "OrderID" integer NOT NULL,
    "Line.No" character varying(9) NOT NULL,
    "select" text,
    "Größe (cm)" numeric(10,2) DEFAULT 1.0 NOT NULL,
    "the mood" sales.mood,
    -- leaves out: photo
    tags text[]
);

CREATE TABLE "Stock ".part (
    "Part" character(3) NOT NULL,
    "Größe" double precision,
    since timestamp(3) with time zone
);

ALTER TABLE ONLY sales."Order Details"
    ADD CONSTRAINT "Order Details_pkey" PRIMARY KEY ("OrderID", "Line.No");
ALTER TABLE ONLY "Stock ".part
    ADD CONSTRAINT part_pkey PRIMARY KEY ("Part");
`;

Deno.test("names in several schemas may have any characters, as pg_dump writes them", async () => {
  const sql = await smallProject({
    source: DUMPED,
    models: [
      {
        name: "Fact Größe",
        kind: "fact",
        key: ["OrderID", "Line.No"],
        derivation: "join",
        recordId: "record id",
        sql: `select "OrderID", "Line.No", "select", "Größe (cm)", "the mood",
            tags, cast("Größe" as double) as "Part size"
          from current."order details" as line
          left join current.Part as part on part."Part" = line."Line.No"`,
      },
      {
        name: "dim_part",
        key: ["Part"],
        sql: `select "Part", since from changed.part`,
      },
    ],
  });
  await using platform = await openPlatform({
    sql,
    sourceSql: `create schema sales; create schema "Stock "; ${DUMPED}
      alter table sales."Order Details" add photo bytea`,
  });
  const { source: { client }, warehouse } = platform;
  await execute(
    client,
    `insert into sales."Order Details" values
      (1, 'a b', 'x', 2.5, 'sad', '{a,"b c"}'), (1, 'L2', null, 1, null, null),
      (2, 'L1', 'y', 7, 'ok', '{}')`,
    `insert into "Stock ".part values ('L1', 0.1, '2020-01-01 00:00:00.123+00')`,
  );
  await platform.run();
  await execute(
    client,
    `update sales."Order Details" set "select" = 'z' where "OrderID" = 2`,
    `delete from sales."Order Details" where "Line.No" = 'L2'`,
    `update "Stock ".part set "Größe" = 0.3`,
    `alter type sales.mood rename value 'sad' to 'glad'`,
  );
  await platform.run();

  const verification = await verify(platform.context);

  assert.equal(verification.same, true);
  const rows = await query(
    warehouse.client,
    `select row(held.*)::text as held from (
      select "OrderID", "Line.No", "select", "the mood", tags, "Part size"
      from "Fact Größe" where to_batch is null order by 1) as held`,
  );
  assert.deepEqual(rows.map(({ held }) => held), [
    '(1,"a b",x,glad,"{a,""b c""}",)',
    "(2,L1,z,ok,{},0.3)",
  ]);
  assert.match(
    platform.logged.join("\n"),
    /"Order Details" is read whole: .*the mood/,
  );
  assert.doesNotMatch(platform.logged.join("\n"), /photo/);
  await resync(platform.context, { tables: ["Order Details"] });
  assert.equal((await verify(platform.context)).same, true);
});
