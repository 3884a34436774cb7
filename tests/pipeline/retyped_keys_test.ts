import assert from "node:assert/strict";
import { StageError } from "../../lib/errors.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import { transform } from "../../transform/transform.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { projectOf } from "../harness/companies/small_project.ts";

/** A dimension and a fact that refers to it, with a key of some type. */
function projectWith(
  keyType: string,
  models: Readonly<Record<string, string>> = {},
) {
  return projectOf({
    "source.sql": sourceSql(keyType),
    "models/dim_cust.sql": "-- Key: id.\nselect id, name from changed.cust",
    "models/fact_ord.sql": "-- Key: id.\n" +
      "-- References: cust_id -> dim_cust.\n" +
      "select id, cust_id from changed.ord",
    ...models,
  });
}

function sourceSql(keyType: string): string {
  return `create table cust (id ${keyType} not null, name text, primary key (id));
create table ord (id integer not null, cust_id ${keyType}, primary key (id));`;
}

/** Two batches with keys that are integers; then they are changed. */
async function withChangedKeys(
  change: {
    to: string;
    using: (column: string) => string;
    added: string;
    models?: Readonly<Record<string, string>>;
  },
  test: (platform: Platform) => Promise<void>,
): Promise<void> {
  const { to, using, added, models } = change;
  await using platform = await openPlatform({
    sql: await projectWith("integer", models),
    sourceSql: sourceSql("integer"),
  });
  const { client } = platform.source;
  await execute(
    client,
    "insert into cust select i, 'n' || i from generate_series(1, 5) i",
    "insert into ord select i, 1 + i % 6 from generate_series(1, 9) i",
  );
  await platform.run();
  await execute(client, "update cust set name = 'later' where id = 2");
  await platform.run();
  await execute(
    client,
    `alter table cust alter id type ${to} using ${using("id")}`,
    `alter table ord alter cust_id type ${to} using ${using("cust_id")}`,
    `insert into cust values ('${added}', 'new')`,
    `insert into ord values (50, '${added}')`,
  );
  platform.context.sql = await projectWith(to, models);
  await platform.extract();

  await test(platform);

  await execute(client, `update cust set name = 'x' where id = '${added}'`);
  await platform.run();
  const verified = await verify(platform.context);
  assert(verified.same, JSON.stringify(verified.comparisons));
  assert.deepEqual(await readKeys(platform), [
    { table_name: "fact_ord", dimension: "dim_cust", is_valid: "true" },
  ]);
}

function readKeys({ warehouse }: Platform) {
  return query(
    warehouse.client,
    `select conrelid::regclass::text as table_name,
      confrelid::regclass::text as dimension, convalidated::text as is_valid
    from pg_constraint where contype = 'f'
      and conrelid::regclass::text ~ '^(fact|dim)_'`,
  );
}

async function assertRefused(
  work: Promise<unknown>,
  expected: { message: RegExp; hint: RegExp },
): Promise<void> {
  await assert.rejects(work, (error) => {
    assert(error instanceof StageError, String(error));
    assert.match(error.message, expected.message);
    assert.match(error.hint ?? "", expected.hint);
    return true;
  });
}

const CODES = {
  to: "text",
  using: (column: string) => `'C' || ${column}`,
  added: "X1",
};
const UUIDS = {
  to: "uuid",
  using: (column: string) =>
    `('00000000-0000-0000-0000-' || lpad(${column}::text, 12, '0'))::uuid`,
  added: "00000000-0000-0000-0000-0000000000ff",
};

const JOINED = {
  "models/fact_joined.sql": "-- Key: id.\n" +
    "select ord.id, cust.name from current.ord as ord\n" +
    "inner join current.cust as cust on ord.cust_id = cust.id",
};

Deno.test("load() continues when a dimension's key and the foreign key to it become text", () =>
  withChangedKeys(CODES, async (platform) => {
    await transform(platform.context, { accept: true });

    await platform.load();

    const { client } = platform.warehouse;
    assert.deepEqual(
      await query(client, "select id from dim_cust_as_of_batch(2) order by 1"),
      ["1", "2", "3", "4", "5"].map((id) => ({ id })),
    );
    assert.deepEqual(
      await query(
        client,
        "select id from dim_cust where is_placeholder order by 1",
      ),
      [{ id: "6" }, { id: "C6" }],
    );
  }));

