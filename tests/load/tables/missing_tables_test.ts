import assert from "node:assert/strict";
import { StageError } from "../../../lib/errors.ts";
import { rebuildWarehouse } from "../../../load/repair/rebuild_warehouse.ts";
import { verify } from "../../../verify/verify.ts";
import {
  execute,
  openPlatform,
  type Platform,
} from "../../harness/platform.ts";
import {
  SALE_SOURCE,
  saleProject,
} from "../../harness/companies/sale_company.ts";
import { projectOf } from "../../harness/companies/small_project.ts";

const SOURCE =
  `create table cust (id integer not null, name text, primary key (id));
create table ord (id integer not null, cust_id integer, primary key (id));`;

/** A warehouse with a batch, and another that waits. */
async function withPendingBatch(
  test: (platform: Platform) => Promise<void>,
): Promise<void> {
  await using platform = await openPlatform({
    sql: await projectOf({
      "source.sql": SOURCE,
      "models/dim_cust.sql": "-- Key: id.\nselect id, name from changed.cust",
      "models/fact_ord.sql": "-- Key: id.\n" +
        "-- References: cust_id -> dim_cust.\n" +
        "select id, cust_id from changed.ord",
    }),
    sourceSql: SOURCE,
  });
  const { client } = platform.source;
  await execute(
    client,
    "insert into cust select i, 'n' || i from generate_series(1, 5) i",
    "insert into ord select i, 1 + i % 5 from generate_series(1, 9) i",
  );
  await platform.run();
  await execute(client, "update cust set name = 'later' where id = 2");
  await platform.extract();
  await platform.transform();
  await test(platform);
}

/** What somebody did to the tables, what load says, and what it proposes. */
const CHANGES: Readonly<
  Record<
    string,
    {
      sql: string;
      says: RegExp;
      /** The part of the hint that is run. */
      proposes: RegExp;
      rebuilds?: boolean;
      /** What is done, if it is not the hint's SQL. */
      repairs?: string;
    }
  >
> = {
  "a fact in another schema": {
    sql: "create schema mart; alter table fact_ord set schema mart",
    says:
      /^Cannot load the model "fact_ord": its table "fact_ord" is mart\.fact_ord now, where load does not look for it$/,
    proposes: /\((alter table mart\.fact_ord set schema "public")\)/,
  },
  "a dimension in another schema": {
    sql: "create schema mart; alter table dim_cust set schema mart",
    says: /its table "dim_cust" is mart\.dim_cust now/,
    proposes: /\((alter table mart\.dim_cust set schema "public")\)/,
  },
  "older versions in another schema": {
    sql: "create schema mart; alter table dim_cust_closed set schema mart",
    says: /its table "dim_cust_closed" is mart\.dim_cust_closed now/,
    proposes: /\((alter table mart\.dim_cust_closed set schema "public")\)/,
  },
  "a fact under another name": {
    sql: "alter table fact_ord rename to facts",
    says: /its table "fact_ord" is facts now/,
    proposes: /\((alter table facts rename to "fact_ord")\)/,
  },
  "a fact under another name in another schema": {
    sql:
      "create schema mart; alter table fact_ord set schema mart; alter table mart.fact_ord rename to facts",
    says: /its table "fact_ord" is mart\.facts now/,
    proposes:
      /\((alter table mart\.facts rename to "fact_ord"; alter table "mart"\."fact_ord" set schema "public")\)/,
  },
  "a dimension without its primary key": {
    sql: "alter table dim_cust drop constraint dim_cust_pkey cascade",
    says:
      /^Cannot load the model "dim_cust": the warehouse's table has no primary key any more$/,
    proposes: /(alter table "dim_cust" add primary key \("id"\));/,
  },
  "a dimension with rows twice, without its primary key": {
    sql: `alter table dim_cust drop constraint dim_cust_pkey cascade;
      insert into dim_cust select * from dim_cust`,
    says:
      /^Cannot load the model "dim_cust": the warehouse's table has no primary key any more, and has keys twice$/,
    proposes:
      /(delete from "dim_cust" .*; alter table "dim_cust" add primary key \("id"\));/,
    rebuilds: true,
  },
  "a view in the place of fact_ord": {
    sql:
      "alter table fact_ord rename to kept; create view fact_ord as select * from kept",
    says:
      /^Cannot load the model "fact_ord": a view has taken the place of its table$/,
    proposes: /^Rename or drop ("fact_ord"), and give the table its name back/,
    repairs: "drop view fact_ord; alter table kept rename to fact_ord",
  },
  "a materialized view in the place of dim_cust": {
    sql:
      "alter table dim_cust rename to kept; create materialized view dim_cust as select * from kept",
    says:
      /^Cannot load the model "dim_cust": a materialized view has taken the place of its table$/,
    proposes: /^Rename or drop ("dim_cust"), and give the table its name back/,
    repairs:
      "drop materialized view dim_cust; alter table kept rename to dim_cust",
  },
  "a dimension that was dropped without its older versions": {
    sql: "drop table dim_cust cascade",
    says: /"dim_cust": its table is gone, which has had rows since batch 1$/,
    proposes: /\((drop table "dim_cust_closed" cascade)\)/,
    rebuilds: true,
  },
};

