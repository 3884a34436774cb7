import assert from "node:assert/strict";
import { canaryFullReadReason } from "../../extract/full_read_reasons.ts";
import { sourceFullReadReason } from "../../extract/full_read_reasons.ts";
import { manifestKey } from "../../lib/batches/batch_log.ts";
import { type IngestionManifest } from "../../lib/batches/manifest.ts";
import { StageError } from "../../lib/errors.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { companyOf } from "../harness/companies/company_of.ts";
import { ingestionManifest, shipped } from "../harness/manifests.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../harness/platform.ts";
import { openClient } from "../harness/servers/postgres.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import {
  decodeManifest,
  encodeManifest,
} from "../../lib/batches/encode_manifest.ts";

/** Rewrites a manifest, as if the batch had been taken under other signs. */
async function rewrite(
  platform: Platform,
  batch: number,
  change: (manifest: IngestionManifest) => void,
): Promise<void> {
  const file = `${platform.config.ingestionUrl}/${manifestKey(batch)}`;
  const manifest = decodeManifest<IngestionManifest>(
    await Deno.readFile(file),
    { file, stage: "extract", batch },
  );
  change(manifest);
  await Deno.writeFile(file, encodeManifest(manifest));
}

const PREVIOUS = {
  batch: 7,
  source: {
    databaseId: "one",
    earlier: ["zero"],
    timeline: 1,
    fence: "1000",
    nextId: "1010",
  },
} as IngestionManifest;
const SAME = {
  databaseId: "one",
  timeline: 1,
  nextId: 1020n,
  inRecovery: false,
};

Deno.test("sourceFullReadReason() detects another cluster, another timeline, and a source set back in time", () => {
  assert.equal(
    sourceFullReadReason(SAME, { previous: PREVIOUS, asked: false }),
    undefined,
  );
  assert.match(
    sourceFullReadReason({ ...SAME, databaseId: "two" }, {
      previous: PREVIOUS,
      asked: false,
    }) ?? "",
    /is not the database of/,
  );
  assert.match(
    sourceFullReadReason({ ...SAME, timeline: 2 }, {
      previous: PREVIOUS,
      asked: false,
    }) ?? "",
    /timeline is now 2, and was 1/,
  );
  assert.match(
    sourceFullReadReason({ ...SAME, nextId: 1009n }, {
      previous: PREVIOUS,
      asked: false,
    }) ?? "",
    /set back to an earlier state/,
  );
});

Deno.test("sourceFullReadReason() refuses an earlier source that returns without --full", () => {
  const back = { ...SAME, databaseId: "zero" };

  assert.throws(
    () => sourceFullReadReason(back, { previous: PREVIOUS, asked: false }),
    {
      name: "StageError",
      subject: "source",
      message: /batch 7 came from another database, and batches before it/,
    },
  );
  assert.match(
    sourceFullReadReason(back, { previous: PREVIOUS, asked: true }) ?? "",
    /is not the database of/,
  );
});

Deno.test("sourceFullReadReason() asks for a full read after 2^30 transactions, not before", () => {
  const at = (passed: bigint) =>
    sourceFullReadReason({ ...SAME, nextId: 1000n + passed }, {
      previous: PREVIOUS,
      asked: false,
    });

  assert.equal(at(2n ** 30n), undefined);
  assert.match(at(2n ** 30n + 1n) ?? "", /over 2\^30 transactions/);
  assert.match(at(2n ** 40n) ?? "", /over 2\^30 transactions/);
});

Deno.test("sourceFullReadReason() refuses a standby that lags behind the last batch", () => {
  assert.throws(
    () =>
      sourceFullReadReason(
        { ...SAME, nextId: 1005n, inRecovery: true },
        { previous: PREVIOUS, asked: false },
      ),
    (error) => {
      assert(error instanceof StageError);
      assert.equal(error.retryable, true);
      assert.match(error.message, /standby at transaction 1005, and batch 7/);
      return true;
    },
  );
});

Deno.test("canaryFullReadReason() trusts a newer canary row over a missing one", () => {
  const probed = (
    table: string,
    writer: string,
    state: Parameters<typeof canaryFullReadReason>[0][0]["state"],
  ) => ({ table, canary: { key: ["1"], writer }, state });

  assert.equal(
    canaryFullReadReason([
      probed("a", "5", "unchanged"),
      probed("b", "4", "missing"),
      probed("c", "3", "rewritten"),
    ]),
    undefined,
  );
  assert.match(
    canaryFullReadReason([
      probed("a", "5", "unchanged"),
      probed("b", "6", "missing"),
    ]) ?? "",
    /newest row of "b" is gone/,
  );
  assert.match(
    canaryFullReadReason([probed("a", "5", "reverted")]) ?? "",
    /a row of "a" differs from the batch before/,
  );
});

const SIGNS: [
  name: string,
  change: (manifest: IngestionManifest) => void,
  reason: RegExp,
][] = [
  [
    "another cluster",
    (manifest) => manifest.source.databaseId = "1",
    /"payment" is read whole: the source is not the database of/,
  ],
  [
    "another timeline",
    (manifest) => manifest.source.timeline += 1,
    /"payment" is read whole: the source's timeline is now/,
  ],
  [
    "ids that went back",
    (manifest) => manifest.source.nextId = "99999999",
    /"payment" is read whole: the source was set back/,
  ],
  [
    "a canary that was rewritten before the watermark",
    (manifest) => {
      const canary = manifest.tables.design?.witness;
      assert(canary !== undefined);
      canary.writer = "3";
      // Whatever else runs on the server, the row is older than the watermark.
      manifest.source.fence = manifest.source.nextId;
    },
    /"payment" is read whole: a row of "design" differs from the batch before/,
  ],
  [
    "a table of another contract",
    (manifest) => {
      const table = manifest.tables.payment;
      assert(table !== undefined);
      table.contractHash = "another";
    },
    /"payment" is read whole: its contract changed/,
  ],
];

