import type { Engine } from "../../lib/engine.ts";
import { quoteName, quoteText } from "../../lib/sql/quote.ts";
import type { TrinoSettings } from "../../lib/settings/engine_settings.ts";
import { TrinoClient } from "../../lib/trino/trino_client.ts";
import { type HiveDialect, HiveEngine, type HiveWork } from "./hive_engine.ts";
import { trinoType } from "./trino_types.ts";

/** Opens Trino for one batch, through a catalog of its Hive connector. */
export async function openTrino(
  work: HiveWork & { settings: TrinoSettings; signal: AbortSignal },
): Promise<Engine> {
  const client = new TrinoClient(work.settings, work);
  const { catalog, schema } = work.settings;
  await client.run(
    `create schema if not exists ${quoteName(catalog)}.${quoteName(schema)}`,
  );
  const { rows: [row] } = await client.run("select version()");
  const engine = new HiveEngine(work, {
    about: { name: "trino", version: String(row?.[0] ?? "") },
    client,
    dialect: dialectOf(work.settings),
  });
  await engine.dropOld();
  return engine;
}

function dialectOf({ catalog, schema }: TrinoSettings): HiveDialect {
  const nameOf = (name: string) =>
    [catalog, schema, name].map(quoteName).join(".");
  return {
    carriedType: (type) => type,
    carry: (value) => value,
    uncarry: ({ name }) => quoteName(name),
    nameOf,
    createTable: (name, { columns, location }) => {
      const place = location.startsWith("s3://")
        ? location
        : `local://${location}`;
      const list = columns.map(({ name, type }) =>
        `${quoteName(name)} ${trinoType(type)}`
      );
      return `create table ${nameOf(name)} (${list.join(", ")})
      with (format = 'PARQUET', external_location = ${quoteText(place)})`;
    },
    dropTable: (name) => `drop table if exists ${nameOf(name)}`,
    listTables: `show tables from ${quoteName(catalog)}.${
      quoteName(schema)
    } like 'run\\_%' escape '\\'`,
  };
}
