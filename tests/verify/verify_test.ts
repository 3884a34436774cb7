import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { fillSource } from "../../demo/fill.ts";
import { Random } from "../../demo/random.ts";
import { runTraffic } from "../../demo/traffic.ts";
import { extract } from "../../extract/extract.ts";
import type { ProcessIo } from "../../lib/cli/command.ts";
import { ConfigError, StageError } from "../../lib/errors.ts";
import { query, queryRow } from "../../lib/postgres/postgres.ts";
import {
  type ProjectSql,
  readProjectSql,
} from "../../lib/project/project_sql.ts";
import { RESOURCES } from "../../lib/stage.ts";
import { runOnce } from "../../operate/run_stages.ts";
import type { Comparison } from "../../verify/compare_models.ts";
import { main } from "../../verify/main.ts";
import type { Verification } from "../../verify/verification.ts";
import { verify } from "../../verify/verify.ts";
import { changedZones } from "../harness/changed_zone.ts";
import { companyOf } from "../harness/company_of.ts";
import { changeUnseen, swapFile } from "../harness/damage.ts";
import { processedManifest } from "../harness/manifests.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
  ZONE_KINDS,
} from "../harness/platform.ts";
import { openClient } from "../harness/postgres.ts";
import { RandomWriters } from "../harness/random_writers.ts";
import { differences, doWhatItSays, repairsNamed } from "../harness/repair.ts";
import { newSeed } from "../harness/seed.ts";
import { fillSmall, insertOrder } from "../harness/small_source.ts";
import { SQL_DIRECTORY } from "../harness/sql_directory.ts";

const LIVE_VERIFICATIONS = 4;
const WRITES_BETWEEN = 30;
const WAIT_MS = 50;
const WAITS_MAX = 600;

function comparison(
  verification: Verification,
  model: string,
  place: string,
): Comparison {
  const found = verification.comparisons.find((one) =>
    one.model === model && one.place === place
  );
  assert(found !== undefined);
  return found;
}

/** Names of what verifications have left in the temporary folder. */
function leftBehind(platform: Platform): string[] {
  return [...Deno.readDirSync(platform.config.tempDirectory)]
    .map((entry) => entry.name);
}

const NASTY_CHANGES = [
  `insert into design values (50, '2022-11-03 14:20:49.962',
    e'two\\nlines, "quoted" \\\\ ''single'' 日本 👩‍👩‍👧 e\u0301', '', 'f',
    '2022-11-03 14:20:49.962')`,
  `update address set address_line_2 = '' where address_id = 1`,
  `update payment set payment_amount = 9999999999999.99,
    created_at = '2022-11-03 23:59:59.999999' where payment_id = 1`,
  `update payment set payment_amount = -0.01,
    last_updated = '2022-11-03 00:00:00.1' where payment_id = 2`,
  "update sales_order set unit_price = 0 where sales_order_id = 1",
  "update sales_order set created_at = '0001-01-01', agreed_payment_date = '9999-12-31' where sales_order_id = 2",
  "update department set location = 'Zürich' where department_id = 2",
  "delete from payment where payment_id = 5",
  "delete from staff where staff_id = 4",
  "update payment set payment_date = 'soon' where payment_id = 3",
  insertOrder(16_383, 5),
  insertOrder(16_384, 6),
];

