import assert from "node:assert/strict";
import { join } from "node:path";
import { makeCompanyFolder } from "../../init/main.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { readProjectSql } from "../../lib/project/project_sql.ts";
import { verify } from "../../verify/verify.ts";
import { inFolder } from "../harness/in_folder.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { openClient, settingsOf } from "../harness/servers/postgres.ts";

Deno.test("init takes no column for not null whose older rows may break that", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({
      sourceSql: `create table item (id integer primary key, name text);
        insert into item values (1, null)`,
      warehouse: "empty",
    });
    const { context, source: { client } } = platform;
    const [{ version } = { version: 0 }] = await query(
      client,
      "select current_setting('server_version_num')::integer as version",
    );
    if (Number(version) < 180_000) return;
    await execute(
      client,
      "alter table item add constraint named not null name not valid",
    );
    const into = join(folder, "sql");
    await makeCompanyFolder(context, { into });
    context.sql = readProjectSql(into);

    await platform.run();

    assert.equal((await verify(context)).same, true);
  }));

Deno.test("init takes a table that came with an extension only if it is named", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({
      // The server has no extension with a table of its own.
      sourceSql: `create table spatial_ref_sys (srid integer primary key);
        create extension file_fdw;
        alter extension file_fdw add table spatial_ref_sys;
        create table place (id integer primary key)`,
      warehouse: "empty",
    });
    const { context } = platform;
    const plain = { into: join(folder, "sql") };

    const told = await makeCompanyFolder(context, plain);

    assert.match(
      told,
      /left out: public\.spatial_ref_sys, since it belongs to the extension file_fdw/,
    );
    assert.deepEqual(
      readProjectSql(plain.into).tables.map(({ name }) => name),
      ["place"],
    );
    const named = { ...plain, into: join(folder, "named") };
    await makeCompanyFolder(context, {
      ...named,
      tables: ["spatial_ref_sys"],
    });
    assert.deepEqual(
      readProjectSql(named.into).tables.map(({ name }) => name),
      ["spatial_ref_sys"],
    );
  }));

/** A company whose catalogue has what most have not. */
const ODD_COMPANY = `
create schema "Lager Süd";
create domain positive as integer check (value > 0);
create collation any_case (
  provider = icu, locale = 'und-u-ks-level2', deterministic = false
);
create table brands (name text collate any_case primary key);
create table "Lager Süd".date (date date primary key, is_holiday boolean not null);
create table "Lager Süd"."Artikel" (
  sku uuid primary key,
  "select" text,
  "Select" text,
  "two
lines" text,
  " lead" text
);
comment on table "Lager Süd"."Artikel" is
  E'Kind: fact, said somebody.\\n\\nKey: "select".';
create table readings (id real primary key, value double precision not null);
create table codes (id numeric(8) primary key, code text not null unique);
create table weights (kilos numeric primary key);
create table grades (id positive primary key);
comment on table grades is 'Not-null: all of them.';
create table moves (
  id bigint not null,
  moved timestamptz not null,
  sku uuid not null references "Lager Süd"."Artikel",
  day date not null references "Lager Süd".date,
  due date,
  reading real references readings,
  code integer references codes,
  code_text text references codes (code),
  grade integer references grades,
  weight numeric references weights,
  brand text collate any_case references brands,
  primary key (moved, id)
) partition by range (moved);
create table moves_before partition of moves
  for values from (minvalue) to ('2026-01-01');
create table moves_after partition of moves
  for values from ('2026-01-01') to (maxvalue) partition by hash (id);
create table moves_after_0 partition of moves_after
  for values with (modulus 2, remainder 0);
create table moves_after_1 partition of moves_after
  for values with (modulus 2, remainder 1);
create table parent (id integer primary key);
create table child (more text) inherits (parent);
create table named (id regclass primary key);
create table "line
break" (id integer primary key);`;

