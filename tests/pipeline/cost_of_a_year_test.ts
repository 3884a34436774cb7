import assert from "node:assert/strict";
import { BatchLog } from "../../lib/batches/batch_log.ts";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { ConnectionPool } from "../../lib/postgres/connection_pool.ts";
import { RESOURCES } from "../../lib/stage.ts";
import { openZone } from "../../lib/zone/zone.ts";
import { openLake } from "../harness/readers/oracle.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import {
  nameShop,
  SALE_SOURCE,
  saleProject,
} from "../harness/companies/sale_company.ts";

/** What runs ask is counted in the last batches: a round of merges. */
const COUNTED = 10;
/** So many are made by one run of transform, as when it catches up. */
const CAUGHT_UP = 50;
const YOUNG = 50;
const OLD = 500;
/** Before runs are counted, one of so many batches changes a shop. */
const SHOP_EVERY = 10;
const GROWTH_MAX = 1.2;
const FILES_MAX = 30;
/** What analysts ask of a model that every batch changes. */
const READS = {
  current: "select count(*) from totes.fact_sale_current",
  asOf: "select sum(units) from totes.fact_sale_as_of_batch(40)",
  history: "select max(valid_from) from totes.fact_sale_history",
  oneKey: "select * from totes.fact_sale_history where sale_id = 7",
};

/** What runs asked for, in all. */
interface Asked {
  /** Requests to the two zones. */
  requests: number;
  /** Of these, reads of lists of live files. */
  lists: number;
  /** Names that came of reading folders of them. */
  names: number;
  /** Of DuckDB. */
  statements: number;
  /** Of the source and of the warehouse. */
  queries: number;
}

/** The same, and what a reader opens. */
interface Counts extends Asked {
  /** Of the newest manifest. */
  manifestBytes: number;
  /** Parquet files that DuckDB opens, by what is read. */
  opened: Record<string, number>;
  lakeBytes: number;
}

Deno.test("the requests of a run and of a reader depend on the changes, not on the lake's age", async () => {
  const sql = await saleProject();
  await using platform = await openPlatform({ sql, sourceSql: SALE_SOURCE });
  platform.set({ sourceConnections: 1 });
  await using calls = countCalls(platform);

  const change = (batch: number, changesShop: boolean) =>
    execute(
      platform.source.client,
      `insert into sale values (${batch}, 1, 1)`,
      `update sale set units = units + 1 where sale_id = ${batch - 1}`,
      ...changesShop ? [nameShop(`Shop ${batch}`)] : [],
    );
  let batch = 0;
  const growTo = async (batches: number) => {
    while (batch < batches - COUNTED) {
      batch++;
      await change(batch, batch % SHOP_EVERY === 1);
      await platform.extract();
      if (batch % CAUGHT_UP === 0) await platform.transform();
    }
    await platform.transform();
    await platform.load();
    const before = { ...calls.asked };
    while (batch < batches) {
      await change(++batch, true);
      await platform.run();
    }
    return await countAll(platform, { before, after: calls.asked });
  };
  const young = await growTo(YOUNG);
  const old = await growTo(OLD);

  const told = JSON.stringify({ young, old });
  for (const what of ["requests", "statements", "queries", "names"] as const) {
    assert.ok(old[what] <= GROWTH_MAX * young[what], `${what}: ${told}`);
  }
  // Each transform reads one, and nobody else does.
  assert.deepEqual([young.lists, old.lists], [COUNTED, COUNTED], told);
  for (const files of Object.values(old.opened)) {
    assert.ok(files > 0 && files <= FILES_MAX, told);
  }
  assert.ok(old.manifestBytes <= 2 * young.manifestBytes, told);
  assert.ok(old.lakeBytes <= 2 * young.lakeBytes, told);
});

async function countAll(
  platform: Platform,
  { before, after }: { before: Asked; after: Asked },
): Promise<Counts> {
  const { processedUrl, s3 } = platform.config;
  const zone = openZone(processedUrl, { s3 });
  const log = new BatchLog<ProcessedManifest>(zone, "transform");
  const newest = await log.newest();
  const lake = await zone.head("lake.duckdb");
  zone.close();
  const opened: Record<string, number> = {};
  for (const [what, sql] of Object.entries(READS)) {
    opened[what] = await countOpened(platform, sql);
  }
  return {
    requests: after.requests - before.requests,
    lists: after.lists - before.lists,
    names: after.names - before.names,
    statements: after.statements - before.statements,
    queries: after.queries - before.queries,
    manifestBytes: JSON.stringify(newest).length,
    opened,
    lakeBytes: lake?.bytes ?? 0,
  };
}

/** Parquet files of which a query reads a part: DuckDB keeps what it read. */
async function countOpened(platform: Platform, sql: string): Promise<number> {
  await using duckdb = await openLake(platform);
  await duckdb.rows(sql);
  const [read] = await duckdb.rows(
    `select count(distinct path) as files from duckdb_external_file_cache()
    where path like '%.parquet'`,
  );
  return Number(read?.files);
}

/** Counts the calls of some methods of an object. */
function counting<Target extends object>(
  target: Target,
  isCounted: (name: string) => boolean,
  count: (name: string, argument: unknown) => void,
): Target {
  return new Proxy(target, {
    get: (_, name) => {
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (isCounted(String(name))) count(String(name), args[0]);
        return value.apply(target, args);
      };
    },
  });
}

/** Counts what is asked of the zones, of DuckDB and of Postgres. */
function countCalls(
  { context }: Platform,
): AsyncDisposable & { asked: Asked } {
  const asked = { requests: 0, lists: 0, names: 0, statements: 0, queries: 0 };
  const pool = new ConnectionPool(async (...options) => {
    const connection = await RESOURCES.connect(...options);
    return {
      client: counting(
        connection.client,
        (name) => name === "query",
        () => asked.queries++,
      ),
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    };
  });
  context.resources = {
    ...RESOURCES,
    connect: pool.connect,
    openZone: (...options) =>
      counting(
        RESOURCES.openZone(...options),
        (name) => !["locate", "close"].includes(name),
        (name, key) => {
          asked.requests++;
          if (name === "read" && String(key).startsWith("_live/")) {
            asked.lists++;
          }
        },
      ),
    openDuckDb: async (...options) =>
      counting(
        await RESOURCES.openDuckDb(...options),
        (name) => ["run", "rows", "chunks"].includes(name),
        () => asked.statements++,
      ),
  };
  const { readDir } = Deno;
  Deno.readDir = async function* (path) {
    for await (const entry of readDir(path)) {
      asked.names++;
      yield entry;
    }
  };
  return {
    asked,
    [Symbol.asyncDispose]: async () => {
      Deno.readDir = readDir;
      await pool[Symbol.asyncDispose]();
    },
  };
}