for (const zones of ZONE_KINDS) {
  Deno.test(`verify() finds nothing after a history, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const { source, warehouse, context } = platform;
    await fillSmall(source.client);
    await platform.run();
    await execute(source.client, ...NASTY_CHANGES);
    await platform.run();
    await execute(
      source.client,
      "delete from design where design_id = 50",
      // Its dates stay in the calendar, which only ever grows.
      "delete from sales_order where sales_order_id = 2",
      "insert into design select 50, created_at, 'again', '', '', last_updated from design limit 1",
    );

    const verification = await verify(context);

    assert.deepEqual(differences(verification), []);
    assert.equal(verification.same, true);
    assert.equal(verification.batch, 3);
    assert.equal(comparison(verification, "fact_payment", "lake").rows, 3);
    // Two orders more than there were.
    const orders = comparison(verification, "fact_sales_order", "warehouse");
    assert.equal(orders.rows, 4);
    const written = await query(
      warehouse.client,
      "select * from pipeline.verification order by model, place",
    );
    assert.equal(written.length, 3 * (PROJECT_SQL.models.length + 1));
    assert.deepEqual(leftBehind(platform), []);
  });

  Deno.test(`verify() names each damage where it is, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const { source, warehouse, context } = platform;
    await fillSmall(source.client);
    await platform.run();
    await swapFile(platform, {
      batch: 1,
      model: "dim_design",
      select: (from) =>
        `select * replace (case design_id when 2 then 'swapped'
          else design_name end as design_name) from ${from}
        where design_id <> 3`,
    });
    await execute(
      warehouse.client,
      "update fact_payment set payment_amount = payment_amount + 0.01 where payment_id = 2",
      "delete from fact_payment where payment_id = 4",
      `insert into fact_payment select 900, 70, created_date, created_time,
        last_updated_date, last_updated_time, transaction_id, counterparty_id,
        payment_amount, currency_id, payment_type_id, paid, payment_date,
        valid_from, null, from_batch, null from fact_payment limit 1`,
      "update fact_sales_order set created_time = '14:20:52.186001' where sales_order_id = 1",
      "update dim_location set address_line_2 = '' where location_id = 2",
      "update dim_location set valid_to = now(), to_batch = 1 where location_id = 3",
      "update dim_date set year = 1999 where date_id = '2022-11-07'",
      `insert into dim_currency_closed select currency_id, currency_code,
        currency_name, valid_from, now(), 0, 99 from dim_currency
      where currency_id = 1`,
    );
    await changeUnseen(platform, [
      insertOrder(77),
      "update staff set last_name = 'Unseen' where staff_id = 1",
      "delete from transaction where transaction_id = 5",
    ]);

    const verification = await verify(context);

    assert.deepEqual(differences(verification), [
      "dim_currency warehouse: 1 duplicate",
      "dim_currency history: [1, 0] different, [1, 1] different",
      "dim_date lake: 2023-01-01 missing, 2023-01-02 missing, 2023-01-03 missing",
      "dim_date warehouse: 2022-11-07 different, 2023-01-01 missing, 2023-01-02 missing, 2023-01-03 missing",
      "dim_design lake: 2 different, 3 missing",
      "dim_location warehouse: 2 different, 3 missing",
      "dim_location history: [3, 1] extra",
      "dim_staff lake: 1 different",
      "dim_staff warehouse: 1 different",
      "fact_payment warehouse: 2 different, 4 missing, 70 extra",
      "fact_sales_order lake: 77 missing",
      "fact_sales_order warehouse: 1 different, 77 missing",
    ]);
    assert.equal(verification.same, false);
    assert.deepEqual(
      platform.logged.filter((line) => line.includes("dim_staff in the")),
      ["lake", "warehouse"].map((place) =>
        `error: dim_staff in the ${place} differs from the source: 1 differ, the first 1 different`
      ),
    );
    // The whole tables were checked, which no load would have done again.
    assert.deepEqual(
      verification.brokenRules.map((rule) => [rule.check, rule.findings]),
      [
        ["dim_currency__versions_do_not_overlap", 1],
        ["dim_date__parts_agree_with_the_date", 1],
        ["dim_location__version_ends_after_it_starts", 1],
      ],
    );
    const { text } = await queryRow(
      warehouse.client,
      `select concat_ws(', ', snapshot_time::text, rows, differences,
        first_keys, verified_at > snapshot_time) as text
      from pipeline.verification
      where model = 'fact_payment' and place = 'warehouse'`,
    );
    assert.match(
      text ?? "",
      /^\d{4}.*, 5, 3, 2 different, 4 missing, 70 extra, t$/,
    );
    assert.deepEqual(leftBehind(platform), []);

    await doWhatItSays(platform, verification);

    const repaired = await verify(context);
    assert.deepEqual(differences(repaired), []);
    assert.equal(repaired.same, true);
  });
}

