import type { Logger } from "@logtape/logtape";
import assert from "node:assert/strict";
import type pg from "pg";
import { extract } from "../../../extract/extract.ts";
import { exitCode, StageError } from "../../../lib/errors.ts";
import { openLog } from "../../../lib/log.ts";
import { connect } from "../../../lib/postgres/connect.ts";
import { inTransaction, query } from "../../../lib/postgres/postgres.ts";
import { checkedModel } from "../../../lib/project/project_sql.ts";
import { ENGINE_SCHEMA } from "../../../load/schema/engine_schema.ts";
import { noteFailedCheck, runChecks } from "../../../load/checks/run_checks.ts";
import { load } from "../../../load/load.ts";
import { readWarehouseTable } from "../../../load/tables/warehouse_table.ts";
import { transform } from "../../../transform/transform.ts";
import { execute, openPlatform, PROJECT_SQL } from "../../harness/platform.ts";
import { openTestDatabase } from "../../harness/servers/postgres.ts";
import { smallProject } from "../../harness/companies/small_project.ts";

/** A warehouse with one table, and what is logged. */
interface Bench {
  client: pg.Client;
  log: Logger;
  logged: string[];
}

const MODEL = { name: "fact", key: ["id"], kind: "fact" } as const;

Deno.test("runChecks() records and reports warnings", () =>
  withTable(async (bench) => {
    await check(bench, { text: rule("warning", "amount < 0") });

    assert.deepEqual(await findings(bench), [
      { batch: "7", severity: "warning", key: "2", finding: "is -5" },
      { batch: "7", severity: "warning", key: "3", finding: "is -6" },
    ]);
    assert.match(
      bench.logged[0] ?? "",
      /warning: check fact__rule: 2 findings, the first 2: is -5/,
    );
  }));

Deno.test("runChecks() checks only the keys that the batches changed", () =>
  withTable(async (bench) => {
    await bench.client.query(
      "create temporary table staged as select 3 as id",
    );

    await check(bench, {
      text: rule("warning", "amount < 0"),
      staging: "pg_temp.staged",
    });

    const found = await findings(bench);
    assert.deepEqual(found.map((row) => row.key), ["3"]);
  }));

Deno.test("runChecks() ends the load on a rule of severity error", () =>
  withTable(async (bench) => {
    await assert.rejects(
      check(bench, { text: rule("error", "amount < 0") }),
      (error) => {
        assert(error instanceof StageError);
        assert.equal(
          error.message,
          'Cannot load batch 7: check fact__rule found 2 rows of "fact" wrong, the first 2: is -5',
        );
        assert.equal(error.subject, "fact__rule");
        assert.match(error.hint ?? "", /^sql\/checks\/fact__rule.sql says/);
        assert.equal(exitCode(error), 3);
        return true;
      },
    );
  }));

for (
  const [text, found] of [
    ["id / 0", "division by zero"],
    ["(select 1 union select 2)", "more than one row returned"],
    ["gone", 'column "gone" does not exist'],
  ] as const
) {
  Deno.test(`runChecks() names a check that ends with ${found}`, () =>
    withTable(async (bench) => {
      await assert.rejects(
        check(bench, { text: rule("warning", `amount < ${text}`) }),
        (error) => {
          assert(error instanceof StageError);
          assert.match(error.message, /^Cannot run the check fact__rule: /);
          assert.ok(error.message.includes(found), error.message);
          assert.equal(error.retryable, false);
          assert.equal(error.hint, "Fix sql/checks/fact__rule.sql");
          return true;
        },
      );
    }));
}

Deno.test("noteFailedCheck() records the check that rolled back a load", () =>
  withTable(async (bench) => {
    const { client } = bench;
    await client.query("begin");
    const error = await check(bench, { text: rule("error", "amount < 0") })
      .then(() => undefined, (error) => error);
    await client.query("rollback");

    await noteFailedCheck(client, error);
    await noteFailedCheck(client, new Error("another"));

    assert.deepEqual(
      await query(
        client,
        "select check_name, severity, batch, findings from pipeline.check_result",
      ),
      [{
        check_name: "fact__rule",
        severity: "error",
        batch: "7",
        findings: "2",
      }],
    );
  }));

Deno.test("runChecks() passes when no row breaks a rule", () =>
  withTable(async (bench) => {
    await check(bench, { text: rule("error", "amount > 100") });

    assert.deepEqual(await findings(bench), []);
    assert.deepEqual(bench.logged, []);
    // Its view is gone, so that the next batch can make it again.
    await check(bench, { text: rule("error", "amount > 100") });
  }));

Deno.test("runChecks() runs checks in a read-only statement", () =>
  withTable(async (bench) => {
    const { client } = bench;
    const statements: string[] = [];
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    Object.assign(client, {
      query: (sql: string, ...rest: unknown[]) => {
        statements.push(sql);
        return query(sql, ...rest);
      },
    });

    await check(bench, { text: rule("error", "amount > 100") });

    // Another could not have parallel workers.
    const looking = statements.filter((sql) => sql.includes("amount > 100"));
    assert.equal(looking.length, 1);
    assert.doesNotMatch(looking[0] ?? "", /insert/);
  }));

Deno.test("runChecks() takes keys and findings of any type", () =>
  withTable(async (bench) => {
    const text = rule("warning", "amount = -5")
      .replace("id::text", "id").replace("'is ' || amount", "amount");
    await check(bench, { text });

    assert.deepEqual(await findings(bench), [
      { batch: "7", severity: "warning", key: "2", finding: "-5" },
    ]);
  }));

