import assert from "node:assert/strict";
import { findWitness, hearWitness } from "../../extract/canary.ts";
import { type LiveTable, readLiveTables } from "../../extract/live_table.ts";
import type { Witness } from "../../lib/batches/manifest.ts";
import { connect, queryRow } from "../../lib/postgres/postgres.ts";
import { parseContract } from "../../lib/project/contract.ts";
import { execute } from "../harness/platform.ts";
import { openTestDatabase } from "../harness/postgres.ts";

const CONTRACT = `create table t (
    code text not null,
    day date not null,
    note text,
    primary key (code, day)
);`;

/** A court that holds a table and hears its witness. */
interface Court {
  run: (...statements: string[]) => Promise<void>;
  nextId: () => Promise<bigint>;
  find: (where?: string) => Promise<Witness | undefined>;
  hear: (witness: Witness, fence: bigint) => Promise<string>;
}

async function inCourt(test: (court: Court) => Promise<void>): Promise<void> {
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
      await findWitness(client, { table: live, where, nextId: await nextId() }),
    hear: async (witness, fence) =>
      await hearWitness(client, {
        table: live,
        witness,
        fence,
        nextId: await nextId(),
      }),
  });
}

Deno.test("findWitness() finds the newest row of those that hold, the first by key", () =>
  inCourt(async ({ run, nextId, find }) => {
    assert.equal(await find(), undefined);
    await run("insert into t values ('old', '2024-01-01')");
    const before = await nextId();
    await run(
      `insert into t values ('b "2"', '2024-02-29'), ('a, it''s', '2024-02-29'),
        ('a, it''s', '2024-02-28')`,
    );

    const witness = await find();

    assert.deepEqual(witness?.key, ["a, it's", "2024-02-28"]);
    assert.equal(witness?.writer, String(before));
    assert.deepEqual((await find("code = 'old'"))?.key, ["old", "2024-01-01"]);
    assert.equal(await find("code = 'nobody'"), undefined);
  }));

Deno.test("hearWitness() tells what has become of a row", () =>
  inCourt(async ({ run, nextId, find, hear }) => {
    await run("insert into t values ('a', '2024-01-01')");
    const witness = await find();
    assert(witness !== undefined);
    const fence = await nextId();

    assert.equal(await hear(witness, fence), "as it was");
    await run("insert into t values ('b', '2024-01-01')");
    assert.equal(await hear(witness, fence), "as it was");

    await run("update t set note = 'x' where code = 'a'");
    assert.equal(await hear(witness, fence), "rewritten since");
    // The same id below the fence: written, then, by another history.
    assert.equal(await hear(witness, await nextId()), "changed");

    await run("delete from t where code = 'a'");
    assert.equal(await hear(witness, fence), "absent");
  }));

Deno.test("hearWitness() takes the writer at the fence for a later one", () =>
  inCourt(async ({ run, nextId, find, hear }) => {
    await run("insert into t values ('a', '2024-01-01')");
    const witness = await find();
    assert(witness !== undefined);
    const fence = await nextId();

    await run("update t set note = 'x'");

    const writer = BigInt((await find())?.writer ?? 0);
    assert(writer >= fence);
    assert.equal(await hear(witness, writer), "rewritten since");
    assert.equal(await hear(witness, writer + 1n), "changed");
  }));
