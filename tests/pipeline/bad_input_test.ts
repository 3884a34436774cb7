import assert from "node:assert/strict";
import { ConfigError, exitCode, StageError } from "../../lib/errors.ts";
import type { ProjectSql } from "../../lib/project_sql.ts";
import { query } from "../../lib/postgres.ts";
import { assertMirrored } from "../harness/mirror.ts";
import { warehouseState } from "../harness/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../harness/platform.ts";
import { openClient, openTestDatabase } from "../harness/postgres.ts";
import { fillSmall, insertOrder } from "../harness/small_source.ts";

interface BadInput {
  name: string;
  /** Breaks something after a first good batch. */
  spoil: (platform: Platform) => Promise<unknown>;
  /** The stage that must refuse it. */
  stage: "extract" | "transform" | "load";
  message: RegExp;
  code?: number;
  repair: (platform: Platform) => Promise<unknown>;
}

const sourceSql = (...statements: string[]) => (platform: Platform) =>
  execute(platform.source.client, ...statements);
const warehouseSql = (...statements: string[]) => (platform: Platform) =>
  execute(platform.warehouse.client, ...statements);

/** The newest data file below a folder of a zone. */
async function newestFile(zone: string, folder: string, ending: string) {
  const paths: string[] = [];
  for await (const batch of Deno.readDir(`${zone}/${folder}`)) {
    for await (const file of Deno.readDir(`${zone}/${folder}/${batch.name}`)) {
      if (file.name.endsWith(ending)) {
        paths.push(`${zone}/${folder}/${batch.name}/${file.name}`);
      }
    }
  }
  return paths.sort().at(-1) ?? "";
}

let saved: { path: string; bytes: Uint8Array } | undefined;

/** Damages a file, and keeps what it was. */
async function damage(
  path: string,
  how: (bytes: Uint8Array) => Uint8Array | undefined,
): Promise<void> {
  saved = { path, bytes: await Deno.readFile(path) };
  const bytes = how(saved.bytes);
  if (bytes === undefined) await Deno.remove(path);
  else await Deno.writeFile(path, bytes);
}

const restore = async () => {
  if (saved !== undefined) await Deno.writeFile(saved.path, saved.bytes);
};

/** Turns over one bit in the middle. */
function flipped(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const middle = Math.floor(copy.length / 2);
  copy[middle] = (copy[middle] ?? 0) ^ 1;
  return copy;
}

const manifestOf = (zone: string) => `${zone}/_batches/000000002.json`;