Deno.test("verify() names what differs of the versions that ended", async () => {
  await using platform = await openPlatform();
  const { source, warehouse, context } = platform;
  await fillSmall(source.client);
  await platform.run();
  await execute(
    source.client,
    "update sales_order set units_sold = 2 where sales_order_id in (1, 2)",
    "update staff set last_name = 'Other' where staff_id = 1",
    "delete from payment where payment_id = 5",
  );
  await platform.run();
  await execute(
    source.client,
    "update sales_order set units_sold = 3 where sales_order_id = 1",
  );
  assert.deepEqual(differences(await verify(context)), []);
  await execute(
    warehouse.client,
    "update fact_sales_order set units_sold = 9 where sales_order_id = 1 and to_batch = 2",
    "delete from fact_sales_order where sales_order_id = 2 and to_batch = 2",
    "update dim_staff_closed set to_batch = 3 where staff_id = 1",
  );

  const verification = await verify(context);

  assert.deepEqual(differences(verification), [
    "dim_staff history: [1, 1] different",
    "fact_sales_order history: [1, 1] different, [2, 1] missing",
  ]);
  assert.equal(verification.same, false);
  assert.ok(
    platform.logged.includes(
      "error: fact_sales_order has other versions in the warehouse than in the lake: 2 differ, the first [1, 1] different, [2, 1] missing",
    ),
  );

  await doWhatItSays(platform, verification);

  assert.deepEqual(differences(await verify(context)), []);
});

Deno.test("verify() names the first ten keys and counts them all", async () => {
  await using platform = await openPlatform();
  const { source, warehouse, context } = platform;
  await fillSmall(source.client);
  await execute(
    source.client,
    `insert into payment_type select 100 * n, 'KIND', now(), now()
    from generate_series(1, 400) as n`,
  );
  await platform.run();
  await execute(
    warehouse.client,
    "update dim_payment_type set payment_type_name = 'OTHER' where payment_type_id >= 900",
  );

  const found = comparison(
    await verify(context),
    "dim_payment_type",
    "warehouse",
  );

  assert.equal(found.differences, 392);
  assert.deepEqual(
    found.firstKeys.map(({ key }) => Number(key)),
    Array.from({ length: 10 }, (_, n) => 900 + 100 * n),
  );
});

Deno.test("verify() leaves out the rows that are in quarantine, no others", async () => {
  await using platform = await openPlatform();
  const { source, warehouse, context } = platform;
  await fillSmall(source.client);
  await platform.run();
  await execute(
    source.client,
    "update payment set payment_date = 'soon', payment_amount = 5 where payment_id = 2",
    "insert into payment select 9, created_at, last_updated, 1, 1, 1, 1, 1, false, 'never', 1, 2 from payment limit 1",
    "update department set created_at = 'infinity' where department_id = 1",
    "update staff set last_name = 'Moved' where staff_id = 1",
  );

  const verification = await verify(context);

  assert.deepEqual(differences(verification), []);
  assert.equal(verification.same, true);
  assert.equal(comparison(verification, "fact_payment", "lake").rows, 4);
  assert.equal(comparison(verification, "dim_staff", "lake").rows, 4);

  await execute(
    warehouse.client,
    "update fact_payment set payment_amount = 7 where payment_id in (2, 3)",
    "delete from quarantine where row_key = '9'",
    "update dim_staff set department_name = 'Nowhere' where staff_id in (1, 3)",
  );
  const again = await verify(context);

  assert.deepEqual(differences(again), [
    "dim_staff warehouse: 1 different, 3 different",
    // Of the row in quarantine, the lake keeps what the warehouse should hold.
    "fact_payment warehouse: 2 different, 3 different",
    "quarantine warehouse: [payment, 9] missing",
  ]);
  assert.deepEqual(repairsNamed(again), ["./totesys rebuild warehouse"]);
});

