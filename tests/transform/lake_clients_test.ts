import assert from "node:assert/strict";
import { join } from "node:path";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

/** The oldest of 1.2 that can be installed from npm, and the newest of all. */
const CLIENTS = [
  { version: "1.2.1-alpha.17", opens: /^v1\.2\.1$/ },
  { version: "latest", opens: /^v[1-9]/ },
];
/** A registry that is silent for so long is not there. */
const FETCH_MS_MAX = 20_000;
const BATCHES = 4;

const found: typeof CLIENTS = [];
for (const client of CLIENTS) {
  const missing = await whyMissing(client.version);
  if (missing === undefined) found.push(client);
  else console.log(`No DuckDB ${client.version} from npm: ${missing}`);
}

Deno.test({
  name: "the oldest and the newest DuckDB read a lake with merged files",
  ignore: found.length < CLIENTS.length,
  fn: async () => {
    await using platform = await mergedLake();
    for (const client of found) await assertReads(platform, client);
  },
});

/** Four batches, of which the first three are merged. */
async function mergedLake(): Promise<Platform> {
  const platform = await openPlatform();
  const { client } = platform.source;
  platform.context.compaction = { fanOut: 3 };
  await fillSmall(client);
  for (let batch = 1; batch <= BATCHES; batch++) {
    await execute(
      client,
      `update sales_order set units_sold = ${batch} where sales_order_id = 1`,
      insertOrder(10 + batch, batch),
      ...batch === 3
        ? ["delete from sales_order where sales_order_id = 11"]
        : [],
    );
    await platform.extract();
    await platform.transform();
  }
  return platform;
}

async function assertReads(
  platform: Platform,
  { version, opens }: typeof CLIENTS[number],
): Promise<void> {
  const orders = "list(units_sold order by sales_order_id) as units";
  const of = (relation: string) =>
    `select ${orders} from totes.fact_sales_order_${relation}`;

  const { code, lines, stderr } = await runClient(
    version,
    `${platform.config.processedUrl}/lake.duckdb`,
    of("current"),
    of("as_of_batch(2)"),
    of("as_of_time(now())"),
    of("as_of_time('2020-01-01 00:00:00')"),
    `select from_batch, to_batch from totes.fact_sales_order_history
    where sales_order_id in (1, 11) order by sales_order_id, from_batch`,
    "select count(*) as files from totes.lake.files where from_batch < to_batch",
  );

  assert.equal(code, 0, stderr);
  const [engine, now, two, nowToo, never, history, merged] = lines;
  const units = [4, 2000, 3000, 2, 3, 4];
  assert.match(engine.version, opens);
  assert.deepEqual(now, [{ units }]);
  assert.deepEqual(two, [{ units: [2, 2000, 3000, 1, 2] }]);
  assert.deepEqual(nowToo, [{ units }]);
  assert.deepEqual(never, [{ units: null }]);
  assert.deepEqual(
    history.map((row: Record<string, string>) => Object.values(row)),
    [["1", "2"], ["2", "3"], ["3", "4"], ["4", null], ["1", "3"]],
  );
  assert.notEqual(merged[0].files, "0");
}

/** Undefined when that DuckDB is there, from npm or from an earlier run. */
async function whyMissing(version: string): Promise<string | undefined> {
  const { code, stderr } = await runClient(version);
  if (code === 0) return undefined;
  return stderr.trim().split("\n").at(0) || "it took too long";
}

/** Runs a DuckDB of another version, by a process that has only that one. */
async function runClient(version: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      "--no-config",
      "--no-lock",
      join(platformDirectory(), "tests/harness/readers/lake_client.ts"),
      version,
      ...args,
    ],
    signal: AbortSignal.timeout(FETCH_MS_MAX),
  }).output();
  const texts = new TextDecoder().decode(stdout).split("\n");
  return {
    code,
    lines: texts.filter((text) => text !== "").map((text) => JSON.parse(text)),
    stderr: new TextDecoder().decode(stderr),
  };
}
