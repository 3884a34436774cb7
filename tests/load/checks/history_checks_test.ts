import { getLogger } from "@logtape/logtape";
import assert from "node:assert/strict";
import type pg from "pg";
import { connect } from "../../../lib/postgres/connect.ts";
import { query } from "../../../lib/postgres/postgres.ts";
import type { SqlFile } from "../../../lib/project/project_sql.ts";
import { checksOf } from "../../../load/checks/history_checks.ts";
import { runChecks, runWholeChecks } from "../../../load/checks/run_checks.ts";
import { rebuildWarehouse } from "../../../load/repair/rebuild_warehouse.ts";
import { readWarehouseTable } from "../../../load/tables/warehouse_table.ts";
import { verify } from "../../../verify/verify.ts";
import {
  SALE_SOURCE,
  saleProject,
} from "../../harness/companies/sale_company.ts";
import { makeWarehouse } from "../../harness/make_warehouse.ts";
import { execute, openPlatform } from "../../harness/platform.ts";
import { openTestDatabase } from "../../harness/servers/postgres.ts";
import { projectOf } from "../../harness/companies/small_project.ts";

const FILES = {
  "source.sql": `create table line (
    order_id integer not null,
    place integer not null,
    shop_id integer,
    primary key (order_id, place)
);

create table shop (
    shop_id integer not null,
    primary key (shop_id)
);
`,
  "models/dim_shop.sql": "-- Key: shop_id.\n\nselect shop_id from changed.shop",
  "models/fact_line.sql": `-- Key: "Order", place.
-- References: shop_id -> dim_shop.

select order_id as "Order", place, shop_id from changed.line`,
};

/** Rows of `fact_line`, and what is found in them: check, key, finding. */
const CASES: Readonly<
  Record<string, { rows: string; found: readonly [string, string, string][] }>
> = {
  "versions that follow each other": {
    rows: `(1, 1, 1, null, '2024-01-01', '2024-01-02', 1, 2),
      (2, 1, 1, null, '2024-01-02', null, 2, null),
      (3, 1, 2, 1, '2024-01-02', '2024-01-05', 2, 5)`,
    found: [],
  },
  "a version that ends before it starts": {
    rows: "(1, 1, 1, null, '2024-01-03', '2024-01-02', 1, 2)",
    found: [[
      "version_ends_after_it_starts",
      "(1,1)",
      "holds from batch 1, 2024-01-03 00:00:00+00 to batch 2, 2024-01-02 00:00:00+00",
    ]],
  },
  "a version that ends in time and in no batch": {
    rows: "(1, 1, 1, null, '2024-01-01', '2024-01-02', 1, null)",
    found: [[
      "version_ends_after_it_starts",
      "(1,1)",
      "holds from batch 1, 2024-01-01 00:00:00+00 to batch null, 2024-01-02 00:00:00+00",
    ]],
  },
  "a version that overlaps its successor": {
    rows: `(1, 1, 1, null, '2024-01-01', '2024-01-05', 1, 5),
      (2, 1, 1, null, '2024-01-02', null, 2, null),
      (3, 1, 2, null, '2024-01-02', null, 2, null)`,
    found: [[
      "versions_do_not_overlap",
      "(1,1)",
      "the version from batch 1 ends at batch 5, but the next is from batch 2",
    ]],
  },
  "an open version that a closed one follows": {
    rows: `(1, 1, 1, null, '2024-01-01', null, 1, null),
      (2, 1, 1, null, '2024-01-02', '2024-01-03', 2, 3)`,
    found: [[
      "versions_do_not_overlap",
      "(1,1)",
      "the version from batch 1 ends at no batch, but the next is from batch 2",
    ]],
  },
  "a reference to a placeholder": {
    rows: `(1, 1, 1, 7, '2024-01-01', null, 1, null),
      (2, 1, 2, 7, '2024-01-01', '2024-01-02', 1, 2)`,
    found: [[
      "references_are_known",
      "(1,1)",
      "refers to a row that is missing in the source, in quarantine, or has its key written differently: shop_id 7",
    ]],
  },
};

for (const [what, { rows, found }] of Object.entries(CASES)) {
  Deno.test(`the checks of history find ${what}`, () =>
    withWarehouse(rows, async (run) => {
      assert.deepEqual(await run([]), found);
    }));
}

Deno.test("a file named like a check of history replaces it", () =>
  withWarehouse(
    "(1, 1, 1, 7, '2024-01-01', null, 1, null)",
    async (run) => {
      const name = "fact_line__references_are_known";
      const text = "-- Severity: error\n\nselect '1' as key, 'own' as finding";

      assert.deepEqual(await run([{ name, text }]), [
        ["references_are_known", "1", "own"],
      ]);
    },
  ));

/** Statements on `dim_shop` and its closed versions, and what is found. */
const OF_DIMENSIONS: Readonly<
  Record<string, { sql: string[]; found: readonly [string, string, string][] }>