Deno.test("verify() does not mind what is written while it reads", async () => {
  await using platform = await openPlatform({ sourceSql: "" });
  await fillSource(platform.source.client, { seed: 1, salesOrders: 300 });
  // On a slow machine much is deleted between two verifications.
  platform.set({ deleteShareMax: 1 });
  const ending = new AbortController();
  let events = 0;
  const traffic = runTraffic({
    url: platform.source.url,
    seed: 1,
    signal: ending.signal,
    transactionsPerSecond: 200,
    longSeconds: { least: 1, most: 2 },
    onEvent: () => events++,
  });
  const found: string[][] = [];
  try {
    for (let times = 0; times < LIVE_VERIFICATIONS; times++) {
      const before = events;
      found.push(differences(await verify(platform.context)));
      assert.ok(events > before);
    }
  } finally {
    ending.abort();
    await traffic;
  }

  assert.deepEqual(found, Array(LIVE_VERIFICATIONS).fill([]));
});

/** Set `TEST_SEED` to repeat writes that failed. */

Deno.test("verify() does not mind any writer", async () => {
  const seed = newSeed();
  const random = new Random(seed);
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  platform.set({ deleteShareMax: 1 });
  await using writers = await RandomWriters.open(platform.source.url, random);
  for (let times = 0; times < LIVE_VERIFICATIONS; times++) {
    for (let write = 0; write < WRITES_BETWEEN; write++) await writers.write();
    let writing = true;
    const writes = (async () => {
      while (writing) await writers.write();
    })();
    const verifying = verify(platform.context)
      .finally(() => writing = false);

    assert.deepEqual(
      differences(await verifying),
      [],
      `TEST_SEED=${seed}: ${writers.story.join("\n")}`,
    );
    await writes;
  }
});

Deno.test("verify() goes on when others run the stages at the same time", async () => {
  await using platform = await openPlatform();
  const { source, warehouse, context, logged } = platform;
  await fillSmall(source.client);
  await platform.run();
  await execute(source.client, insertOrder(9));
  let overtaking = true;
  context.resources = changedZones(RESOURCES, (zone) => ({
    create: async (key, content) => {
      if (overtaking && zone.url === context.config.ingestionUrl) {
        overtaking = false;
        await extract({ ...context, resources: RESOURCES });
      }
      return await zone.create(key, content);
    },
  }));
  const other = await openClient(warehouse.url);
  await other.query("select pg_advisory_lock(7235419846134)");

  const verifying = verify(context);
  for (let wait = 0; wait < WAITS_MAX; wait++) {
    if (logged.some((line) => line.includes("another load"))) break;
    await new Promise((wake) => setTimeout(wake, WAIT_MS));
  }
  await other.end();

  const verification = await verifying;
  assert.equal(verification.batch, 3);
  assert.deepEqual(differences(verification), []);
  assert.ok(
    logged.includes("warning: batch 2 was committed by another run first"),
  );
});

Deno.test("verify() compares its batch, also when the next is loaded", async () => {
  await using platform = await openPlatform();
  const { source, context } = platform;
  await fillSmall(source.client);
  await platform.run();
  let connections = 0;
  context.resources = {
    ...RESOURCES,
    connect: async (settings, options) => {
      // The first looks whether the zones are right, the second compares.
      if (options.purpose === "verify" && ++connections === 2) {
        await execute(
          source.client,
          "update payment set payment_amount = 5 where payment_id = 2",
          "update department set location = 'Moved'",
          "delete from payment where payment_id = 3",
        );
        await runOnce({ ...context, resources: RESOURCES });
      }
      return await RESOURCES.connect(settings, options);
    },
  };

  const verification = await verify(context);

  assert.equal(connections, 2);
  assert.equal(verification.batch, 2);
  assert.deepEqual(differences(verification), []);
});

Deno.test("verify() gives up when others always commit first", async () => {
  await using platform = await openPlatform();
  const { source, context } = platform;
  await fillSmall(source.client);
  context.resources = changedZones(RESOURCES, (zone) => ({
    create: async (key, content) => {
      await extract({ ...context, resources: RESOURCES });
      return await zone.create(key, content);
    },
  }));

  await assert.rejects(verify(context), {
    name: "StageError",
    message: "Cannot verify: other runs committed a batch first 5 times",
    subject: context.config.ingestionUrl,
    retryable: true,
  });
  assert.deepEqual(leftBehind(platform), []);
});

