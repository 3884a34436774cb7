import assert from "node:assert/strict";
import { extract } from "../../extract/extract.ts";
import { ConfigError, exitCode, StageError } from "../../lib/errors.ts";
import { parseContract } from "../../lib/project/contract.ts";
import { openZone } from "../../lib/zone/zone.ts";
import { ingestionManifest, shipped } from "../harness/manifests.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../harness/platform.ts";
import { openClient } from "../harness/servers/postgres.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

/** A source of one table, and its contract. */
function openWith(table: string): Promise<Platform> {
  return openPlatform({
    sql: { ...PROJECT_SQL, tables: parseContract(table) },
    sourceSql: table,
  });
}

const ITEM = `create table item (
    item_id integer not null,
    note text,
    primary key (item_id)
);`;

/** The zone's files of batches that a folder name tells. */
async function keysOf({ config }: Platform, prefix = ""): Promise<string[]> {
  const zone = openZone(config.ingestionUrl, { s3: config.s3 });
  const files = await Array.fromAsync(zone.list(prefix));
  return files.map((file) => file.key);
}

Deno.test("extract() applies deletes up to DELETE_SHARE_MAX, and stops above it", async () => {
  await using platform = await openWith(ITEM);
  const { client } = platform.source;
  await execute(client, "insert into item select generate_series(1, 100)");
  await platform.extract();

  await execute(client, "delete from item where item_id > 80");
  assert.deepEqual((await platform.extract()).batches, [2]);

  await execute(client, "delete from item where item_id > 63");
  await assert.rejects(platform.extract(), (error) => {
    assert(error instanceof StageError);
    assert.equal(
      error.message,
      'Cannot apply the deletes of "item": 17 of its 80 rows are gone, and DELETE_SHARE_MAX is 0.2',
    );
    assert.equal(error.subject, "item");
    assert.equal(error.dataCheck, true);
    assert.equal(exitCode(error), 3);
    assert.match(error.hint ?? "", /--allow-mass-delete/);
    return true;
  });
  assert.equal((await keysOf(platform, "_batches/00")).length, 2);

  await platform.extract({ allowMassDelete: true });
  assert.deepEqual(await shipped(platform, 3), { item: [0, 17] });
});

Deno.test("extract() applies fewer than ten deletes whatever their share", async () => {
  await using platform = await openWith(ITEM);
  const { client } = platform.source;
  await execute(client, "insert into item select generate_series(1, 19)");
  await platform.extract();

  await execute(client, "delete from item where item_id > 10");
  await platform.extract();
  assert.deepEqual(await shipped(platform, 2), { item: [0, 9] });

  await execute(client, "truncate item");
  await assert.rejects(platform.extract(), /10 of its 10 rows are gone/);
});

Deno.test("extract() ships the few changed rows of a large table, and no others", async () => {
  await using platform = await openWith(ITEM);
  const { client } = platform.source;
  await execute(
    client,
    "insert into item select generate_series(1, 400000, 100)",
    "analyze item",
  );
  await platform.extract();
  await execute(
    client,
    "update item set note = 'x' where item_id in (1, 262201)",
    "insert into item values (399999), (-20000)",
    "delete from item where item_id = 262301",
  );
  await platform.extract();

  assert.deepEqual(await shipped(platform, 2), { item: [4, 1] });
  const { tables } = await ingestionManifest(platform, 2);
  const [file] = tables.item?.rows ?? [];
  const text = await Deno.readTextFile(
    `${platform.config.ingestionUrl}/${file?.key}`,
  );
  assert.deepEqual(text.trimEnd().split("\n").slice(1).toSorted(), [
    "-20000,",
    "1,x",
    "262201,x",
    "399999,",
  ]);
});