Deno.test("runChecks() records a thousand findings, and counts all", () =>
  withTable(async (bench) => {
    await bench.client.query(
      "insert into fact select n, -1 from generate_series(10, 1209) as n",
    );

    await check(bench, { text: rule("warning", "amount = -1") });

    assert.equal((await findings(bench)).length, 1000);
    assert.match(bench.logged[0] ?? "", /: 1200 findings/);
  }));

Deno.test("runChecks() refuses a check without severity", () =>
  withTable(async (bench) => {
    await assert.rejects(
      check(bench, { text: rule("info", "true") }),
      {
        name: "StageError",
        message: "Cannot run the check fact__rule: its header has no severity",
        subject: "fact__rule",
        hint: /Severity: warning/,
      },
    );
  }));

Deno.test("runChecks() refuses a table that hides the rows to be checked", () =>
  withTable(async (bench) => {
    const { client } = bench;
    await client.query(
      "create table checked_fact (id integer, amount integer)",
    );

    await assert.rejects(
      inTransaction(
        client,
        {},
        () => check(bench, { text: rule("error", "amount < 0") }),
      ),
      {
        name: "StageError",
        message:
          'Cannot check "fact": its checks would read public.checked_fact in place of the rows to be checked',
        subject: "fact",
        hint: "Rename public.checked_fact, or drop it",
      },
    );
  }));

Deno.test("runChecks() records each check's result, and removes those of deleted checks", () =>
  withTable(async (bench) => {
    const results = async () =>
      await query(
        bench.client,
        `select check_name, rule, severity, batch, findings
        from pipeline.check_result order by check_name`,
      );
    await check(bench, { text: rule("warning", "amount < 0") });
    const first = await results();
    await check(bench, { text: rule("warning", "amount > 5") });

    assert.deepEqual(first, [{
      check_name: "fact__rule",
      rule: "A rule.",
      severity: "warning",
      batch: "7",
      findings: "2",
    }]);
    assert.equal((await results())[0]?.findings, "0");
  }));

Deno.test("load() forgets the results of checks that the folder no longer has", async () => {
  const source = "create table item (id integer primary key);";
  const select = { key: ["id"], sql: "select id from changed.item" };
  const item = { name: "dim_item", ...select };
  const sql = await smallProject({
    source,
    models: [item, { name: "fact_item", kind: "fact", ...select }],
  });
  const text = `-- None is the second.
--
-- Severity: warning

select id::text as key, 'it is' as finding from checked_dim_item where id = 2`;
  await using platform = await openPlatform({
    sql: { ...sql, checks: [{ name: "dim_item__rule", text }] },
    sourceSql: source,
  });
  const { source: { client }, warehouse, context } = platform;
  const names = async () =>
    (await query(
      warehouse.client,
      "select check_name from pipeline.check_result order by 1",
    )).map(({ check_name }) => check_name);
  await execute(client, "insert into item values (1), (2)");
  await platform.run();
  const before = await names();
  context.sql = await smallProject({ source, models: [item] });
  await execute(client, "insert into item values (3)");
  await extract(context);
  await transform(context, { accept: true });
  await load(context);

  const ofItems = [
    "dim_item__version_ends_after_it_starts",
    "dim_item__versions_do_not_overlap",
  ];
  assert.deepEqual(before, [
    "dim_item__rule",
    ...ofItems,
    "fact_item__version_ends_after_it_starts",
    "fact_item__versions_do_not_overlap",
  ]);
  assert.deepEqual(await names(), ofItems);
});
Deno.test("checkedModel() comes from the check's name", () => {
  const models = PROJECT_SQL.models.map((model) => model.name);

  for (const file of PROJECT_SQL.checks) {
    assert.ok(checkedModel(file, models), file.name);
  }
  assert.equal(
    checkedModel({ name: "fact__eu__rule" }, ["fact", "fact__eu"]),
    "fact__eu",
  );
  assert.equal(
    checkedModel({ name: "fact__rule" }, ["fac", "fact_"]),
    undefined,
  );
});

async function withTable(
  test: (bench: Bench) => Promise<void>,
): Promise<void> {
  await using database = await openTestDatabase();
  for (const { name, text } of ENGINE_SCHEMA) {
    if (/^(0001|0008)_/.test(name)) await database.client.query(text);
  }
  await database.client.query(
    "create table fact (id integer primary key, amount integer)",
  );
  await database.client.query(
    "insert into fact values (1, 5), (2, -5), (3, -6)",
  );
  const logged: string[] = [];
  const log = await openLog({
    json: false,
    color: false,
    write: (line) => logged.push(line),
  });
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  await test({ client: connection.client, log, logged });
}

async function check(
  { client, log }: Bench,
  options: { text: string; staging?: string },
): Promise<void> {
  await runChecks(client, {
    table: await readWarehouseTable(client, MODEL),
    checks: [{ name: "fact__rule", text: options.text }],
    staging: options.staging,
    batch: 7,
    log,
  });
}

function rule(severity: string, where: string): string {
  return `-- A rule.
--
-- Severity: ${severity}

select id::text as key, 'is ' || amount as finding
from checked_fact where ${where}`;
}

async function findings({ client }: Bench) {
  return await query(
    client,
    `select batch, severity, key, finding from pipeline.finding order by key`,
  );
}
