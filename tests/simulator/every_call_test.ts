import assert from "node:assert/strict";
import type { StageContext } from "../../lib/stage.ts";
import { transform } from "../../transform/transform.ts";
import { copyTree } from "../harness/copy_project.ts";
import { openLake } from "../harness/readers/oracle.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import {
  nameShop,
  SALE_SOURCE,
  saleProject,
} from "../harness/companies/sale_company.ts";
import { type FaultKind, SimulatedProcess } from "./simulated_process.ts";

const MODELS = {
  fact_sale: "select sale_id, units, shop_id from sale order by sale_id",
  dim_shop: "select shop_id, name from shop order by shop_id",
};
/** Each call has one of these by turns; what commits has all of them. */
const KINDS: readonly FaultKind[] = [
  "die before",
  "fail",
  "die half way",
  "fail after",
  "die after",
];
const COMMITS = "create _batches/";
const BATCHES = 5;

Deno.test("a fault at any call of a merge loses nothing, and readers see whole batches", async () => {
  await faultAtEachCall({
    // All but the last batch are made before, and then merged by two and two.
    made: BATCHES - 1,
    compaction: { fanOut: 2, mergesMax: 4 },
    first: "duckdb select count(*) as rows, sum(hash",
    last: "put lake.duckdb",
    includes: "-merged.",
  });
});

Deno.test("a fault at any call of a group's commit loses nothing, and readers see whole batches", async () => {
  await faultAtEachCall({
    made: 1,
    grouping: { batchesMin: 2, batchesMax: BATCHES },
    first: "create _live/",
    last: "put lake.duckdb",
    includes: "-group.json",
  });
});

/**
 * Runs transform over the last batches again and again, from the same zone,
 * each time with a fault at a later call; then reads, and lets it go on.
 */
async function faultAtEachCall(
  options: Pick<StageContext, "compaction" | "grouping"> & {
    /** So many batches are there before. */
    made: number;
    /** What the first call and the last begin with that get faults. */
    first: string;
    last: string;
    /** What one of them says. */
    includes: string;
  },
): Promise<void> {
  const { made, first, last, includes, ...bounds } = options;
  await using platform = await openCompany();
  Object.assign(platform.context, bounds);
  const states = new Map<number, string>();
  for (let batch = 1; batch <= BATCHES; batch++) {
    states.set(batch, await change(platform, batch));
    if (batch <= made) await platform.transform();
  }
  const zone = platform.config.processedUrl;
  await copyTree(zone, `${zone}-before`);
  const run = async (process: SimulatedProcess) => {
    const { resources } = process;
    await transform({ ...platform.context, resources }).catch(() => {});
    await process.settled();
  };
  const undisturbed = new SimulatedProcess([], NO_MOMENTS);
  await run(undisturbed);
  await assertWhole(platform, { states, what: "no fault", least: BATCHES });
  const { calls } = undisturbed;
  const from = calls.findIndex((call) => call.startsWith(first));
  const to = calls.findLastIndex((call) => call.startsWith(last));
  const among = calls.slice(from, to + 1);
  assert.ok(among.some((call) => call.includes(includes)), calls.join("\n"));

  for (const [index, call] of among.entries()) {
    const kind = KINDS[index % KINDS.length] ?? "fail";
    for (const each of call.startsWith(COMMITS) ? KINDS : [kind]) {
      const at = from + index + 1;
      const what = `${each} at ${at}: ${call}`;
      await Deno.remove(zone, { recursive: true });
      await copyTree(`${zone}-before`, zone);
      const process = new SimulatedProcess([{ at, kind: each }], NO_MOMENTS);
      await run(process);
      assert.equal(process.struck.length, 1, what);
      await assertWhole(platform, { states, what, least: made });

      await platform.transform();

      await assertWhole(platform, { states, what, least: BATCHES });
    }
  }
}

const NO_MOMENTS = {
  late: () => Promise.resolve(),
  snapshot: () => Promise.resolve(),
};

async function openCompany(): Promise<Platform> {
  const sql = await saleProject();
  return await openPlatform({ sql, sourceSql: SALE_SOURCE });
}

/** Makes a batch of the ingestion zone; gives what the source holds then. */
async function change(platform: Platform, batch: number): Promise<string> {
  const { client } = platform.source;
  await execute(
    client,
    `insert into sale values (${batch}, 1, 1), (${batch + 100}, 1, 1)`,
    `update sale set units = units + 1 where sale_id = ${batch - 1}`,
    `delete from sale where sale_id = ${batch + 98}`,
    nameShop(`Shop ${batch}`),
  );
  await platform.extract();
  const rows = [];
  for (const sql of Object.values(MODELS)) {
    rows.push((await client.query(sql)).rows);
  }
  return textOf(rows);
}

/** What is published holds each batch up to its own as the source was then. */
async function assertWhole(
  platform: Platform,
  options: {
    states: ReadonlyMap<number, string>;
    what: string;
    least: number;
  },
): Promise<void> {
  const { states, what, least } = options;
  await using lake = await openLake(platform);
  const [about] = await lake.rows("from totes.lake.about");
  const newest = Number(about?.batch);
  assert.ok(newest >= least, `${what}: batch ${newest} is published`);
  for (let batch = 1; batch <= newest; batch++) {
    for (
      const asOf of [
        `as_of_batch(${batch})`,
        ...batch === newest ? ["current"] : [],
      ]
    ) {
      const rows = [];
      for (const [model, sql] of Object.entries(MODELS)) {
        rows.push(
          await lake.rows(
            sql.replace(/from \w+/, `from totes.${model}_${asOf}`),
          ),
        );
      }
      assert.equal(textOf(rows), states.get(batch), `${what}: ${asOf}`);
    }
  }
}

/** Rows as both engines' clients give them, with numbers as text. */
function textOf(rows: unknown): string {
  return JSON.stringify(
    rows,
    (_, value) => typeof value === "number" ? String(value) : value,
  );
}