Deno.test("verify() throws what keeps it from comparing", async () => {
  await using platform = await openPlatform();
  const { source, warehouse, context } = platform;
  await fillSmall(source.client);
  await platform.run();
  await execute(
    warehouse.client,
    `create or replace function fact_payment_as_of_batch(batch_number bigint)
      returns setof fact_payment_history language plpgsql
      as 'begin return query select * from gone; end'`,
  );

  await assert.rejects(verify(context), (error) => {
    assert(error instanceof StageError);
    assert.match(error.message, /^Cannot verify .*"gone"/);
    assert.match(error.hint ?? "", /\.\/totesys rebuild warehouse/);
    assert.equal(error.retryable, false);
    return true;
  });
  assert.deepEqual(leftBehind(platform), []);
  assert.deepEqual(
    await query(warehouse.client, "select * from pipeline.verification"),
    [],
  );
  platform.set({ warehouse: undefined });
  await assert.rejects(verify(context), ConfigError);
});

Deno.test("verify() names a file that the lake has lost", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();
  const { processedUrl } = platform.config;
  const manifest = await processedManifest(platform, 1);
  const [file] = manifest.models.fact_payment?.files ?? [];
  await Deno.remove(`${processedUrl}/${file?.key}`);

  await assert.rejects(verify(platform.context), (error) => {
    assert(error instanceof StageError);
    assert.match(
      error.message,
      /^Cannot verify the lake: Cannot read .*fact_payment.*it is missing/,
    );
    assert.match(error.hint ?? "", /\.\/totesys rebuild processed/);
    return true;
  });
});

for (const setting of ["ingestionUrl", "processedUrl"] as const) {
  Deno.test(`verify() fills no place that a wrong ${setting} names`, async () => {
    await using platform = await openPlatform();
    await fillSmall(platform.source.client);
    await platform.run();
    const wrong = `${platform.config[setting]}-wrong`;
    platform.set({ [setting]: wrong });

    await assert.rejects(verify(platform.context), {
      name: "StageError",
      message:
        `Cannot verify: the warehouse holds batch 1, ${wrong} holds none`,
      subject: wrong,
    });
    await assert.rejects(Deno.stat(wrong), Deno.errors.NotFound);
  });
}

const OTHER_SQL = readProjectSql(
  fileURLToPath(new URL("../harness/other_company", import.meta.url)),
);
const OTHER_SOURCE = `
  create table stock (warehouse_code varchar(20), item_number integer,
    quantity smallint not null, primary key (warehouse_code, item_number));
  create table item (sku varchar primary key, title text, details jsonb);
  create table reading (reading_id bigint, taken_on date not null,
    taken_at timestamptz not null, amount numeric(10,4),
    primary key (reading_id, taken_on));`;

async function openOther(sql: ProjectSql): Promise<Platform> {
  const platform = await openPlatform({ sql, sourceSql: OTHER_SOURCE });
  await execute(
    platform.source.client,
    `insert into stock select 'w|' || n % 7, n, n % 100
    from generate_series(-300, 3000) as n`,
    `insert into item select 'sku "' || n || ''', \\', 'title ' || n,
      jsonb_build_object('n', n) from generate_series(1, 300) as n`,
    `insert into reading select n, date '2023-01-01' + n, now(), n / 7.0
    from generate_series(1, 700) as n`,
    "insert into reading values (-5, '0044-03-15 BC', now(), null)",
    "insert into reading values (-6, '20000-01-01', now(), 0)",
  );
  return platform;
}

