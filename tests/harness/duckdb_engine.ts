import { openDuckDb } from "../../lib/duckdb/duckdb.ts";
import {
  type Engine,
  type EngineInput,
  type EngineOutput,
  EngineRefusal,
} from "../../lib/engine.ts";
import { messageOf } from "../../lib/errors.ts";
import { quoteName, quoteText } from "../../lib/sql/quote.ts";
import type { Config } from "../../lib/settings/config.ts";
import type { Zone } from "../../lib/zone/zone.ts";

/** What a test changes of an engine. */
interface Changes {
  /** A query in place of a model's own. */
  sqlOf?: (output: EngineOutput) => string;
  /** How many rows it says it wrote, given how many it did. */
  says?: (rows: number) => number;
}

/**
 * An engine that is a second DuckDB: it sees nothing but the files that it is
 * given, and writes two for each model.
 */
export async function openDuckDbEngine(
  { config, zone }: { config: Config; zone: Zone },
  changes: Changes = {},
): Promise<Engine> {
  const { sqlOf = ({ model }) => model.sql, says = (rows) => rows } = changes;
  const duckdb = await openDuckDb(config, { zones: [zone.url] });
  await duckdb.run("create schema changed; create schema current");
  const folders = new Map<string, string[]>();
  return {
    about: { name: "other", version: "1" },
    carriedType: (type) => type,
    problemOf: () => undefined,
    register: async ({ schema, table, folder }: EngineInput) => {
      const name = `${schema}.${quoteName(table)}`;
      const all = [...folders.get(name) ?? [], folder];
      folders.set(name, all);
      const files = all.map((one) =>
        quoteText(`${zone.locate(one)}/*.parquet`)
      );
      await duckdb.run(
        `create or replace view ${name} as
        from read_parquet([${files.join(", ")}], hive_partitioning = false)`,
      );
    },
    run: async (output) => {
      const values = [
        ...output.columns.map(({ name }) => quoteName(name)),
        ...output.stamps.map(({ name, type, value }) =>
          `cast(${value} as ${type}) as ${quoteName(name)}`
        ),
      ];
      try {
        await duckdb.run(
          `create or replace table made as select ${values.join(", ")}
          from (${sqlOf(output)}) as made`,
        );
      } catch (error) {
        throw new EngineRefusal(messageOf(error));
      }
      for (const part of [0, 1]) {
        const path = zone.locate(`${output.folder}/part_${part}`);
        await duckdb.run(
          `copy (from made where rowid % 2 = ${part}) to ${quoteText(path)}
          (format parquet)`,
        );
      }
      const [found] = await duckdb.rows("select count(*) as rows from made");
      return { rows: says(Number(found?.rows)) };
    },
    [Symbol.asyncDispose]: () => duckdb[Symbol.asyncDispose](),
  };
}