for (const [what, change] of Object.entries(CHANGES)) {
  Deno.test(`load and a rebuild name ${what}, and work after following the hint`, () =>
    withPendingBatch(async (platform) => {
      const { warehouse: { client }, context } = platform;
      await execute(client, change.sql);
      let proposal = "";
      const isNamed = (error: unknown) => {
        assert(error instanceof StageError, String(error));
        assert.match(error.message, change.says);
        proposal = change.proposes.exec(error.hint ?? "")?.[1] ?? "";
        assert.notEqual(proposal, "", error.hint ?? "");
        return true;
      };
      await assert.rejects(platform.load(), isNamed);
      await assert.rejects(rebuildWarehouse(context), isNamed);

      await execute(client, change.repairs ?? proposal);
      if (change.rebuilds === true) await rebuildWarehouse(context);

      await platform.run();
      assert((await verify(context)).same);
      const { rows } = await client.query(
        `select from pg_constraint where contype = 'f'
          and conrelid = 'fact_ord'::regclass
          and confrelid = 'dim_cust'::regclass`,
      );
      assert.equal(rows.length, 1);
    }));
}

Deno.test("load says where the table of a migration is that the role's search_path hides, and makes nothing", async () => {
  await using platform = await openPlatform({
    sql: await saleProject(),
    sourceSql: SALE_SOURCE,
  });
  const { source, warehouse: { client, settings } } = platform;
  await execute(source.client, "insert into shop values (1, 'A')");
  await platform.run();
  await execute(source.client, "update shop set name = 'B'");
  await execute(
    client,
    "create schema mart",
    `alter database ${settings.database} set search_path to mart`,
  );
  const isNamed = {
    message:
      'Cannot load the model "dim_shop": its table "dim_shop" is public.dim_shop now, where load does not look for it',
    hint: /let the search_path of the loader's role lead to it/,
  };

  await assert.rejects(platform.run(), isNamed);
  await assert.rejects(rebuildWarehouse(platform.context), isNamed);

  const { rows } = await client.query(
    "select relname from pg_class where relnamespace = 'mart'::regnamespace",
  );
  assert.deepEqual(rows, []);
  await execute(
    client,
    `alter database ${settings.database} reset search_path`,
  );
  await platform.run();
  assert((await verify(platform.context)).same);
});

Deno.test("load doesn't report as abandoned a table that it didn't make", () =>
  withPendingBatch(async (platform) => {
    const { warehouse: { client }, logged } = platform;
    await execute(
      client,
      `create table ours (valid_from timestamptz, valid_to timestamptz,
        from_batch bigint, to_batch bigint)`,
      "create view ours_current as select 1 as one",
      "create view ours_history as select * from ours",
    );
    logged.length = 0;

    await rebuildWarehouse(platform.context);

    assert.deepEqual(logged.filter((line) => line.includes("ours")), []);
  }));