for (const [name, change, reason] of SIGNS) {
  Deno.test(`extract() reads all tables, and adds only the differences, after ${name}`, async () => {
    await using platform = await openPlatform();
    const { client } = platform.source;
    await fillSmall(client);
    await platform.extract();
    await rewrite(platform, 1, change);
    await platform.transform();
    await platform.load();
    await execute(client, insertOrder(77));
    await platform.run();

    assert.match(platform.logged.join("\n"), reason);
    await assertMirrored(platform);
    const { rows } = await platform.warehouse.client.query(
      `select count(*)::int as added from fact_sales_order where from_batch = 2
      union all select count(*)::int from fact_payment where from_batch = 2`,
    );
    assert.deepEqual(rows, [{ added: 1 }, { added: 0 }]);
  });
}

Deno.test("extract() reads all tables when the canary row is gone", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await platform.run();
  await execute(client, insertOrder(77));
  await platform.run();
  await execute(client, "delete from sales_order where sales_order_id = 77");
  await platform.run();

  assert.match(
    platform.logged.join("\n"),
    /the newest row of "sales_order" is gone: deleted, or the source/,
  );
  await assertMirrored(platform);
});

Deno.test("extract() finds rows deleted while their table was out of the contract", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await platform.run();
  const without: ProjectSql = {
    ...PROJECT_SQL,
    tables: PROJECT_SQL.tables.filter(({ name }) => name !== "design"),
    models: PROJECT_SQL.models.filter(({ name }) => name !== "dim_design"),
  };
  platform.context.sql = without;
  await execute(
    client,
    "delete from design where design_id = 1",
    "update design set design_name = 'Steel' where design_id = 2",
  );
  await platform.run();
  await execute(client, "delete from design where design_id = 3");
  await platform.run();
  const { design } = (await ingestionManifest(platform, 3)).tables;
  assert.deepEqual(
    [design?.outOfContract, design?.rows, design?.deletes, design?.sourceRows],
    [true, [], [], 3],
  );
  platform.context.sql = PROJECT_SQL;
  await platform.run();

  assert.deepEqual((await shipped(platform, 4)).design, [1, 2]);
  assert.match(
    platform.logged.join("\n"),
    /"design" is read whole: the contract lacked it for a while/,
  );
  await assertMirrored(platform);
  await platform.run();
  assert.deepEqual(await shipped(platform, 5), {});
});

Deno.test("extract() reports a watermark that doesn't advance, and who holds it back", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await platform.extract();
  const name = `holder_${crypto.randomUUID()}`;
  await execute(client, "begin", insertOrder(78));
  await client.query(`prepare transaction '${name}'`);
  await platform.extract();
  const told = new RegExp(
    `has stood still for \\d+ minutes, held back by.* "${name}" of`,
  );
  // Other tests on the server may hold the watermark for a while.
  for (let batch = 2; batch < 50; batch++) {
    await rewrite(
      platform,
      batch,
      (manifest) => manifest.source.fenceSince = "2020-01-01T00:00:00Z",
    );
    await platform.extract();
    if (told.test(platform.logged.join("\n"))) break;
  }
  await client.query(`rollback prepared '${name}'`);

  assert.match(platform.logged.join("\n"), told);
});

Deno.test("extract() reports columns that the contract leaves out", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await execute(
    platform.source.client,
    `alter table payment add note text, add "Tag" varchar(3) not null default ''`,
  );
  await platform.run();

  assert.match(
    platform.logged.join("\n"),
    /"payment" has columns that the contract leaves out: note text, "Tag" character varying\(3\) not null/,
  );
  await assertMirrored(platform);
});

const HIGH =
  "create table item_high partition of item for values from (10) to (20)";

/** A platform whose source has a partitioned table, with one partition. */
function openPartitioned(): Promise<Platform> {
  return openPlatform({
    sql: companyOf(`create table item (
      id integer not null,
      primary key (id)
    );`),
    sourceSql: `create table item (id integer primary key)
        partition by range (id);
      create table item_low partition of item for values from (0) to (10)`,
  });
}

Deno.test("a partition that is attached is named as the reason for a full read", async () => {
  await using platform = await openPartitioned();
  await platform.extract();
  await execute(platform.source.client, HIGH);

  await platform.extract();

  const { tables } = await ingestionManifest(platform, 2);
  assert.match(
    tables.item?.fullRead ?? "",
    /^a partition was attached, detached or rewritten/,
  );
});

// https://www.postgresql.org/docs/18/sql-altertable.html: until it is finalized,
// a partition whose detaching was interrupted is not read with its table.
Deno.test("rows of a partition whose detaching was interrupted are deleted", async () => {
  await using platform = await openPartitioned();
  const { client } = platform.source;
  await execute(client, HIGH, "insert into item values (1), (11), (12)");
  await platform.extract();
  const reader = await openClient(platform.source.url);
  await execute(reader, "begin", "lock table item in access share mode");
  await execute(client, "set statement_timeout to '500ms'");

  await assert.rejects(
    execute(client, "alter table item detach partition item_high concurrently"),
    /statement timeout/,
  );
  await reader.end();
  await platform.extract();

  const { tables } = await ingestionManifest(platform, 2);
  assert.match(tables.item?.fullRead ?? "", /^a partition was .*detached/);
  assert.deepEqual(await shipped(platform, 2), { item: [1, 2] });
  await execute(client, "alter table item detach partition item_high finalize");
  await platform.extract();
  assert.deepEqual(await shipped(platform, 3), {});
});