const CASES: BadInput[] = [
  {
    name: "a column that was dropped",
    spoil: sourceSql("alter table design drop column file_name"),
    stage: "extract",
    message: /Cannot read "design": column "file_name" is missing/,
    repair: sourceSql(
      "alter table design add file_name text not null default 'x'",
    ),
  },
  {
    name: "a column that was renamed",
    spoil: sourceSql("alter table staff rename email_address to email"),
    stage: "extract",
    message:
      /"email_address" is missing \(renamed\? the contract doesn't know email\)/,
    repair: sourceSql("alter table staff rename email to email_address"),
  },
  {
    name: "a column of another type",
    spoil: sourceSql("alter table sales_order alter unit_price type text"),
    stage: "extract",
    message:
      /Cannot read "sales_order": column "unit_price" is now text, the contract says numeric\(10,2\)/,
    repair: sourceSql(
      "alter table sales_order alter unit_price type numeric(10,2) using unit_price::numeric",
    ),
  },
  {
    name: "a column that may be null",
    spoil: sourceSql("alter table payment alter paid drop not null"),
    stage: "extract",
    message: /column "paid" may now be null, the contract says not null/,
    repair: sourceSql("alter table payment alter paid set not null"),
  },
  {
    name: "a table that is gone",
    spoil: sourceSql("alter table currency rename to money"),
    stage: "extract",
    message:
      /Cannot read "currency": there is no such table in the schema "public"/,
    repair: sourceSql("alter table money rename to currency"),
  },
  {
    name: "a view in a table's place",
    spoil: sourceSql(
      "alter table currency rename to money",
      "create view currency as select * from money",
    ),
    stage: "extract",
    message: /Cannot read "currency": it is a view/,
    repair: sourceSql(
      "drop view currency",
      "alter table money rename to currency",
    ),
  },
  {
    name: "a table without its key",
    spoil: sourceSql("alter table design drop constraint design_pkey"),
    stage: "extract",
    message: /"design": no primary key or unique constraint on \(design_id\)/,
    repair: sourceSql("alter table design add primary key (design_id)"),
  },
  {
    name: "a row that is too long",
    spoil: sourceSql(
      "update design set design_name = repeat('x', 17000000) where design_id = 1",
    ),
    stage: "extract",
    message: /Cannot read "design": a row is longer than 16 MiB as CSV/,
    repair: sourceSql(
      "update design set design_name = 'short' where design_id = 1",
    ),
  },
  {
    name: "several faults at once",
    spoil: sourceSql(
      "alter table design drop column file_name",
      "alter table payment alter paid drop not null",
    ),
    stage: "extract",
    message: /"design": column[^]*"payment": column/,
    repair: sourceSql(
      "alter table design add file_name text not null default 'x'",
      "alter table payment alter paid set not null",
    ),
  },
  {
    name: "a CSV that was cut short",
    spoil: async (platform) => {
      await execute(platform.source.client, insertOrder(30), insertOrder(31));
      await platform.extract();
      await damage(
        await newestFile(platform.config.ingestionUrl, "sales_order", ".csv"),
        (bytes) => bytes.subarray(0, bytes.length - 20),
      );
    },
    stage: "transform",
    message: /Cannot read .*sales_order.*csv: it has \d+ bytes, the manifest/,
    repair: restore,
  },
  {
    name: "a CSV that was changed",
    spoil: async (platform) => {
      await execute(platform.source.client, insertOrder(30));
      await platform.extract();
      await damage(
        await newestFile(platform.config.ingestionUrl, "sales_order", ".csv"),
        flipped,
      );
    },
    stage: "transform",
    message: /sales_order.*csv: its content does not match its checksum/,
    repair: restore,
  },
  {
    name: "a CSV that is missing",
    spoil: async (platform) => {
      await execute(platform.source.client, insertOrder(30));
      await platform.extract();
      await damage(
        await newestFile(platform.config.ingestionUrl, "sales_order", ".csv"),
        () => undefined,
      );
    },
    stage: "transform",
    message: /csv: the manifest lists it, and it is missing/,
    repair: restore,
  },
  {
    name: "a CSV in another's place",
    spoil: async (platform) => {
      const { ingestionUrl } = platform.config;
      const other = await newestFile(ingestionUrl, "sales_order", ".csv");
      await execute(
        platform.source.client,
        "update sales_order set units_sold = units_sold + 1",
      );
      await platform.extract();
      await damage(
        await newestFile(ingestionUrl, "sales_order", ".csv"),
        () => Deno.readFileSync(other),
      );
    },
    stage: "transform",
    message: /sales_order.*csv: its content does not match its checksum/,
    repair: restore,
  },
  {
    name: "a keys file that was changed",
    spoil: async (platform) => {
      await damage(
        await newestFile(platform.config.ingestionUrl, "payment", "keys.txt"),
        flipped,
      );
      await execute(
        platform.source.client,
        "delete from payment where payment_id = 5",
      );
    },
    stage: "extract",
    message:
      /Cannot read .*payment.*keys.txt: its keys of bucket 0 do not match/,
    repair: restore,
  },
  {
    name: "a manifest that was cut short",
    spoil: async (platform) => {
      await platform.extract();
      await damage(
        manifestOf(platform.config.ingestionUrl),
        (bytes) => bytes.subarray(0, 100),
      );
    },
    stage: "transform",
    message: /Cannot read the manifest .*000000002.json: it is no JSON/,
    repair: restore,
  },
  {
    name: "a manifest that was edited",
    spoil: async (platform) => {
      await platform.extract();
      await damage(
        manifestOf(platform.config.ingestionUrl),
        (bytes) =>
          new TextEncoder().encode(
            new TextDecoder().decode(bytes).replace('"batch":2', '"batch":3'),
          ),
      );
    },
    stage: "transform",
    message: /000000002.json: its content does not match its checksum/,
    repair: restore,
  },
  {
    name: "a manifest in another's place",
    spoil: async (platform) => {
      const { ingestionUrl } = platform.config;
      await platform.extract();
      await damage(
        manifestOf(ingestionUrl),
        () => Deno.readFileSync(`${ingestionUrl}/_batches/000000001.json`),
      );
    },
    stage: "transform",
    message: /000000002.json: it is of batch 1/,
    repair: restore,
  },
  {
    name: "a Parquet file that was changed",
    spoil: async (platform) => {
      await execute(platform.source.client, insertOrder(30));
      await platform.extract();
      await platform.transform();
      await damage(
        await newestFile(
          platform.config.processedUrl,
          "fact_sales_order",
          ".parquet",
        ),
        flipped,
      );
    },
    stage: "load",
    message: /Cannot read .*fact_sales_order.*parquet: /,
    repair: restore,
  },
  ...([
    ["was changed", flipped, "its content does not match its checksum"],
    ["was cut short", (bytes) => bytes.subarray(9), "it has \\d+ bytes"],
    ["is missing", () => undefined, "the manifest lists it, and it is missing"],
  ] as [string, Parameters<typeof damage>[1], string][]).map((
    [how, damaged, found],
  ): BadInput => ({
    name: `a table kept for the joins that ${how}`,
    spoil: async (platform) => {
      const { processedUrl } = platform.config;
      await damage(
        await newestFile(processedUrl, "_state/current.staff", ".parquet"),
        damaged,
      );
      await execute(
        platform.source.client,
        "update department set location = 'Hull' where department_id = 3",
      );
      await platform.extract();
    },
    stage: "transform",
    message: new RegExp(`Cannot read .*current.staff.*parquet: ${found}`),
    repair: restore,
  })),
  {
    name: "a set's keys of a batch before",
    spoil: async (platform) => {
      const { processedUrl } = platform.config;
      await damage(
        await newestFile(processedUrl, "_state/known.dim_date", ".parquet"),
        flipped,
      );
      await execute(platform.source.client, insertOrder(30));
      await platform.extract();
    },
    stage: "transform",
    message: /known.dim_date.*: its content does not match its checksum/,
    repair: restore,
  },
  {
    name: "a quarantine that was changed",
    spoil: async (platform) => {
      const { client } = platform.source;
      await execute(
        client,
        "update payment set payment_date = 'never' where payment_id = 1",
      );
      await platform.extract();
      await platform.transform();
      await damage(
        await newestFile(
          platform.config.processedUrl,
          "_state/quarantine",
          ".parquet",
        ),
        flipped,
      );
      await execute(
        client,
        "update payment set payment_date = '2023-01-01' where payment_id = 1",
      );
      await platform.extract();
    },
    stage: "transform",
    message: /_state.quarantine.*: its content does not match its checksum/,
    repair: restore,
  },
  {
    name: "a Parquet file that a full read compares with",
    spoil: async (platform) => {
      await damage(
        await newestFile(
          platform.config.processedUrl,
          "fact_payment",
          ".parquet",
        ),
        flipped,
      );
      await platform.extract({ fullRead: ["payment"] });
    },
    stage: "transform",
    message: /fact_payment.*parquet: its content does not match its checksum/,
    repair: restore,
  },
  {
    name: "a migration that was edited",
    spoil: (platform) => {
      platform.context.sql = withMigration((text) => `${text}\n-- edited`);
      return platform.extract().then(platform.transform);
    },
    stage: "load",
    message: /0001_pipeline.sql was edited after it was applied/,
    repair: (platform) => {
      platform.context.sql = PROJECT_SQL;
      return Promise.resolve();
    },
  },
  {
    name: "a warehouse of a newer version",
    spoil: async (platform) => {
      await execute(
        platform.warehouse.client,
        "insert into pipeline.migration values ('0099_new', 'x')",
      );
      await platform.extract();
      await platform.transform();
    },
    stage: "load",
    message: /its migration 0099_new is not in sql\/warehouse/,
    repair: warehouseSql(
      "delete from pipeline.migration where name = '0099_new'",
    ),
  },
  {
    name: "another lake in the warehouse",
    spoil: async (platform) => {
      await execute(
        platform.warehouse.client,
        "update pipeline.batch set lake_id = 'another'",
      );
      await platform.extract();
      await platform.transform();
    },
    stage: "load",
    message:
      /Cannot go on from batch 1, which the warehouse holds: .* another lake/,
    repair: async (platform) => {
      const text = await Deno.readTextFile(
        `${platform.config.processedUrl}/_batches/000000001.json`,
      );
      const { lakeId } = JSON.parse(text).manifest;
      await execute(
        platform.warehouse.client,
        `update pipeline.batch set lake_id = '${lakeId}'`,
      );
    },
  },
  {
    name: "a check that is broken",
    spoil: async (platform) => {
      platform.context.sql = {
        ...PROJECT_SQL,
        checks: [{
          name: "fact_sales_order__no_thirty",
          text: `-- Severity: error
            select sales_order_id::text as key, 'is thirty' as finding
            from checked_fact_sales_order where sales_order_id = 30`
            .replaceAll(/^ +/gm, ""),
        }],
      };
      await execute(platform.source.client, insertOrder(30));
      await platform.extract();
      await platform.transform();
    },
    stage: "load",
    message:
      /Cannot load batch 2: check fact_sales_order__no_thirty found 1 rows .* the first 30: is thirty/,
    code: 3,
    repair: (platform) => {
      platform.context.sql = PROJECT_SQL;
      return Promise.resolve();
    },
  },
  {
    name: "a warehouse that takes no writes",
    spoil: async (platform) => {
      const { database } = platform.warehouse.settings;
      await execute(
        platform.warehouse.client,
        `alter database ${database} set default_transaction_read_only = on`,
      );
      await execute(platform.source.client, insertOrder(30));
      await platform.extract();
      await platform.transform();
    },
    stage: "load",
    message:
      /Cannot load into .*: cannot execute .* in a read-only transaction/,
    repair: async (platform) => {
      const { database } = platform.warehouse.settings;
      await execute(
        platform.warehouse.client,
        `alter database ${database} reset default_transaction_read_only`,
      );
    },
  },
];

function withMigration(change: (text: string) => string): ProjectSql {
  const [first, ...others] = PROJECT_SQL.migrations;
  assert(first !== undefined);
  return {
    ...PROJECT_SQL,
    migrations: [{ ...first, text: change(first.text) }, ...others],
  };
}

for (const bad of CASES) {
  Deno.test(`bad input: ${bad.name}`, async () => {
    await using platform = await openPlatform();
    await fillSmall(platform.source.client);
    await platform.run();
    const served = await warehouseState(platform);
    await bad.spoil(platform);

    await assert.rejects(platform[bad.stage](), (error) => {
      assert(error instanceof StageError, String(error));
      assert.match(error.message, bad.message);
      assert.equal(exitCode(error), bad.code ?? 1);
      assert.notEqual(error.hint ?? "", "");
      return true;
    });
    assert.deepEqual(await warehouseState(platform), served);

    await bad.repair(platform);
    await execute(platform.source.client, insertOrder(40));
    await platform.run();
    await assertMirrored(platform);
  });
}

Deno.test("extract() stops when much of a table is gone, unless it is let", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await execute(
    client,
    `insert into sales_order select 100 + n, now(), now(), 1, 1, 1, 1, 1, 1,
      '2022-01-01', '2022-01-01', 1 from generate_series(1, 20) as n`,
  );
  await platform.run();
  await execute(client, "truncate sales_order");

  await assert.rejects(platform.extract(), (error) => {
    assert(error instanceof StageError);
    assert.match(error.message, /23 of its 23 rows are gone/);
    assert.equal(error.subject, "sales_order");
    assert.equal(exitCode(error), 3);
    return true;
  });
  await platform.extract({ allowMassDelete: true });
  await platform.transform();
  await platform.load();
  await assertMirrored(platform);
});