const ODD_ROWS = [
  `insert into "Lager Süd".date values ('2026-05-01', true)`,
  `insert into "Lager Süd"."Artikel" values
    ('00000000-0000-0000-0000-000000000001', 'a', 'A', 'b')`,
  "insert into readings values (0.5, 'NaN'), (0.25, 1e300)",
  "insert into codes values (7, 'seven')",
  "insert into grades values (1)",
  "insert into weights values (2.50)",
  "insert into brands values ('Acme')",
  `insert into moves values
    (1, '2025-05-05', '00000000-0000-0000-0000-000000000001', '2026-05-01',
      '2026-05-03', 0.5, 7, 'seven', 1, 2.50, 'ACME'),
    (2, '2026-05-05', '00000000-0000-0000-0000-000000000001', '2026-05-01',
      null, null, null, null, null, null, null)`,
];

Deno.test("init leaves out unreadable tables and columns, and the rest runs with no edit", () =>
  inFolder(async (folder) => {
    const into = join(folder, "company");
    await using platform = await openPlatform({ sourceSql: ODD_COMPANY });
    const { source: { client }, warehouse, context } = platform;
    await execute(client, ...ODD_ROWS);

    const told = await makeCompanyFolder(context, { into });
    context.sql = readProjectSql(into);
    await platform.run();
    await execute(
      client,
      `update "Lager Süd"."Artikel" set "select" = 'c'`,
      "delete from moves where id = 2",
      "update readings set value = 2 where id = 0.25",
    );
    await platform.run();

    assert.equal((await verify(context)).same, true);
    // Said once, in the contract.
    assert.ok(!platform.logged.some((line) => line.includes('" lead"')));
    for (
      const said of [
        "left out: Lager Süd.Artikel. lead, since its name starts with a space",
        "left out: Lager Süd.Artikel.Select, since its name differs from that of select only by case",
        "left out: Lager Süd.Artikel.two\nlines, since its name starts with a space, or has a character that a name can't have",
        "left out: public.line\nbreak, since its name starts with a space",
        "left out: public.named, since it has no primary key",
        "left out: public.parent, since other tables inherit from it",
        "fact_moves: code refers to public.codes, whose key is numeric(8, 0) in dim_codes: cast it to that type",
        "fact_moves: code_text refers to public.codes by code, which is not the key of dim_codes",
        "fact_moves: brand refers to public.brands by a type or collation that treats different texts as equal",
        "fact_moves: grade refers to public.grades, whose key is text in dim_grades",
        "fact_moves: weight refers to dim_weights by a numeric as it is written: 1.5 is not 1.50",
      ]
    ) assert.ok(told.includes(said), `${said}: ${told}`);
    const found = context.sql.models.map((model) =>
      `${model.name} ${model.kind}: ${[...model.table.references].join(" ")}`
    );
    assert.deepEqual(found.toSorted(), [
      "dim_artikel dimension: ",
      "dim_brands dimension: ",
      "dim_calendar dimension: ",
      "dim_codes dimension: ",
      "dim_date dimension: ",
      "dim_grades dimension: ",
      "dim_readings dimension: ",
      "dim_weights dimension: ",
      "fact_moves fact: day,dim_date reading,dim_readings sku,dim_artikel weight,dim_weights moved_date,dim_calendar due,dim_calendar",
    ]);
    assert.deepEqual(
      await query(
        warehouse.client,
        `select fact.id, is_holiday, value, day_of_week, "select" as name
        from fact_moves_current as fact
        left join dim_date on dim_date.date = fact.day
        left join dim_readings on dim_readings.id = fact.reading
        left join dim_calendar on dim_calendar.date_id = fact.due
        left join dim_artikel using (sku)`,
      ),
      [{ id: "1", is_holiday: true, value: NaN, day_of_week: 7, name: "c" }],
    );
  }));

const ONE_TABLE = "create table thing (id integer primary key)";

Deno.test("init reports what the server hides, and the consequences", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({ sourceSql: ONE_TABLE });
    const { client, url } = platform.source;
    await execute(
      client,
      "create role init_reader login password 'of a test'",
      "revoke execute on function pg_control_system() from public",
    );
    try {
      const asReader = new URL(url);
      asReader.username = "init_reader";
      asReader.password = "of a test";
      platform.set({ source: settingsOf(asReader.href) });

      const told = await makeCompanyFolder(platform.context, {
        into: join(folder, "company"),
      });

      assert.match(told, /^PostgreSQL [\d.]+[^,\n]*\n/);
      assert.match(told, /public\.thing: this role may not read it yet/);
      assert.match(
        platform.logged.join("\n"),
        /does not show its system identifier: only transaction ids and rows will show/,
      );
    } finally {
      await execute(client, "drop role init_reader");
    }
  }));

