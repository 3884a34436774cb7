import assert from "node:assert/strict";
import { join } from "node:path";
import { queryRow } from "../../lib/postgres/postgres.ts";
import {
  type ProjectSql,
  readProjectSql,
} from "../../lib/project/project_sql.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { resyncTables } from "../../load/repair/resync_tables.ts";
import { verify } from "../../verify/verify.ts";
import { companyOf } from "../harness/companies/company_of.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { differences } from "../harness/repair.ts";

/** Postgres's most for a table, 1,600, less what load adds to a fact. */
const FACT_COLUMNS = 1595;
const WIDTHS: Readonly<Record<string, number>> = {
  dim_of_97: 97,
  dim_of_120: 120,
  fact_of_most: FACT_COLUMNS,
};
const OWN = `valid_from timestamptz, valid_to timestamptz, from_batch bigint,
  to_batch bigint`;

function columnsOf(width: number): string[] {
  return Array.from({ length: width }, (_, index) => `c${index}`);
}

/** Models as wide as these names say, each of a table of its own. */
async function wideSql(): Promise<ProjectSql> {
  const folder = await Deno.makeTempDir();
  const write = (name: string, text: string) =>
    Deno.writeTextFile(join(folder, name), text);
  for (const name of ["models", "warehouse"]) {
    await Deno.mkdir(join(folder, name));
  }
  const models = Object.keys(WIDTHS).map((name) => ({
    name,
    kind: name.startsWith("dim") ? "dimension" : "fact",
  }));
  const tables: string[] = [];
  let contract = "";
  for (const { name, kind } of models) {
    const columns = columnsOf(WIDTHS[name] ?? 0);
    const typed = columns.map((column) => `    ${column} integer`);
    contract += `create table source_${name} (\n${
      typed.join(",\n").replace("c0 integer", "c0 integer not null")
    },\n    primary key (c0)\n);\n`;
    await write(
      `models/${name}.sql`,
      `-- Key: c0.\n\nselect ${columns.join(", ")} from changed.source_${name}`,
    );
    tables.push(
      kind === "fact"
        ? `create table ${name} (record_id bigint primary key, ${typed}, ${OWN});
          create unique index on ${name} (c0) where to_batch is null;`
        : `create table ${name} (${typed}, ${OWN},
            is_placeholder boolean not null default false, primary key (c0));
          create table ${name}_closed (${typed}, ${OWN},
            primary key (c0, from_batch));`,
    );
  }
  await write("source.sql", contract);
  await write("warehouse/0002_tables.sql", tables.join("\n"));
  const sql = readProjectSql(folder);
  await Deno.remove(folder, { recursive: true });
  return sql;
}

Deno.test("load, rebuild and resync take models as wide as Postgres's tables", async () => {
  const sql = await wideSql();
  const sourceSql = Object.entries(WIDTHS).map(([name, width]) =>
    `create table source_${name} (${
      columnsOf(width).map((column) => `${column} integer`)
    }, primary key (c0));
    insert into source_${name} (c0, c1, c${width - 1}) values (1, 1, 1),
      (2, 2, 2);`
  ).join("\n");
  await using platform = await openPlatform({ sql, sourceSql });
  platform.set({ duckDbMemoryLimit: "2GB" });
  const { source, warehouse, context } = platform;
  const state = async () => {
    const parts = Object.entries(WIDTHS).map(([name, width]) =>
      `(select string_agg(concat_ws(' ', c0, c1, c${width - 1}, from_batch,
          to_batch), ', ' order by c0, from_batch)
        from ${name}_history) as ${name}`
    );
    return { ...await queryRow(warehouse.client, `select ${parts}`) };
  };
  await platform.run();
  for (const [name, width] of Object.entries(WIDTHS)) {
    await execute(
      source.client,
      `update source_${name} set c${width - 1} = 7 where c0 = 1`,
      `delete from source_${name} where c0 = 2`,
    );
  }
  platform.set({ deleteShareMax: 1 });

  await platform.run();

  const loaded = Object.fromEntries(
    Object.keys(WIDTHS).map((name) => [name, "1 1 1 1 2, 1 1 7 2, 2 2 2 1 2"]),
  );
  assert.deepEqual(await state(), loaded);
  await execute(
    warehouse.client,
    "update dim_of_97 set c96 = 0",
    "update dim_of_120 set c119 = 0",
    "delete from dim_of_97_closed",
    `update fact_of_most set c${FACT_COLUMNS - 1} = 0`,
    "insert into dim_of_97 (c0, c1) values (9, 9)",
  );
  await rebuildWarehouse(context);
  assert.deepEqual(await state(), loaded);
  await execute(warehouse.client, "delete from fact_of_most");
  const tables = Object.keys(WIDTHS).map((name) => `source_${name}`);
  await resyncTables(context, { tables });
  assert.deepEqual(await state(), loaded);
});

Deno.test("more texts than a Postgres function has arguments are read, also in a row that is too long", async () => {
  const texts = columnsOf(120).map((column) => `${column} text`);
  const table = `create table page (id integer, ${
    texts.join(", ")
  }, primary key (id));`;
  await using platform = await openPlatform({
    sql: companyOf(table.replace("integer", "integer not null")),
    sourceSql: table,
  });
  const { source, warehouse, context } = platform;
  await execute(
    source.client,
    "insert into page (id, c0) values (1, 'short'), (2, repeat('x', 17 << 20))",
  );

  await platform.run();

  assert.deepEqual(differences(await verify(context)), []);
  const { short, reason } = await queryRow(
    warehouse.client,
    `select (select c0 from fact_page_current) as short,
      (select reason from quarantine_current) as reason`,
  );
  assert.equal(short, "short");
  assert.equal(reason, "the row is longer than 16 MiB as CSV");
});