> = {
  "versions that follow each other, and a placeholder": {
    sql: [
      "update dim_shop set (valid_from, from_batch) = ('2024-01-05', 5) where shop_id = 1",
      "insert into dim_shop_closed values (1, '2024-01-02', '2024-01-05', 2, 5), (2, '2024-01-01', '2024-01-02', 1, 2)",
    ],
    found: [],
  },
  "a version that ends before it starts, of a row that is gone": {
    sql: [
      "insert into dim_shop_closed values (2, '2024-01-03', '2024-01-02', 1, 2)",
    ],
    found: [[
      "version_ends_after_it_starts",
      "2",
      "holds from batch 1, 2024-01-03 00:00:00+00 to batch 2, 2024-01-02 00:00:00+00",
    ]],
  },
  "a closed version that overlaps the open one": {
    sql: [
      "update dim_shop set (valid_from, from_batch) = ('2024-01-03', 3) where shop_id = 1",
      "insert into dim_shop_closed values (1, '2024-01-01', '2024-01-05', 1, 5)",
    ],
    found: [[
      "versions_do_not_overlap",
      "1",
      "the version from batch 1 ends at batch 5, but the next is from batch 3",
    ]],
  },
};

for (const [what, { sql, found }] of Object.entries(OF_DIMENSIONS)) {
  Deno.test(`the checks of a dimension's history find ${what}`, () =>
    withWarehouse(
      "(1, 1, 1, null, '2024-01-01', null, 1, null)",
      async (run, client) => {
        await execute(client, ...sql);

        assert.deepEqual(await run([], "dim_shop"), found);
      },
    ));
}

Deno.test("the checks of history read a batch's keys a few times, though no statistics know of ended versions", () =>
  withWarehouse(
    "(1, 1, 1, null, '2024-01-01', null, 1, null)",
    async (_run, client) => {
      const keys = 2000;
      await execute(
        client,
        "alter table fact_line set (autovacuum_enabled = off)",
        `insert into fact_line
        select n, n, 1, null, '2024-01-01', null, 1, null
        from generate_series(2, ${keys}) as n`,
        "analyze fact_line",
        "update fact_line set valid_to = '2024-01-02', to_batch = 2",
        `insert into fact_line
        select ${keys} + n, n, 1, null, '2024-01-02', null, 2, null
        from generate_series(1, ${keys}) as n`,
        `create temporary table staged as
        select n as "Order", 1 as place from generate_series(1, ${keys}) as n`,
        "analyze staged",
        "begin",
      );
      const table = await readWarehouseTable(client, {
        name: "fact_line",
        key: ["Order", "place"],
        kind: "fact",
      });

      await runChecks(client, {
        table,
        checks: checksOf(table, { checks: [], models: ["fact_line"] }),
        staging: "pg_temp.staged",
        batch: 2,
        log: getLogger(),
      });

      const [read] = await query(
        client,
        "select pg_stat_get_xact_tuples_returned('pg_temp.staged'::regclass) as rows",
      );
      assert.ok(Number(read?.rows) <= 10 * keys, `${read?.rows} rows`);
    },
  ));

async function withWarehouse(
  rows: string,
  test: (
    run: (
      company: SqlFile[],
      name?: string,
    ) => Promise<[string, string, string][]>,
    client: pg.Client,
  ) => Promise<void>,
): Promise<void> {
  await using database = await openTestDatabase();
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  const { client } = connection;
  const sql = await projectOf(FILES);
  await makeWarehouse(client, sql);
  await execute(
    client,
    "set time zone 'UTC'",
    "insert into dim_shop (shop_id, is_placeholder) values (1, false), (7, true)",
    `insert into fact_line values ${rows}`,
  );
  await test(async (company, checked = "fact_line") => {
    const model = sql.models.find(({ name }) => name === checked);
    assert.ok(model !== undefined);
    const table = await readWarehouseTable(client, model);
    const broken = await runWholeChecks(client, {
      model,
      checks: checksOf(table, { checks: company, models: [checked] }),
    });
    return broken.map(({ check, key, finding }) => [
      check.replace(`${checked}__`, ""),
      key,
      finding,
    ]);
  }, client);
}

Deno.test("load names the way out where the ledger is from an older backup than the tables", async () => {
  await using platform = await openPlatform({
    sql: await saleProject(),
    sourceSql: SALE_SOURCE,
  });
  const { context, source, warehouse } = platform;
  await execute(source.client, "insert into shop values (1, 'A')");
  await platform.run();
  await execute(source.client, "update shop set name = 'B'");
  await platform.run();
  await execute(
    warehouse.client,
    "delete from pipeline.batch where batch = 2",
    "delete from pipeline.batch_file where batch = 2",
  );

  await assert.rejects(platform.load(), {
    message: /check dim_shop__version_ends_after_it_starts found 1 row/,
    hint: /different backups: `\.\/totesys rebuild warehouse`/,
  });
  await rebuildWarehouse(context);

  await execute(source.client, "update shop set name = 'C'");
  await platform.run();
  assert.equal((await verify(context)).same, true);
});