Deno.test("verify() serves another company by its SQL alone", async () => {
  await using platform = await openOther(OTHER_SQL);
  const { source, warehouse, context } = platform;
  assert.equal((await verify(context)).same, true);
  await execute(
    source.client,
    "delete from stock where item_number = 5",
    "update item set title = null where sku like '%33%'",
  );
  assert.equal((await verify(context)).same, true);

  await execute(
    warehouse.client,
    "update fact_stock set quantity = 3 where item_number = 17",
    "update dim_item set details = details || ' ' where sku = 'sku \"9'', \\'",
    "delete from fact_reading where reading_id = 700",
    "update fact_reading set amount = amount + 0.0001 where reading_id = 6",
  );

  assert.deepEqual(differences(await verify(context)), [
    "dim_item warehouse: sku \"9', \\ different",
    "fact_stock warehouse: [w|3, 17] different",
    "fact_reading warehouse: [6, 2023-01-07] different, [700, 2024-12-01] missing",
  ]);
});

Deno.test("verify() takes a byte order mark for the text that it is", async () => {
  const contract =
    "create table code (code text not null, primary key (code));";
  await using platform = await openPlatform({
    sql: companyOf(contract),
    sourceSql: contract,
  });
  const { source, warehouse, context } = platform;
  await source.client.query(String.raw`insert into code values (E'\ufeffa')`);

  assert.deepEqual(differences(await verify(context)), []);

  // In the warehouse's file, too, it is the first text.
  await warehouse.client.query("update fact_code set code = 'a'");
  assert.match(differences(await verify(context)).join(), /a extra, .*missing/);
});

Deno.test("./totesys verify exits with what it found", async () => {
  await using platform = await openPlatform();
  const { source, warehouse, config } = platform;
  await fillSmall(source.client);
  const env: Record<string, string> = {
    SQL_DIRECTORY,
    SOURCE_URL: source.url,
    WAREHOUSE_URL: warehouse.url,
    INGESTION_URL: config.ingestionUrl,
    PROCESSED_URL: config.processedUrl,
    TEMP_DIRECTORY: config.tempDirectory,
  };
  const run = async (options: { isTerminal: boolean; url?: string }) => {
    const texts = { out: "", error: "" };
    const io: ProcessIo = {
      env: (name) =>
        name === "WAREHOUSE_URL" ? options.url ?? env[name] : env[name],
      write: (text, to) => texts[to] += text,
      isTerminal: options.isTerminal,
      onStop: () => () => {},
    };
    return { code: await main([], io), ...texts };
  };

  const first = await run({ isTerminal: true });
  assert.equal(first.code, 0, first.error);
  assert.match(first.out, /fact_payment +warehouse +5 +0\n/);
  assert.match(first.out, /\nthe same as of batch 1, \d{4}-.* s\n$/);

  await execute(
    warehouse.client,
    "delete from fact_payment where payment_id = 4",
    "update fact_payment set payment_amount = -1 where payment_id = 5",
    "update dim_counterparty set counterparty_legal_city = null where counterparty_id = 1",
  );
  const second = await run({ isTerminal: true });
  assert.equal(second.code, 3);
  assert.match(
    second.out,
    /fact_payment in the warehouse: 4 missing, 5 different\n-> \.\/totesys rebuild warehouse\n/,
  );
  assert.match(
    second.out,
    /dim_counterparty in the warehouse: 1 different\n-> \.\/totesys rebuild warehouse\n/,
  );
  assert.match(second.out, /\nwarning: check fact_payment__amount.*: 1 find/);
  assert.match(second.out, /\nNOT THE SAME as of batch 2/);

  const third = await run({ isTerminal: false });
  assert.equal(third.code, 3);
  const events = third.out.trimEnd().split("\n").map((line) =>
    JSON.parse(line)
  );
  const alarm = events.find((event) =>
    event.level === "error" && event.model === "fact_payment"
  );
  assert.equal(alarm.stage, "verify");
  assert.equal(alarm.hint, "Run ./totesys rebuild warehouse");
  assert.equal(events.at(-1).same, false);

  const down = await run({
    isTerminal: true,
    url: "postgres://u:hunter2@127.0.0.1:1/w",
  });
  assert.equal(down.code, 1);
  assert.match(down.error, /^Cannot connect to 127.0.0.1:1\/w/);
  assert.doesNotMatch(down.out + down.error, /hunter2/);
  assert.equal((await run({ isTerminal: true, url: "mysql://x" })).code, 2);
});