Deno.test("init names types alike whatever the role's settings", () =>
  inFolder(async (folder) => {
    const into = join(folder, "company");
    await using platform = await openPlatform({
      sourceSql: "create table thing (id integer primary key, seen date, " +
        "note text, raw bytea)",
    });
    const { client, settings } = platform.source;
    await execute(
      client,
      `alter database ${settings.database} set quote_all_identifiers to on`,
    );

    await makeCompanyFolder(platform.context, { into });
    platform.context.sql = readProjectSql(into);
    await platform.extract();

    const [table] = platform.context.sql.tables;
    assert.deepEqual(
      table?.columns.map(({ type, carriedFrom }) => carriedFrom ?? type.name),
      ["integer", "date", "text", "bytea"],
    );
  }));

Deno.test("init takes names apart that differ by the case of other letters than A to Z", () =>
  inFolder(async (folder) => {
    const into = join(folder, "company");
    await using platform = await openPlatform({
      sourceSql:
        `create table "élève" (id integer primary key, "é" text, "É" text);
        create table "Élève" (id integer primary key, "Ä" numeric(9, 2));
        insert into "élève" values (1, 'a', 'b');
        insert into "Élève" values (2, 3)`,
      warehouse: "empty",
    });
    const { source: { client }, warehouse, context } = platform;

    const told = await makeCompanyFolder(context, { into });
    context.sql = readProjectSql(into);
    await platform.run();
    await execute(client, `update "élève" set "É" = 'c'`);
    await platform.run();

    assert.doesNotMatch(told, /left out/);
    assert.equal((await verify(context)).same, true);
    const [row] = await query(
      warehouse.client,
      `select "é", "É", "Ä" from dim_eleve_current
      cross join dim_eleve_2_current`,
    );
    assert.deepEqual(row && Object.values(row).toSorted(), ["3.00", "a", "c"]);
  }));

Deno.test("init waits for nobody's lock on a table or partition", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({
      sourceSql: `create table visit (
          id integer, at date default '2026-01-01', half numeric default 0.5,
          ends date generated always as (coalesce(at, 'infinity')) stored,
          primary key (id, at)
        ) partition by range (at);
        create table visit_old partition of visit
          for values from (minvalue) to ('2026-01-01');
        create table visit_new partition of visit default;
        create table ward (id integer primary key, name text default 'none')`,
      warehouse: "empty",
    });
    const { source, context } = platform;
    const [server] = await query(
      source.client,
      "select current_setting('server_version_num')::int >= 180000 as is_new",
    );
    if (server?.is_new) {
      await execute(
        source.client,
        "alter table visit add twice integer generated always as (id * 2)",
      );
    }
    const owner = await openClient(source.url);
    for (const table of ["visit", "visit_new", "ward"]) {
      await execute(
        owner,
        "begin",
        `lock table only ${table} in access exclusive mode`,
      );
      const start = performance.now();

      await makeCompanyFolder(context, {
        into: join(folder, table),
      });

      assert.ok(performance.now() - start < 5_000, table);
      await execute(owner, "rollback");
    }
    await owner.end();
  }));

Deno.test("init does not look at a partition whose detaching was interrupted", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({
      sourceSql: `create table visit (id integer primary key, day date)
          partition by range (id);
        create table visit_old partition of visit for values from (0) to (9);
        create table visit_new partition of visit for values from (9) to (99);
        insert into visit values (1, 'infinity'), (11, '2026-01-01')`,
      warehouse: "empty",
    });
    const { source: { client, url }, context } = platform;
    const reader = await openClient(url);
    await execute(reader, "begin", "lock table visit in access share mode");
    await execute(client, "set statement_timeout to '500ms'");
    await assert.rejects(
      execute(
        client,
        "alter table visit detach partition visit_old concurrently",
      ),
      /statement timeout/,
    );
    await reader.end();
    const into = join(folder, "sql");

    await makeCompanyFolder(context, { into });

    assert.match(
      await Deno.readTextFile(join(into, "source.sql")),
      /^ {4}day date,?$/m,
    );
  }));