Deno.test("transform() refuses a log that was cut and written anew", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();
  await Deno.remove(platform.config.ingestionUrl, { recursive: true });
  await platform.extract();

  await assert.rejects(platform.transform(), (error) => {
    assert(error instanceof StageError);
    assert.match(
      error.message,
      /Cannot go on from batch 1: .* another one now/,
    );
    return true;
  });
});

Deno.test("transform() stops when sql/ has changed, unless it is told", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();
  platform.context.sql = { ...PROJECT_SQL, transformHash: "another" };
  await platform.extract();

  await assert.rejects(platform.transform(), (error) => {
    assert(error instanceof StageError);
    assert.match(error.message, /sql\/ .* has changed since/);
    return true;
  });
  const { transform } = await import("../../transform/transform.ts");
  await transform(platform.context, { acceptSqlChange: true });
  await platform.load();
  await assertMirrored(platform);
});

Deno.test("transform() makes a broken lake.duckdb anew", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();
  const lake = `${platform.config.processedUrl}/lake.duckdb`;
  const whole = await Deno.readFile(lake);
  await Deno.writeTextFile(lake, "no database");
  await platform.transform();
  assert.equal((await Deno.readFile(lake)).length, whole.length);
  assert.match(platform.logged.join("\n"), /lake.duckdb can't be read/);
  await Deno.remove(lake);
  await platform.transform();
  assert.equal((await Deno.readFile(lake)).length, whole.length);
});