Deno.test("extract() reads a large table in ranges, each row once", async () => {
  // A row for each page, and more pages than a range has.
  const rows = 16_500;
  await using platform = await openWith(ITEM);
  const { client } = platform.source;
  await execute(
    client,
    "alter table item set (fillfactor = 10)",
    "alter table item alter note set storage plain",
    `insert into item select n, repeat('x', 800)
    from generate_series(1, ${rows}) as n`,
    "analyze item",
  );
  const said: string[] = [];
  let total = 0;
  await extract({
    ...platform.context,
    progress: {
      begin: (what, of) => said.push(`${what}: ${of?.rows}`),
      add: ({ rows = 0 }) => total += rows,
      end: () => said.push("end"),
    },
  });

  const { tables } = await ingestionManifest(platform, 1);
  const files = tables.item?.rows ?? [];
  assert.equal(files.length, 2);
  assert.equal(files[0]?.rows, 16_384);
  const ids = new Set<string>();
  for (const { key } of files) {
    const text = await Deno.readTextFile(
      `${platform.config.ingestionUrl}/${key}`,
    );
    for (const line of text.trimEnd().split("\n").slice(1)) {
      ids.add(line.split(",")[0] ?? "");
    }
  }
  assert.equal(ids.size, rows);
  assert.equal(total, rows);
  assert.deepEqual(said.slice(0, 2), [`extract 1: ${rows}`, "end"]);
});

Deno.test("extract() commits nothing more than 12 hours after it began", async () => {
  await using platform = await openWith(ITEM);
  await execute(platform.source.client, "insert into item values (1)");
  const hours = [0, 12.1];
  const clock = () => new Date(3_600_000 * (hours.shift() ?? 12.1));

  await assert.rejects(extract({ ...platform.context, clock }), (error) => {
    assert(error instanceof StageError);
    assert.match(error.message, /^Cannot commit batch 1: .* over 12 hours ago/);
    assert.equal(error.subject, platform.config.ingestionUrl);
    assert.equal(error.retryable, true);
    return true;
  });

  assert.deepEqual(await keysOf(platform, "_batches/"), []);
  assert.deepEqual((await platform.extract()).batches, [1]);
});

Deno.test("extract() discards its batch when another run has committed first", async () => {
  await using platform = await openWith(ITEM);
  await execute(platform.source.client, "insert into item values (1)");

  const results = await Promise.all([platform.extract(), platform.extract()]);

  const [loser] = results.filter((result) => result.overtaken);
  assert.deepEqual(
    results.map((result) => result.batches).sort(),
    [[], [1]],
  );
  assert.deepEqual([loser?.rows, loser?.bytes], [0, 0]);
  assert(
    platform.logged.includes(
      "warning: batch 1 was committed by another run first",
    ),
  );
});

Deno.test("extract() commits nothing when it is stopped", async () => {
  await using platform = await openWith(ITEM);
  await execute(
    platform.source.client,
    "insert into item select n, repeat('x', 900) from generate_series(1, 5000) as n",
  );
  const stopping = new AbortController();

  await assert.rejects(extract({
    ...platform.context,
    progress: {
      begin() {},
      add: () =>
        stopping.abort(new DOMException("asked to stop", "AbortError")),
      end() {},
    },
    signal: stopping.signal,
  }));

  assert.deepEqual(await keysOf(platform), []);
  assert.deepEqual((await platform.extract()).batches, [1]);
});

Deno.test("extract() refuses a first read that would exceed the time limit", async () => {
  await using platform = await openWith(ITEM);
  await execute(
    platform.source.client,
    "insert into item select n, repeat('x', 900) from generate_series(1, 40000) as n",
  );
  const soon = (memoryMb: number) => ({
    ...platform.context,
    deadline: new Date(platform.context.clock().getTime() + 1_000),
    processors: memoryMb / 1769,
  });

  for (
    const [memoryMb, seconds] of [
      [512, /about [67] s$/],
      [1769, /about 2 s$/],
      [256, /about 1[23] s$/],
    ] as const
  ) {
    await assert.rejects(extract(soon(memoryMb)), {
      name: "StageError",
      message: /^Cannot read \d+\.\d MB of the source in [01] s: it takes /,
      hint: /\.\/totesys pipeline/,
    });
    await assert.rejects(extract(soon(memoryMb)), seconds);
  }

  assert.deepEqual(await keysOf(platform), []);
  await platform.extract();
  await execute(platform.source.client, "insert into item values (0, 'y')");
  assert.deepEqual((await extract(soon(512))).batches, [2]);
});