Deno.test("rebuildWarehouse() works when a dimension's key becomes text", () =>
  withChangedKeys(CODES, async (platform) => {
    await rebuildProcessed(platform.context);

    await rebuildWarehouse(platform.context, { accept: true });
  }));

Deno.test("load() names another owner's foreign key that prevents a change of type", () =>
  withChangedKeys(CODES, async (platform) => {
    const { client } = platform.warehouse;
    await execute(
      client,
      "create table ours (cust integer references dim_cust (id))",
    );
    await transform(platform.context, { accept: true });

    await assertRefused(platform.load(), {
      message:
        /^Cannot give the table "dim_cust" .*"ours_cust_fkey" cannot be implemented/,
      hint: /^Drop what depends on the column/,
    });

    await execute(client, "drop table ours");
    await platform.load();
  }));

Deno.test("a key whose new type can't hold the old keys is repaired by following the hints", () =>
  withChangedKeys(UUIDS, async (platform) => {
    const { context } = platform;
    await assertRefused(transform(context, { accept: true }), {
      message: /^Cannot read earlier rows of "dim_cust" in batch 3: .*UUID/,
      hint: /^Run `\.\/totesys rebuild processed`/,
    });
    await rebuildProcessed(context);
    await assertRefused(platform.load(), {
      message: /^Cannot continue the warehouse after batch 2/,
      hint: /^Run `\.\/totesys rebuild warehouse`/,
    });
    await assertRefused(rebuildWarehouse(context), {
      message: /dim_cust: the column id is uuid, it was integer/,
      hint: /rebuild warehouse --accept/,
    });

    await rebuildWarehouse(context, { accept: true });
  }));

Deno.test("such a key of a joined table is repaired by following the hints", () =>
  withChangedKeys({ ...UUIDS, models: JOINED }, async ({ context }) => {
    await assertRefused(transform(context, { accept: true }), {
      message: /^Cannot read earlier rows of "cust" in batch 3: .*UUID/,
      hint: /^Run `\.\/totesys rebuild processed`/,
    });

    await rebuildProcessed(context);
    await rebuildWarehouse(context, { accept: true });
  }));

for (const model of ["dim_cust", "fact_ord"]) {
  Deno.test(`load() leaves out a foreign key of others between two models when ${model} alone gets a text for its key`, async () => {
    await using platform = await openPlatform({
      sql: await projectWith("integer"),
      sourceSql: sourceSql("integer"),
    });
    const { context, source } = platform;
    await execute(
      source.client,
      "insert into cust values (1, 'a')",
      "insert into ord values (1, 1)",
    );
    await platform.run();
    await execute(
      platform.warehouse.client,
      "alter table fact_ord rename constraint fact_ord_cust_id_fkey to ours",
    );
    const before = {
      dim_cust: "-- Key: id.\nselect id, name from changed.cust",
      fact_ord: "-- Key: id.\nselect id, cust_id from changed.ord",
    };
    const after = {
      dim_cust: "-- Key: id.\nselect id::text as id, name from changed.cust",
      fact_ord: "-- Key: id.\nselect id, cust_id::text as cust_id" +
        "\nfrom changed.ord",
    };
    const models = { ...before, [model]: after[model as keyof typeof after] };
    context.sql = await projectWith(
      "integer",
      Object.fromEntries(
        Object.entries(models).map(([name, sql]) => [
          `models/${name}.sql`,
          sql,
        ]),
      ),
    );
    await execute(source.client, "update ord set cust_id = null");
    await platform.extract();
    await transform(context, { accept: true });

    await platform.load();

    assert(
      platform.logged.includes(
        "warning: fact_ord: the foreign key ours is gone: its two sides now have types that can't be compared",
      ),
      platform.logged.join("\n"),
    );
    assert.deepEqual(await readKeys(platform), []);
    await rebuildProcessed(context);
    await rebuildWarehouse(context, { accept: true });
    assert((await verify(context)).same);
  });
}
