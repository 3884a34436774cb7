import assert from "node:assert/strict";
import type { ProjectSql } from "../../../lib/project/project_sql.ts";
import { execute, type Platform, PROJECT_SQL } from "../../harness/platform.ts";
import { openClient } from "../../harness/servers/postgres.ts";
import { insertOrder } from "../../harness/companies/small_source.ts";
import { type BadInput, type Repair, testBadInputs } from "./bad_input.ts";
import { LOAD_SETTINGS } from "../../../lib/warehouse/warehouse_settings.ts";

/** Has a batch wait for load, of one order more. */
async function withBatch({ source, extract, transform }: Platform) {
  await execute(source.client, insertOrder(30));
  await extract();
  await transform();
}

/** A case of one statement in the warehouse, and of the one that undoes it. */
function inWarehouse(spoil: string, repair: string): BadInput["spoil"] {
  return async (platform) => {
    const { client, settings } = platform.warehouse;
    const run = (statement: string) =>
      execute(client, statement.replace("$DATABASE", settings.database));
    await run(spoil);
    await withBatch(platform);
    return () => run(repair);
  };
}

/** Another SQL of the project, until the repair. */
async function withSql(platform: Platform, sql: ProjectSql): Promise<Repair> {
  platform.context.sql = sql;
  await withBatch(platform);
  return () => Promise.resolve(platform.context.sql = PROJECT_SQL);
}

function withMigrationEdited(): ProjectSql {
  const last = PROJECT_SQL.migrations.at(-1);
  assert(last !== undefined);
  return {
    ...PROJECT_SQL,
    migrations: [
      ...PROJECT_SQL.migrations.slice(0, -1),
      { ...last, text: `${last.text}\n-- edited` },
    ],
  };
}

const CASES: BadInput[] = [
  {
    name: "a migration that was edited",
    spoil: (platform) => withSql(platform, withMigrationEdited()),
    stage: "load",
    message: /0016_indexes.sql was edited after it was applied/,
  },
  {
    name: "a migration that somebody has half applied",
    spoil: async (platform) => {
      const { client } = platform.warehouse;
      await execute(client, "create table region (region_id integer)");
      await withSql(platform, {
        ...PROJECT_SQL,
        migrations: [...PROJECT_SQL.migrations, {
          name: "0099_region",
          text: `create table country (country_id integer);
            create table region (region_id integer)`,
        }],
      });
      return () => execute(client, "drop table region");
    },
    stage: "load",
    message:
      /^Cannot apply the migration 0099_region: relation "region" already exists/,
  },
  {
    name: "a warehouse of a newer version",
    spoil: inWarehouse(
      "insert into pipeline.migration values ('0099_new', 'x')",
      "delete from pipeline.migration where name = '0099_new'",
    ),
    stage: "load",
    message: /its migration 0099_new is not in sql\/warehouse/,
  },
  {
    name: "another lake in the warehouse",
    spoil: async (platform) => {
      const { client } = platform.warehouse;
      const { rows: [batch] } = await client.query(
        "select lake_id from pipeline.batch",
      );
      return await inWarehouse(
        "update pipeline.batch set lake_id = 'another'",
        `update pipeline.batch set lake_id = '${batch.lake_id}'`,
      )(platform);
    },
    stage: "load",
    message: /Cannot continue the warehouse after batch 1: .* another lake/,
  },
  {
    name: "a check that is broken",
    spoil: (platform) =>
      withSql(platform, {
        ...PROJECT_SQL,
        checks: [{
          name: "fact_sales_order__no_thirty",
          text: `-- Severity: error
            select sales_order_id::text as key, 'is thirty' as finding
            from checked_fact_sales_order where sales_order_id = 30`
            .replaceAll(/^ +/gm, ""),
        }],
      }),
    stage: "load",
    message:
      /Cannot load batch 2: check fact_sales_order__no_thirty found 1 row .* the first 30: is thirty/,
    code: 3,
  },
  {
    name: "a warehouse that takes no writes",
    spoil: inWarehouse(
      "alter database $DATABASE set default_transaction_read_only = on",
      "alter database $DATABASE reset default_transaction_read_only",
    ),
    stage: "load",
    message:
      /Cannot load into .*: cannot execute .* in a read-only transaction/,
  },
  {
    name: "a warehouse that is down",
    spoil: async (platform) => {
      const { warehouse } = platform.config;
      assert(warehouse !== undefined);
      await withBatch(platform);
      platform.set({ warehouse: { ...warehouse, port: 1 } });
      return () => Promise.resolve(platform.set({ warehouse }));
    },
    stage: "load",
    message: /^Cannot connect to 127.0.0.1:1\/test_\w+: .*ECONNREFUSED/,
  },
  {
    name: "a warehouse that has no connection left",
    spoil: async (platform) => {
      const { warehouse } = platform.config;
      assert(warehouse !== undefined);
      await withBatch(platform);
      const { client } = platform.warehouse;
      const role = `loader_${crypto.randomUUID().replaceAll("-", "")}`;
      // A superuser would be let in beyond the limit.
      await execute(
        client,
        `create role ${role} login password 'secret' connection limit 0`,
      );
      platform.set({
        warehouse: { ...warehouse, user: role, password: "secret" },
      });
      return async () => {
        platform.set({ warehouse });
        await execute(client, `drop role ${role}`);
      };
    },
    stage: "load",
    message: /^Cannot connect to .*: too many connections for role/,
  },
  {
    name: "a table of the warehouse that is locked for long",
    spoil: async (platform) => {
      await withBatch(platform);
      const before = LOAD_SETTINGS.lock_timeout;
      LOAD_SETTINGS.lock_timeout = "50ms";
      const other = await openClient(platform.warehouse.url);
      await execute(
        other,
        "begin",
        "lock table fact_sales_order in share row exclusive mode",
      );
      return async () => {
        await other.end();
        LOAD_SETTINGS.lock_timeout = before;
      };
    },
    stage: "load",
    message: /^Cannot load into .*: it is locked there: fact_\w+ by process/,
  },
];

testBadInputs(CASES);