Deno.test("extract() ends its other reads when one fails, and commits nothing", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.extract();
  const role = `reader_${crypto.randomUUID().replaceAll("-", "")}`;
  await execute(
    platform.source.client,
    `create role ${role} login password 'hunter2'`,
    `grant select on all tables in schema public to ${role}`,
    `revoke select on staff from ${role}`,
    insertOrder(9),
  );
  const { source } = platform.config;
  assert(source !== undefined);
  platform.set({ source: { ...source, user: role, password: "hunter2" } });

  await assert.rejects(platform.extract(), (error) => {
    assert(error instanceof StageError, Deno.inspect(error));
    assert.equal(
      error.message,
      'Cannot read "staff": permission denied for table staff',
    );
    assert.equal(error.subject, "staff");
    assert.equal(error.retryable, false);
    assert.match(error.hint ?? "", /^Grant select on the table/);
    return true;
  });

  assert.equal((await keysOf(platform, "_batches/00")).length, 1);
  platform.set({ source });
  await platform.extract();
  assert.deepEqual(await shipped(platform, 2), { sales_order: [1, 0] });
  await execute(
    platform.source.client,
    `drop owned by ${role}`,
    `drop role ${role}`,
  );
});

Deno.test("extract() reads the tables that --full names, and refuses unknown ones", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.extract();

  await platform.extract({ fullRead: ["design", "currency"] });
  assert.deepEqual(await shipped(platform, 2), {
    currency: [3, 0],
    design: [3, 0],
  });
  await platform.extract({ fullRead: true });
  assert.equal(Object.keys(await shipped(platform, 3)).length, 11);

  await assert.rejects(
    platform.extract({ fullRead: ["design", "orders", "Design"] }),
    (error) => {
      assert(error instanceof ConfigError);
      assert.deepEqual(error.problems, [
        '--full names "orders", which is not in sql/source.sql',
        '--full names "Design", which is not in sql/source.sql',
      ]);
      return true;
    },
  );
});

Deno.test("extract() doesn't report who holds back a recent watermark", async () => {
  await using platform = await openWith(ITEM);
  const holder = await openClient(platform.source.url);
  await execute(holder, "begin", "insert into item values (1)");

  const { rows } = await holder.query(
    "select pg_current_xact_id()::text as id",
  );
  const held = async () => {
    const { batches: [batch = 0] } = await platform.extract();
    return (await ingestionManifest(platform, batch)).source;
  };

  // Older writers of other tests may hold the watermark lower, for a while.
  let first = await held();
  for (let run = 1; first.fence !== rows[0].id && run < 200; run++) {
    first = await held();
  }
  const second = await held();
  await holder.end();

  assert.equal(first.fence, rows[0].id);
  assert.equal(second.fence, first.fence);
  assert.equal(second.fenceSince, first.fenceSince);
  assert.doesNotMatch(platform.logged.join("\n"), /watermark/);
});

Deno.test("extract() refuses to run without SOURCE_URL", async () => {
  await using platform = await openWith(ITEM);
  platform.set({ source: undefined });

  await assert.rejects(platform.extract(), (error) => {
    assert(error instanceof ConfigError);
    assert.deepEqual(error.problems, ["SOURCE_URL is missing"]);
    return true;
  });
});

Deno.test("extract() carries values of a user-defined type as exact text", async () => {
  await using platform = await openPlatform({
    sql: {
      ...PROJECT_SQL,
      tables: parseContract(`create table item (
    item_id integer not null,
    -- carried from numeric
    amount text,
    -- carried from text[]
    tags text,
    primary key (item_id)
);`),
    },
    sourceSql:
      "create table item (item_id integer primary key, amount numeric, tags text[])",
  });
  await platform.source.client.query(
    "insert into item values (1, 1e-30, '{a,\"b,c\",NULL}'), (2, 'NaN', null)",
  );

  await platform.extract();

  const [key = ""] = (await keysOf(platform, "item/"))
    .filter((name) => name.endsWith("1.csv"));
  assert.equal(
    await Deno.readTextFile(`${platform.config.ingestionUrl}/${key}`),
    "item_id,amount,tags\n" +
      `1,0.000000000000000000000000000001,"{a,""b,c"",NULL}"\n2,NaN,\n`,
  );
});
