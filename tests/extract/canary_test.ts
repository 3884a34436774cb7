import assert from "node:assert/strict";
import { findCanary, probeCanary } from "../../extract/canary.ts";
import { type LiveTable, readLiveTables } from "../../extract/live_table.ts";
import type { Canary } from "../../lib/batches/manifest.ts";
import { connect } from "../../lib/postgres/connect.ts";
import { queryRow } from "../../lib/postgres/postgres.ts";
import { parseContract } from "../../lib/project/contract.ts";
import { execute } from "../harness/platform.ts";
import { openTestDatabase } from "../harness/servers/postgres.ts";

const CONTRACT = `create table t (
    code text not null,
    day date not null,
    note text,
    primary key (code, day)
);`;

/** A table, and the canary that is found and probed in it. */
interface Probes {
  run: (...statements: string[]) => Promise<void>;
  nextId: () => Promise<bigint>;
  find: (where?: string) => Promise<Canary | undefined>;
  probe: (canary: Canary, watermark: bigint) => Promise<string>;
}

async function withProbes(
  test: (probes: Probes) => Promise<void>,
): Promise<void> {
  await using database = await openTestDatabase();
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  const { client } = connection;
  await execute(client, CONTRACT);
  const [table] = await readLiveTables(client, {
    tables: parseContract(CONTRACT),
    sourceSchema: "public",
  });
  const live: LiveTable | undefined = table;
  assert(live !== undefined);
  const nextId = async () => {
    const row = await queryRow(
      client,
      "select pg_snapshot_xmax(pg_current_snapshot())::text as id",
    );
    return BigInt(row.id ?? 0);
  };
  await test({
    run: (...statements) => execute(client, ...statements),
    nextId,
    find: async (where = "true") =>
      await findCanary(client, { table: live, where, nextId: await nextId() }),
    probe: async (canary, watermark) =>
      await probeCanary(client, {
        table: live,
        canary,
        watermark,
        nextId: await nextId(),
      }),
  });
}

Deno.test("findCanary() finds the newest row, the first by key among equals", () =>
  withProbes(async ({ run, nextId, find }) => {
    assert.equal(await find(), undefined);
    await run("insert into t values ('old', '2024-01-01')");
    const before = await nextId();
    await run(
      `insert into t values ('b "2"', '2024-02-29'), ('a, it''s', '2024-02-29'),
        ('a, it''s', '2024-02-28')`,
    );

    const canary = await find();

    assert.deepEqual(canary?.key, ["a, it's", "2024-02-28"]);
    // Other tests take transaction ids of the same cluster.
    const writer = BigInt(canary?.writer ?? 0);
    assert.ok(before <= writer && writer < await nextId());
    assert.deepEqual((await find("code = 'old'"))?.key, ["old", "2024-01-01"]);
    assert.equal(await find("code = 'nobody'"), undefined);
  }));

Deno.test("probeCanary() tells whether a row is unchanged, changed or gone", () =>
  withProbes(async ({ run, nextId, find, probe }) => {
    await run("insert into t values ('a', '2024-01-01')");
    const canary = await find();
    assert(canary !== undefined);
    const watermark = await nextId();

    assert.equal(await probe(canary, watermark), "unchanged");
    await run("insert into t values ('b', '2024-01-01')");
    assert.equal(await probe(canary, watermark), "unchanged");

    await run("update t set note = 'x' where code = 'a'");
    assert.equal(await probe(canary, watermark), "rewritten");
    // The same id below the watermark: written, then, by another history.
    assert.equal(await probe(canary, await nextId()), "reverted");

    await run("delete from t where code = 'a'");
    assert.equal(await probe(canary, watermark), "missing");
  }));

Deno.test("probeCanary() counts the writer at the watermark as a later one", () =>
  withProbes(async ({ run, nextId, find, probe }) => {
    await run("insert into t values ('a', '2024-01-01')");
    const canary = await find();
    assert(canary !== undefined);
    const watermark = await nextId();

    await run("update t set note = 'x'");

    const writer = BigInt((await find())?.writer ?? 0);
    assert(writer >= watermark);
    assert.equal(await probe(canary, writer), "rewritten");
    assert.equal(await probe(canary, writer + 1n), "reverted");
  }));