Deno.test("load() makes placeholders for what facts name and nobody has", async () => {
  await using platform = await openPlatform();
  const { client } = platform.source;
  await fillSmall(client);
  await execute(client, insertOrder(50).replace("1.00, 1,", "1.00, 77,"));
  await platform.run();
  await execute(client, insertOrder(51).replace("1.00, 1,", "1.00, 78,"));
  await platform.run();
  const placeholders = async () =>
    await query(
      platform.warehouse.client,
      "select currency_id::text as id from dim_currency where is_placeholder order by 1",
    );
  assert.deepEqual(await placeholders(), [{ id: "77" }, { id: "78" }]);

  await execute(
    client,
    "insert into currency values (77, 'JPY', now(), now())",
  );
  await platform.run();
  assert.deepEqual(await placeholders(), [{ id: "78" }]);
  await assertMirrored(platform);
  const warnings = await query(
    platform.warehouse.client,
    "select distinct key from pipeline.finding where check_name = 'fact_sales_order__references_are_known' order by 1",
  );
  assert.deepEqual(warnings, [{ key: "50" }, { key: "51" }]);
});

Deno.test("load() leaves when another load is at work", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();
  const other = await openClient(platform.warehouse.url);
  await other.query("select pg_advisory_lock(7235419846134)");

  const result = await platform.load();

  assert.equal(result.overtaken, true);
  assert.deepEqual(result.batches, []);
  await other.end();
});

