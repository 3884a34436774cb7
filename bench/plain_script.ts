/**
 * `deno run -A bench/plain_script.ts`: the first load as an engineer would
 * write it by hand: COPY the source's tables out as CSV, let DuckDB make the
 * models, and COPY those into tables with nothing but their primary keys. No
 * history, no deletes, no checks. SRC_URL and WH_URL are the databases, WORK is
 * a folder.
 */
import { DuckDBInstance } from "@duckdb/node-api";
import { join } from "node:path";
import pg from "pg";
import { withClient } from "../demo/with_client.ts";
import { platformDirectory } from "../lib/platform_directory.ts";
import { copyIn, copyOut } from "../lib/postgres/copy.ts";
import { quoteName, quoteNames, quoteText } from "../lib/sql/quote.ts";
import { typeSql } from "../lib/project/contract.ts";
import { readProjectSql } from "../lib/project/project_sql.ts";
import { warehouseType } from "../lib/project/warehouse_type.ts";

const setting = (name: string) => {
  const value = Deno.env.get(name);
  if (value === undefined) throw new Error(`${name} is missing`);
  return value;
};
const work = setting("WORK");
const sql = readProjectSql(join(platformDirectory(), "sql"));
const instance = await DuckDBInstance.create(":memory:");
const duckdb = await instance.connect();
await duckdb.run("create schema changed; create schema current");
await withClient(setting("SRC_URL"), async (client) => {
  await client.query("begin isolation level repeatable read read only");
  for (const table of sql.tables) await extractTable(client, table);
});
await withClient(setting("WH_URL"), async (client) => {
  await client.query("begin");
  for (const model of sql.models) await loadModel(client, model);
  await client.query("commit");
});
duckdb.closeSync();
instance.closeSync();

/** Writes a table as CSV, for the models to read. */
async function extractTable(
  client: pg.Client,
  { name, columns }: typeof sql.tables[number],
): Promise<void> {
  const path = join(work, `${name}.csv`);
  const names = quoteNames(columns.map((column) => column.name));
  const { pieces } = copyOut(
    client,
    `copy (select ${names} from ${quoteName(name)}) to stdout (format csv)`,
  );
  const file = await Deno.open(path, { create: true, write: true });
  for await (const piece of pieces) await file.write(piece);
  file.close();
  const types = columns.map((column) =>
    `${quoteText(column.name)}: ${quoteText(typeSql(column.type))}`
  );
  for (const schema of ["changed", "current"]) {
    await duckdb.run(
      `create view ${schema}.${quoteName(name)} as from read_csv(
        ${quoteText(path)}, header = false, columns = {${types.join(", ")}})`,
    );
  }
}

/** Makes a model, keeps it as Parquet, and copies it into a table of its own. */
async function loadModel(
  client: pg.Client,
  { name, sql: select, key, times }: typeof sql.models[number],
): Promise<void> {
  const parquet = quoteText(join(work, `${name}.parquet`));
  const csv = join(work, `${name}.load.csv`);
  await duckdb.run(
    `copy (${select}) to ${parquet} (format parquet, compression zstd)`,
  );
  await duckdb.run(
    `copy (from ${parquet}) to ${quoteText(csv)} (format csv, header false)`,
  );
  const described = await duckdb.runAndReadAll(`describe from ${parquet}`);
  const columns = described.getRowObjectsJson().map((column) => {
    const given = String(column.column_name);
    const isTime = times.includes(given);
    const type = warehouseType(String(column.column_type), { isTime });
    return `${quoteName(given)} ${type}`;
  });
  await client.query(
    `create table ${quoteName(name)} (${columns.join(", ")},
      primary key (${quoteNames(key)}))`,
  );
  const file = await Deno.open(csv);
  await copyIn(
    client,
    `copy ${quoteName(name)} from stdin (format csv)`,
    file.readable,
  );
  await Deno.remove(csv);
}
