import assert from "node:assert/strict";
import { BatchLog } from "../../lib/batch_log.ts";
import type { ProcessedManifest } from "../../lib/manifest.ts";
import { RESOURCES } from "../../lib/stage.ts";
import { openZone } from "../../lib/zone.ts";
import { openLake } from "../harness/oracle.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import {
  dimensionSql,
  HISTORY_SQL,
  smallProject,
} from "../harness/small_project.ts";

/** Runs are counted in so many batches, up to one of these. */
const COUNTED = 20;
const YOUNG = 50;
const OLD = 200;
const GROWTH_MAX = 1.2;
const FILES_MAX = 30;

const SOURCE = `create table sale (
    sale_id integer not null,
    units integer not null,
    shop_id integer not null,
    primary key (sale_id)
);
create table shop (
    shop_id integer not null,
    name text not null,
    primary key (shop_id)
);`;

/** What runs asked of the stores, and what a reader opens. */
interface Counts {
  /** Requests of transform and load to the processed zone. */
  requests: number;
  statements: number;
  /** Of the newest manifest. */
  manifestBytes: number;
  /** Parquet files that the history of a model is read from. */
  files: number;
  lakeBytes: number;
}

Deno.test("what a run asks of the lake and a reader opens follow what changed, not the lake's age", async () => {
  const sql = await smallProject({
    source: SOURCE,
    models: [
      {
        name: "dim_shop",
        key: ["shop_id"],
        derivation: "join",
        sql: "select shop_id, name from current.shop",
      },
      {
        name: "fact_sale",
        kind: "fact",
        key: ["sale_id"],
        recordId: "sale_record_id",
        sql: "select sale_id, units, shop_id from changed.sale",
      },
    ],
    warehouse: `${
      dimensionSql("dim_shop", "shop_id integer primary key, name text")
    }
      create table fact_sale (sale_record_id bigint primary key,
        sale_id integer not null, units integer, shop_id integer,
        ${HISTORY_SQL});`,
  });
  await using platform = await openPlatform({ sql, sourceSql: SOURCE });
  const counted = { requests: 0, statements: 0 };
  countCalls(platform, counted);

  let young: Counts | undefined;
  for (let batch = 1; batch <= OLD; batch++) {
    await execute(
      platform.source.client,
      `insert into sale values (${batch}, 1, 1)`,
      `update sale set units = units + 1 where sale_id = ${batch - 1}`,
      `insert into shop values (1, 'Shop ${batch}') on conflict (shop_id)
        do update set name = excluded.name`,
    );
    await platform.extract();
    const left = (batch <= YOUNG ? YOUNG : OLD) - batch;
    if (left === COUNTED - 1) {
      Object.assign(counted, { requests: 0, statements: 0 });
    }
    await platform.transform();
    // What waited until then is loaded just before it is counted.
    if (left <= COUNTED) await platform.load();
    if (batch === YOUNG) young = await countAll(platform, counted);
  }
  const old = await countAll(platform, counted);

  assert(young !== undefined);
  const told = JSON.stringify({ young, old });
  assert.ok(old.requests <= GROWTH_MAX * young.requests, told);
  assert.ok(old.statements <= GROWTH_MAX * young.statements, told);
  assert.ok(old.files <= FILES_MAX, told);
  assert.ok(old.manifestBytes <= 2 * young.manifestBytes, told);
  assert.ok(old.lakeBytes <= 2 * young.lakeBytes, told);
});

async function countAll(
  platform: Platform,
  counted: Pick<Counts, "requests" | "statements">,
): Promise<Counts> {
  const { processedUrl, s3 } = platform.config;
  const zone = openZone(processedUrl, { s3 });
  const log = new BatchLog<ProcessedManifest>(zone, "transform");
  const newest = await log.newest();
  const lake = await zone.head("lake.duckdb");
  zone.close();
  await using duckdb = await openLake(platform);
  const [view] = await duckdb.rows(
    `select max(length(sql) - length(replace(sql, '.parquet', '')))
        // length('.parquet') as files
    from duckdb_views() where database_name = 'totes'
      and view_name like '%_history'`,
  );
  return {
    ...counted,
    manifestBytes: JSON.stringify(newest).length,
    files: Number(view?.files),
    lakeBytes: lake?.bytes ?? 0,
  };
}

/** Counts what is asked of the processed zone and of DuckDB. */
function countCalls(
  { context, config }: Platform,
  counted: { requests: number; statements: number },
): void {
  const counting = <Target extends object>(
    target: Target,
    isCounted: (name: string) => boolean,
    count: () => void,
  ): Target =>
    new Proxy(target, {
      get: (_, name) => {
        const value = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (isCounted(String(name))) count();
          return value.apply(target, args);
        };
      },
    });
  context.resources = {
    ...RESOURCES,
    openZone: (url, options) => {
      const zone = RESOURCES.openZone(url, options);
      return url !== config.processedUrl ? zone : counting(
        zone,
        (name) => !["locate", "close"].includes(name),
        () => counted.requests++,
      );
    },
    openDuckDb: async (...options) =>
      counting(
        await RESOURCES.openDuckDb(...options),
        (name) => ["run", "rows"].includes(name),
        () => counted.statements++,
      ),
  };
}
