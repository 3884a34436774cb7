/**
 * Does what an analyst does: opens `lake.duckdb` of the zone that
 * `PROCESSED_URL` names and runs queries, with DuckDB's defaults. Prints how
 * long each took, and how many Parquet files DuckDB reports to have read.
 */
import { DuckDBInstance } from "@duckdb/node-api";
import { TOTESYS } from "../../demo/examples.ts";
import { VALUE } from "../../demo/measured_trade.ts";
import { quoteText } from "../../lib/sql/quote.ts";

/** A query, or the opening of the lake, and what it took. */
export interface LakeRead {
  what: string;
  ms: number;
  /** Undefined if no file is read. */
  files?: number;
}

const { name: FACT, orderKey: KEY } = TOTESYS.fact;
const zone = Deno.env.get("PROCESSED_URL") ?? "";
const [batch = "1", key = "1"] = Deno.args;
const extensions = Deno.env.get("DUCKDB_EXTENSION_DIRECTORY");
const QUERIES = {
  "scan as it is now": `select count(*), sum(${VALUE})
    from totes.${FACT}_current`,
  "scan as of half of the batches": `select count(*), sum(${VALUE})
    from totes.${FACT}_as_of_batch(${batch})`,
  "history of one key": `select * from totes.${FACT}_history
    where ${KEY} = ${key}`,
};

const instance = await DuckDBInstance.create(":memory:", {
  threads: "2",
  ...extensions === undefined ? {} : { extension_directory: extensions },
});
const duckdb = await instance.connect();
if (zone.startsWith("s3://")) await openS3();
const reads: LakeRead[] = [];
const opened = performance.now();
await duckdb.run(
  `attach ${quoteText(`${zone}/lake.duckdb`)} as totes (read_only)`,
);
await duckdb.run("select * from totes.lake.about");
reads.push({ what: "open lake.duckdb", ms: performance.now() - opened });
for (const [what, sql] of Object.entries(QUERIES)) {
  const began = performance.now();
  await duckdb.runAndReadAll(sql);
  const ms = performance.now() - began;
  reads.push({ what, ms, files: await filesOf(sql) });
}
console.log(JSON.stringify(reads));
duckdb.closeSync();
instance.closeSync();
// The preloaded counter writes its report when the process ends.
Deno.exit(0);

/** How many Parquet files a query reads, according to DuckDB. */
async function filesOf(sql: string): Promise<number> {
  const reader = await duckdb.runAndReadAll(`explain analyze ${sql}`);
  const plan = reader.getRowsJson().map((row) => String(row[1])).join("\n");
  const found = [...plan.matchAll(/Total Files Read:\s*│?\s*(\d+)/g)];
  return found.reduce((sum, [, files]) => sum + Number(files), 0);
}

async function openS3(): Promise<void> {
  const endpoint = new URL(Deno.env.get("AWS_ENDPOINT_URL_S3") ?? "");
  await duckdb.run("load httpfs");
  const key = Deno.env.get("AWS_ACCESS_KEY_ID") ?? "";
  const secret = Deno.env.get("AWS_SECRET_ACCESS_KEY") ?? "";
  await duckdb.run(
    `create secret (type s3, key_id ${quoteText(key)},
      secret ${quoteText(secret)},
      region 'us-east-1', endpoint ${quoteText(endpoint.host)},
      url_style 'path', use_ssl false)`,
  );
}
