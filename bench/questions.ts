import { DuckDBInstance } from "@duckdb/node-api";
import { join } from "node:path";
import { questions } from "../demo/measured_trade.ts";
import { withClient } from "../demo/with_client.ts";
import { LAKE_FILE } from "../lib/batches/lake_note.ts";

const REPEATS = 3;

/** How a relation of a model's rows is written, by the moment that it shows. */
type Moments = Record<string, (model: string) => string>;

/**
 * Asks ten questions of `lake.duckdb` and of the warehouse: of the current
 * rows, as of a batch, and as of that batch's time, in UTC. Prints the least
 * wall time of three each, and the others as multiples of the first.
 */
export async function askQuestions(
  env: { WAREHOUSE_URL: string; PROCESSED_URL: string },
  asOf: { batch: number },
): Promise<void> {
  let time = "";
  await withClient(env.WAREHOUSE_URL, async (client) => {
    const { rows } = await client.query(
      "select (snapshot_time at time zone 'UTC')::text as time from pipeline.batch where batch = $1",
      [asOf.batch],
    );
    time = rows[0].time;
  });
  const moments = (zone: string): Moments => ({
    current: (model) => `${model}_current`,
    "as of a batch": (model) => `${model}_as_of_batch(${asOf.batch})`,
    "as of a time": (model) => `${model}_as_of_time('${time}${zone}')`,
  });
  const lake = await DuckDBInstance.create();
  const duckdb = await lake.connect();
  await duckdb.run(
    `attach '${join(env.PROCESSED_URL, LAKE_FILE)}' as lake (read_only)`,
  );
  await duckdb.run("use lake");
  await ask("lake.duckdb", moments(""), async (sql) => {
    await duckdb.runAndReadAll(sql);
  });
  duckdb.closeSync();
  lake.closeSync();
  await withClient(env.WAREHOUSE_URL, async (client) => {
    await ask("the warehouse", moments("+00"), async (sql) => {
      await client.query(sql);
    });
  });
}

async function ask(
  where: string,
  moments: Moments,
  run: (sql: string) => Promise<void>,
): Promise<void> {
  const names = Object.keys(moments);
  const asked = Object.values(moments).map((rows) => questions(rows));
  const [first, ...others] = names;
  console.log(
    `| ${where} | ${first}, s | ${others.join(" | ")} |\n|${
      " --- |".repeat(names.length + 1)
    }`,
  );
  for (const question of Object.keys(asked[0] ?? {})) {
    const least = names.map(() => Infinity);
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      for (const [n, sql] of asked.entries()) {
        const start = performance.now();
        await run(sql[question] ?? "");
        least[n] = Math.min(least[n] ?? Infinity, performance.now() - start);
      }
    }
    const [current = 0, ...asOf] = least;
    console.log(
      `| ${question} | ${(current / 1000).toFixed(3)} | ${
        asOf.map((ms) => (ms / current).toFixed(1)).join(" | ")
      } |`,
    );
  }
}