Deno.test("extract() refuses rows that row-level security would hide", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  const role = `reader_${crypto.randomUUID().replaceAll("-", "")}`;
  await execute(
    platform.source.client,
    `create role ${role} login password 'secret'`,
    `grant select on all tables in schema public to ${role}`,
    "alter table payment enable row level security",
  );
  const { source } = platform.config;
  assert(source !== undefined);
  platform.set({ source: { ...source, user: role, password: "secret" } });

  await assert.rejects(platform.extract(), (error) => {
    assert(error instanceof StageError);
    assert.equal(error.subject, "payment");
    assert.match(error.message, /row-level security/);
    return true;
  });
  await execute(
    platform.source.client,
    "alter table payment disable row level security",
    `revoke select on design from ${role}`,
  );
  await assert.rejects(platform.extract(), (error) => {
    assert(error instanceof StageError);
    assert.equal(error.subject, "design");
    assert.match(error.message, /permission denied for table design/);
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
  await execute(platform.source.client, `grant select on design to ${role}`);
  await platform.extract();
  await execute(
    platform.source.client,
    `drop owned by ${role}`,
    `drop role ${role}`,
  );
});

Deno.test("extract() refuses a table for --full that the contract lacks", async () => {
  await using platform = await openPlatform();
  await assert.rejects(platform.extract({ fullRead: ["orders"] }), ConfigError);
});

Deno.test("stages name the server that they can't reach, not the password", async () => {
  await using platform = await openPlatform();
  await using gone = await openTestDatabase();
  const { source } = platform.config;
  assert(source !== undefined);
  platform.set({ source: { ...source, password: "hunter2" } });
  await assert.rejects(platform.extract(), (error) => {
    assert(error instanceof StageError);
    assert.match(error.message, /Cannot connect to 127.0.0.1:\d+\/test_\w+: /);
    assert.doesNotMatch(error.message, /hunter2/);
    return true;
  });
  platform.set({ source: { ...gone.settings, port: 1 } });
  await assert.rejects(platform.extract(), /Cannot connect to .*ECONNREFUSED/);
  platform.set({ source: { ...gone.settings, database: "nowhere" } });
  await assert.rejects(platform.extract(), /database "nowhere" does not exist/);
});
