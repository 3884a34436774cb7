import assert from "node:assert/strict";
import { query } from "../../../lib/postgres/postgres.ts";
import { assertMirrored } from "../../harness/readers/mirror.ts";
import {
  execute,
  openPlatform,
  type Platform,
} from "../../harness/platform.ts";
import {
  fillSmall,
  insertOrder,
} from "../../harness/companies/small_source.ts";
import { withStatements } from "../../pipeline/bad_input/bad_input.ts";

/** A batch that waits for its first load. */
async function withPendingBatch(
  test: (platform: Platform) => Promise<void>,
  ...statements: string[]
): Promise<void> {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await execute(platform.source.client, ...statements);
  await platform.extract();
  await platform.transform();
  await test(platform);
  await execute(platform.source.client, insertOrder(40));
  await platform.run();
  await assertMirrored(platform);
  assert.deepEqual(await unvalidated(platform), []);
}

/** The columns whose foreign keys are not validated. */
async function unvalidated({ warehouse }: Platform): Promise<string[]> {
  const rows = await query(
    warehouse.client,
    `select conrelid::regclass || ' ' || conname as name from pg_constraint
    where contype = 'f' and not convalidated order by 1`,
  );
  return rows.map(({ name }) => name ?? "");
}

async function foreignKeys({ warehouse }: Platform): Promise<number> {
  const rows = await query(
    warehouse.client,
    "select from pg_constraint where contype = 'f'",
  );
  return rows.length;
}

Deno.test("load() validates foreign keys after it has committed the rows", () =>
  withPendingBatch(
    async (platform) => {
      const left: string[] = [];
      withStatements(platform, (sql) => {
        left.push(...sql.match(/ not valid(?=;|$)/g) ?? []);
        return sql;
      });

      await platform.load();

      assert.deepEqual(await unvalidated(platform), []);
      // Of these, DuckDB finds a row that nobody has.
      assert.equal(left.length, await foreignKeys(platform) - 2);
      assert.deepEqual(
        await query(
          platform.warehouse.client,
          "select currency_id::text from dim_currency where is_placeholder",
        ),
        [{ currency_id: "77" }],
      );
    },
    insertOrder(30).replace(/1\.00, 1/, "1.00, 77"),
    "update payment set currency_id = 77 where payment_id = 2",
  ));

Deno.test("load() validates foreign keys that an interrupted load left", () =>
  withPendingBatch(async (platform) => {
    const repair = withStatements(platform, (sql) => {
      if (sql.includes("validate constraint")) throw new Error("killed");
      return sql;
    });

    await assert.rejects(platform.load(), /killed/);

    const { client } = platform.warehouse;
    const ledger = await query(client, "select batch from pipeline.batch");
    assert.deepEqual(ledger, [{ batch: "1" }]);
    assert.equal(
      (await unvalidated(platform)).length,
      await foreignKeys(platform),
    );
    await repair();
    const { batches } = await platform.load();
    assert.deepEqual(batches, []);
    assert.deepEqual(await unvalidated(platform), []);
  }));

Deno.test("load() validates foreign keys over one connection if it gets no second", () =>
  withPendingBatch(async (platform) => {
    const { resources } = platform.context;
    let connections = 0;
    platform.context.resources = {
      ...resources,
      connect: (...options) =>
        connections++ === 0
          ? resources.connect(...options)
          : Promise.reject(new Error("too many")),
    };

    await platform.load();

    platform.context.resources = resources;
    assert.equal(connections, 2);
    assert.deepEqual(await unvalidated(platform), []);
  }));

Deno.test("load() adds placeholders for a foreign key that is not validated", () =>
  withPendingBatch(async (platform) => {
    await platform.load();
    const { client } = platform.warehouse;
    await execute(
      client,
      `alter table fact_payment
      drop constraint fact_payment_payment_type_id_fkey`,
      "delete from dim_payment_type where payment_type_id = 1",
      `alter table fact_payment add constraint again
      foreign key (payment_type_id) references dim_payment_type not valid`,
    );

    await platform.load();

    assert.deepEqual(await unvalidated(platform), []);
    assert.deepEqual(
      await query(
        client,
        "select payment_type_id::text from dim_payment_type where is_placeholder",
      ),
      [{ payment_type_id: "1" }],
    );
    await execute(
      platform.source.client,
      "update payment_type set payment_type_name = 'OTHER' where payment_type_id = 1",
    );
  }));
